"""What one layer says of another is there: addresses, Secrets, routes and monitors, in every shape of the platform."""

from __future__ import annotations

import json
import re
from urllib.parse import urlsplit

import pytest
import yaml
from program_wiring import PORTS, SHAPES, Wiring, admitted, keys, wired

from components import fixes
from stacks.clusters import CLUSTERS


@pytest.fixture(scope="module", params=SHAPES, ids="-".join)
def wiring(request: pytest.FixtureRequest) -> Wiring:
    return wired(*request.param)


def test_every_address_the_stack_exports_is_a_service_or_a_page(wiring: Wiring) -> None:
    pages = {host for o in wiring.of("VirtualService") for host in o["spec"]["hosts"]}
    urls = [row["url"] for row in wiring.recording.outputs["services"].values() if row["url"]]
    assert len(urls) >= 8
    inside = [url for url in urls if ".svc.cluster.local" in url]
    outside = {urlsplit(url).hostname for url in urls if url not in inside}
    assert [url for url in inside if not wiring.answers(url)] == []
    assert outside - pages == {"aiga.localhost"}, "models are under the domain itself, through Seldon's own routes"


def test_the_ports_in_the_pages_addresses_are_open_on_every_node(wiring: Wiring) -> None:
    traits = CLUSTERS["on-prem"].ingress
    gateway = wiring.services["istio-system", "istio-ingressgateway"]["spec"]
    assert gateway["type"] == "NodePort"
    opened = {port["port"]: port.get("nodePort") for port in gateway["ports"]}
    assert (opened[80], opened[443]) == traits.node_ports


def test_every_credential_the_stack_points_to_is_there(wiring: Wiring) -> None:
    places = [row["credential"] for row in wiring.recording.outputs["services"].values()]
    found = [re.fullmatch(r"([\w-]+)/([\w-]+): ([\w.-]+)", place) for place in places]
    named = [match.groups() for match in found if match]
    assert len(named) >= 4
    for namespace, name, key in named:
        secret = wiring.find("Secret", namespace, name)
        assert secret is not None, f"{namespace}/{name}"
        assert key in keys(secret)


def test_every_route_ends_at_a_service(wiring: Wiring) -> None:
    gateways = {f"{o['metadata']['namespace']}/{o['metadata']['name']}" for o in wiring.of("Gateway")}
    routes = wiring.of("VirtualService")
    assert {o["metadata"]["name"] for o in routes} == {"argo", "grafana", "webhook"}
    for o in routes:
        assert set(o["spec"]["gateways"]) <= gateways
        for route in (route for http in o["spec"]["http"] for route in http["route"]):
            to = route["destination"]
            assert wiring.answers(f"{to['host']}:{to['port']['number']}"), to


def test_every_gateway_serves_a_certificate_that_is_there(wiring: Wiring) -> None:
    named = [
        s["tls"]["credentialName"]
        for o in wiring.of("Gateway")
        for s in o["spec"]["servers"]
        if s["port"]["number"] == 443
    ]
    assert len(named) == 2
    secret = wiring.find("Secret", "istio-system", named[0])
    assert set(named) == {named[0]}
    assert secret is not None
    assert {"tls.crt", "tls.key"} <= keys(secret)


def test_prod_sends_everyone_from_http_to_https(wiring: Wiring) -> None:
    servers = {
        o["metadata"]["name"]: [s for s in o["spec"]["servers"] if s["port"]["number"] == 80]
        for o in wiring.of("Gateway")
    }
    assert set(servers) == {"pages-gateway", "seldon-gateway"}
    redirects = {
        name: [(s.get("tls") or {}).get("httpsRedirect", False) for s in found] for name, found in servers.items()
    }
    prod = wiring.recording.outputs["profile"] == "prod"
    assert redirects == {"pages-gateway": [True], "seldon-gateway": [prod]}, "elsewhere models answer without TLS too"


def test_every_service_leads_to_pods_with_its_port(wiring: Wiring) -> None:
    for o in wiring.of("Service"):
        pods = wiring.behind(o)
        assert pods, f"{o['metadata']['name']} selects nothing"
        for port in o["spec"]["ports"]:
            if isinstance(port.get("targetPort"), str):
                assert wiring.targets(o, port), f"{o['metadata']['name']}: no pod has a port {port['targetPort']}"


@pytest.mark.parametrize("kind", ["Secret", "ConfigMap"])
def test_every_secret_and_configmap_a_pod_names_is_there(wiring: Wiring, kind: str) -> None:
    made_by_controllers = {"kube-root-ca.crt", "istio-ca-root-cert", "istio-ca-crl"}
    missing = []
    for who, namespace, name, wanted, optional in wiring.references(kind):
        if optional or name in made_by_controllers:
            continue
        o = wiring.find(kind, namespace, name)
        if o is None or not set(wanted) <= keys(o):
            missing.append(f"{who}: {namespace}/{name} {wanted}")
    assert missing == []


def test_what_custom_resources_name_is_there(wiring: Wiring) -> None:
    (source,), (alerts,) = wiring.of("EventSource"), wiring.of("Alertmanager")
    key = source["spec"]["webhook"]["retrain"]["authSecret"]
    (bucket,) = wiring.of("Bucket")
    wanted = {
        ("argo-events", key["name"]): {key["key"]},
        ("monitoring", alerts["spec"]["configSecret"]): {"alertmanager.yaml"},
        ("flux-system", bucket["spec"]["secretRef"]["name"]): {"accesskey", "secretkey"},
        ("monitoring", "grafana-admin"): {"admin-user", "admin-password"},
    }
    for (namespace, name), needed in wanted.items():
        secret = wiring.find("Secret", namespace, name)
        assert secret is not None, name
        assert needed <= keys(secret)


def test_every_pods_account_and_every_binding_is_there(wiring: Wiring) -> None:
    accounts = {(o["metadata"]["namespace"], o["metadata"]["name"]) for o in wiring.of("ServiceAccount")}
    lacking = [
        (w["metadata"]["namespace"], account)
        for w in fixes.workloads(wiring.objects)
        if (account := fixes.pod_spec(w).get("serviceAccountName", "default")) != "default"
        if (w["metadata"]["namespace"], account) not in accounts
    ]
    bound = {
        (s.get("namespace") or o["metadata"].get("namespace"), s["name"])
        for o in wiring.of("RoleBinding", "ClusterRoleBinding")
        for s in o["subjects"]
        if s["kind"] == "ServiceAccount"
    }
    assert lacking == []
    assert {space for space, _ in bound} <= {o["metadata"]["name"] for o in wiring.of("Namespace")}


def test_workflows_flux_models_and_the_job_find_the_store(wiring: Wiring) -> None:
    store = wiring.recording.outputs["services"]["objectStore"]["url"]
    address = store.removeprefix("http://")
    assert wiring.answers(store)
    (bucket,), (job,) = wiring.of("Bucket"), wiring.of("Job")
    script = job["spec"]["template"]["spec"]["containers"][0]["command"][2]
    assert (bucket["spec"]["endpoint"], bucket["spec"]["insecure"]) == (address, True)
    assert f"store/{bucket['spec']['bucketName']}" in script
    controller = wiring.find("ConfigMap", "argo", "argo-workflows-workflow-controller-configmap")
    assert controller is not None
    s3 = yaml.safe_load(controller["data"]["config"])["artifactRepository"]["s3"]
    assert (s3["endpoint"], s3["insecure"]) == (address, True)
    assert f"store/{s3['bucket']}" in script
    for reference in (s3["accessKeySecret"], s3["secretKeySecret"]):
        secret = wiring.find("Secret", "argo", reference["name"])
        assert secret is not None
        assert reference["key"] in keys(secret)
    rclone = wiring.find("Secret", "seldon-system", "seldon-rclone-secret")
    environment = wiring.find("Secret", "storage", "buckets")
    assert rclone is not None
    assert environment is not None
    assert rclone["stringData"]["RCLONE_CONFIG_S3_ENDPOINT"] == store
    assert environment["stringData"]["MC_HOST_store"].endswith(f"@{address}")


def test_events_find_nats_and_their_streams_fit_its_servers(wiring: Wiring) -> None:
    servers = wiring.find("StatefulSet", "nats-io", "nats")
    (bus,), (broker,) = wiring.of("EventBus"), wiring.of("Broker")
    assert servers is not None
    configuration = next(o for o in wiring.of("ConfigMap") if "eventing-nats" in o["data"])
    urls = {bus["spec"]["jetstreamExotic"]["url"], yaml.safe_load(configuration["data"]["eventing-nats"])["url"]}
    assert [url for url in urls if not wiring.answers(url)] == []
    mounted = {name for who, _, name, _, _ in wiring.references("ConfigMap") if "jetstream" in who or "broker" in who}
    channel = "config" in broker.get("spec", {})
    assert channel or configuration["metadata"]["name"] in mounted
    if channel:
        template = wiring.find("ConfigMap", "knative-eventing", broker["spec"]["config"]["name"])
        assert template is not None
        stream = yaml.safe_load(template["data"]["channel-template-spec"])["spec"]["stream"]["config"]
    else:
        stream = json.loads(broker["metadata"]["annotations"]["natsjetstream.eventing.knative.dev/config"])["stream"]
    events = yaml.safe_load(bus["spec"]["jetstreamExotic"]["streamConfig"])
    assert stream["replicas"] == events["replicas"] == servers["spec"]["replicas"]
    assert stream["maxAge"] == events["maxAge"] == "72h", "without a limit the volume fills, and NATS takes no more"


def test_a_channel_that_names_no_kind_gets_one_that_is_installed_or_is_refused(wiring: Wiring) -> None:
    kinds = {o["spec"]["names"]["kind"] for o in wiring.of("CustomResourceDefinition")}
    defaults = wiring.find("ConfigMap", "knative-eventing", "default-ch-webhook")
    assert defaults is not None, "Eventing's webhook does not start without it"
    given = yaml.safe_load(defaults["data"]["default-ch-config"])
    named = [given["clusterDefault"]["kind"]] if "clusterDefault" in given else []
    named += [default["kind"] for default in given.get("namespaceDefaults", {}).values()]
    for o in wiring.of("ConfigMap"):
        if "channel-template-spec" in o.get("data", {}):
            named.append(yaml.safe_load(o["data"]["channel-template-spec"])["kind"])
    (broker,) = wiring.of("Broker")
    assert bool(named) == ("config" in broker.get("spec", {})), "only Brokers over channels make any"
    assert set(named) <= kinds


def test_seldon_finds_its_gateway_and_the_broker(wiring: Wiring) -> None:
    manager = wiring.find("Deployment", "seldon-system", "seldon-controller-manager")
    assert manager is not None
    given = {e["name"]: e.get("value") for c in fixes.containers([manager]) for e in c.get("env") or []}
    namespace, name = given["ISTIO_GATEWAY"].split("/")
    assert wiring.find("Gateway", namespace, name) is not None
    assert given["EXECUTOR_REQUEST_LOGGER_DEFAULT_ENDPOINT"] == wiring.recording.outputs["services"]["broker"]["url"]


def test_flux_applies_with_an_account_that_may(wiring: Wiring) -> None:
    assert {o["metadata"]["name"] for o in wiring.of("Kustomization")} == {"staging", "production"}
    for o in wiring.of("Kustomization"):
        source, space = o["spec"]["sourceRef"], o["metadata"]["namespace"]
        account = o["spec"]["serviceAccountName"]
        bound = [
            b["roleRef"]["name"]
            for b in wiring.of("ClusterRoleBinding")
            if any((s["name"], s.get("namespace")) == (account, space) for s in b["subjects"])
        ]
        assert wiring.find(source["kind"], space, source["name"]) is not None
        assert wiring.find("ServiceAccount", space, account) is not None
        assert "cluster-admin" in bound, "a release holds any kind of object"


def test_argo_events_is_given_what_its_controller_refuses_to_start_without(wiring: Wiring) -> None:
    settings = wiring.find("ConfigMap", "argo-events", "argo-events-controller-manager")
    assert settings is not None
    buses = yaml.safe_load(settings["data"]["controller-config.yaml"])["eventBus"]
    assert buses["nats"]["versions"]
    assert buses["jetstream"]["versions"]


def test_every_monitor_reaches_pods_through_the_flows(wiring: Wiring) -> None:
    elsewhere = {"kps-apiserver", "kps-kubelet"}
    monitors = [o for o in wiring.of("ServiceMonitor", "PodMonitor") if o["metadata"]["name"] not in elsewhere]
    assert len(monitors) > 8
    for o in monitors:
        targets = wiring.scraped(o)
        assert targets, f"{o['kind']} {o['metadata']['name']} selects nothing"
        blocked = {(space, port) for space, port in targets if not admitted("monitoring", space, port)}
        assert blocked - {("node-exporter", 9100)} == set(), f"{o['metadata']['name']}: no flow admits {blocked}"


def test_the_api_server_reaches_every_webhook_through_the_flows(wiring: Wiring) -> None:
    hooks = [
        h for o in wiring.of("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration") for h in o["webhooks"]
    ]
    assert len(hooks) > 8
    for hook in hooks:
        to = hook["clientConfig"]["service"]
        service = wiring.services[to["namespace"], to["name"]]
        port = next(p for p in service["spec"]["ports"] if p["port"] == to.get("port", PORTS["https"]))
        targets = wiring.targets(service, port)
        assert targets
        assert all(admitted("anywhere", to["namespace"], target) for target in targets), hook["name"]
