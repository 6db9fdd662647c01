"""What holds for every component and every object, whatever the layer."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from program_wiring import SHAPES, wired
from program_world import crds
from test_schemas import faults, schemas

from components import fixes
from components.guard import WAYS
from components.upstream import OSI, Lock, lock
from simulator.kinds import BY_CRD, Kind
from simulator.standins import REMEDY
from stacks.footprint import manifests
from stacks.recording import Recording, Registered

SECRETS_WITHOUT_DATA = {"eventing-webhook-certs", "job-sink-server-tls", "nats-webhook-certs"}
"""Their controllers fill them."""


def objects(recording: Recording) -> list[dict[str, Any]]:
    return list(manifests(recording))


def name(o: dict[str, Any]) -> str:
    return f"{o['kind']} {o['metadata'].get('namespace', '-')}/{o['metadata']['name']}"


def test_every_component_type_is_a_three_part_noun(recording: Recording) -> None:
    components = [r.type for r in recording.resources if r.type.startswith("aiga:")]
    assert components
    assert all(re.fullmatch(r"aiga:platform:[A-Z][A-Za-z]+", t) for t in components)
    assert len(components) == len(set(components)), "each layer is there once"


def test_every_resource_but_the_provider_has_a_component_above_it(recording: Recording) -> None:
    orphans = [
        r.name
        for r in recording.resources
        if not r.parent.split("::")[2:3] or "aiga:platform" not in r.parent
        if r.type not in ("pulumi:pulumi:Stack", "pulumi:providers:kubernetes", "aiga:platform:Platform")
    ]
    assert orphans == []


def test_every_object_carries_the_labels_of_the_stack(recording: Recording) -> None:
    bare = [
        name(o)
        for o in objects(recording)
        if not {"aiga.dev/stack", "app.kubernetes.io/part-of"} <= set(o["metadata"].get("labels", {}))
    ]
    assert bare == []


def test_every_namespaced_object_says_its_namespace(recording: Recording) -> None:
    from components.chart import CLUSTER_SCOPED

    spaceless = [
        name(o) for o in objects(recording) if o["kind"] not in CLUSTER_SCOPED and not o["metadata"].get("namespace")
    ]
    assert spaceless == []


def test_no_object_lies_in_a_namespace_that_is_not_the_platforms(recording: Recording) -> None:
    own = {o["metadata"]["name"] for o in objects(recording) if o["kind"] == "Namespace"}
    elsewhere = {name(o) for o in objects(recording) if o["metadata"].get("namespace", next(iter(own))) not in own}
    assert elsewhere == set(), "kube-system is left alone"


def test_every_container_states_requests_and_a_memory_limit(recording: Recording) -> None:
    lacking = [
        f"{name(w)}: {c['name']}"
        for w in fixes.workloads(objects(recording))
        for c in fixes.containers([w])
        if not {"cpu", "memory"} <= set(c.get("resources", {}).get("requests", {}))
        or "memory" not in c.get("resources", {}).get("limits", {})
    ]
    assert lacking == []


def test_every_pod_has_a_restricted_security_context(recording: Recording) -> None:
    violations = []
    for workload in fixes.workloads(objects(recording)):
        if workload["metadata"]["namespace"] == "node-exporter":
            continue
        pod = fixes.pod_spec(workload).get("securityContext") or {}
        for container in fixes.containers([workload]):
            own = container.get("securityContext") or {}
            if (
                own.get("allowPrivilegeEscalation") is not False
                or own.get("capabilities", {}).get("drop") != ["ALL"]
                or not (own.get("runAsNonRoot") or pod.get("runAsNonRoot"))
                or not (own.get("seccompProfile") or pod.get("seccompProfile"))
            ):
                violations.append(f"{name(workload)}: {container['name']}: {own} {pod}")
    assert violations == []


TOKENLESS = ("nats", "rustfs", "minio")


def test_pods_that_never_speak_to_the_api_server_get_no_token(recording: Recording) -> None:
    found = [w for w in fixes.workloads(objects(recording)) if w["metadata"]["name"] in TOKENLESS or w["kind"] == "Job"]
    assert found
    assert [name(w) for w in found if fixes.pod_spec(w).get("automountServiceAccountToken") is not False] == []


def test_secret_values_are_secret(recording: Recording) -> None:
    secrets = [r for r in recording.resources if r.type == "kubernetes:core/v1:Secret"]
    assert len(secrets) > 8
    plain = [
        r.name
        for r in secrets
        if r.inputs["metadata"]["name"] not in SECRETS_WITHOUT_DATA
        and not r.secrets & {"stringData", "data"}
        and (r.inputs.get("stringData") or r.inputs.get("data"))
    ]
    assert plain == []


def test_no_secret_goes_into_the_bulk(recording: Recording) -> None:
    bulk = [r.inputs["objects"] for r in recording.resources if r.type.endswith("aiga:Objects")]
    kinds = {key.split("/")[0] for keys in bulk for key in keys}
    assert kinds
    assert "Secret" not in kinds


def test_outputs_say_where_credentials_are_and_never_what_they_are(recording: Recording) -> None:
    services = recording.outputs["services"]
    assert {"grafana", "argo", "webhook", "broker", "objectStore", "models"} <= set(services)
    assert all(set(row) == {"url", "namespace", "credential"} for row in services.values())
    assert services["grafana"]["credential"] == "monitoring/grafana-admin: admin-password"
    assert all("generated" not in str(row) for row in services.values())


def test_what_is_protected_waits_for_the_guard(recording: Recording) -> None:
    """Otherwise an `up` that the guard refuses would still have protected it, and the next `down` would be refused."""
    by_urn = {r.urn: r for r in recording.resources}
    guard = next(r.urn for r in recording.resources if r.name == "guard")

    def waits(resource: Registered, seen: set[str]) -> bool:
        above = [urn for urn in (*resource.depends_on, resource.parent) if urn in by_urn and urn not in seen]
        seen.update(above)
        return guard in resource.depends_on or any(waits(by_urn[urn], seen) for urn in above)

    assert [r.name for r in recording.resources if r.protect and not waits(r, set())] == []


def test_only_prod_protects_what_cannot_be_rebuilt(recording: Recording) -> None:
    protected = {r.name for r in recording.resources if r.protect}
    if recording.outputs["profile"] == "prod":
        assert {"monitoring-kinds-crds", "istio-crds", "sealed-secrets-key-1"} <= protected
        assert {r.name for r in recording.resources if r.name.endswith("-crds")} <= protected
    else:
        assert protected == set()


PROTECTED_STORES = {
    "minio": {"StatefulSet storage/minio"},
    "rustfs": {"StatefulSet storage/rustfs"},
    "seaweedfs": {f"StatefulSet storage/seaweedfs-{part}" for part in ("filer", "master", "volume")},
}
PROTECTED_ALWAYS = {
    "StatefulSet nats-io/nats",
    "Prometheus monitoring",
    "Alertmanager monitoring",
    *(f"Namespace -/{space}" for space in ("monitoring", "nats-io", "storage")),
}


@pytest.mark.parametrize("shape", [s for s in SHAPES if s[0] == "prod"], ids="-".join)
def test_in_prod_nothing_that_holds_data_can_be_deleted(shape: tuple[str, str, str, str]) -> None:
    resources = wired(*shape).recording.resources
    protected = {name(r.inputs) for r in resources if r.protect and r.type.startswith("kubernetes:")}
    protected = {re.sub(r"(?<=monitoring)/kps.*", "", each) for each in protected}  # the chart names them, not we
    assert protected == PROTECTED_ALWAYS | PROTECTED_STORES[shape[1]]


def test_every_object_is_tried_again_on_errors_of_the_api_server(recording: Recording) -> None:
    made = [r for r in recording.resources if r.type.startswith("kubernetes:")]
    assert len(made) > 200
    assert {r.name: r.on_error for r in made if r.on_error != ("retry-api-server-errors",)} == {}


def test_services_are_not_waited_for(recording: Recording) -> None:
    services = [o for o in objects(recording) if o["kind"] == "Service"]
    waited = [
        name(o)
        for o in services
        if o["spec"].get("type") != "LoadBalancer"
        and o["metadata"].get("annotations", {}).get("pulumi.com/skipAwait") != "true"
    ]
    assert services
    assert waited == []


NOT_AWAITED = {"Kustomization"}
"""Before the first release there is nothing that it could apply."""


def test_every_custom_resource_that_a_controller_judges_is_waited_for(recording: Recording) -> None:
    """By the condition that sums the others up: which it is, the simulator's table of kinds says as well."""
    judged = {
        name(o): (o["metadata"].get("annotations", {}).get("pulumi.com/waitFor"), kind.conditions[-1])
        for o in objects(recording)
        if o["kind"] not in NOT_AWAITED and (kind := _simulated(o))
    }
    found = {each.split()[0] for each in judged}
    assert found >= {"Broker", "EventBus", "EventSource", "Prometheus", "Alertmanager"}
    assert found & {"Bucket", "GitRepository"}, "Flux's source"
    assert {each: asked for each, (asked, last) in judged.items() if asked != f"condition={last}"} == {}


def _simulated(o: dict[str, Any]) -> Kind | None:
    kind, group = o["kind"].lower(), o["apiVersion"].rpartition("/")[0]
    plurals = (kind, f"{kind}s", f"{kind}es", f"{kind[:-1]}ies")
    return next((BY_CRD[f"{plural}.{group}"] for plural in plurals if f"{plural}.{group}" in BY_CRD), None)


def test_a_gate_waits_for_every_webhook_that_is_filled_at_run_time_and_asks_each_server(recording: Recording) -> None:
    gates = {r.inputs["layer"]: r.inputs for r in recording.resources if r.type.endswith("aiga:Gate")}
    assert set(gates) == {"istio", "knative", "seldon"}
    waited = {(b["configuration"], *b["fields"]) for b in json.loads(gates["knative"]["filled"])}
    assert waited == {
        ("config.webhook.eventing.knative.dev", "rules", "caBundle"),
        ("webhook.eventing.knative.dev", "rules", "caBundle"),
        ("validation.webhook.eventing.knative.dev", "rules", "caBundle"),
        ("sinkbindings.webhook.sources.knative.dev", "caBundle"),
        ("defaulting.webhook.nats.messaging.knative.dev", "rules", "caBundle"),
        ("validation.webhook.nats.messaging.knative.dev", "rules", "caBundle"),
    }
    assert [p["kind"] for p in json.loads(gates["knative"]["probes"])] == ["Broker", "NatsJetStreamChannel"]


@pytest.mark.skipif(crds() is None, reason=REMEDY)
def test_probes_are_what_a_webhook_takes(recording: Recording) -> None:
    gates = [r.inputs for r in recording.resources if r.type.endswith("aiga:Gate")]
    probes = [p for g in gates for p in json.loads(g["probes"])]
    custom = [p for p in probes if (p["apiVersion"], p["kind"]) in schemas()]
    assert {p["kind"] for p in custom} == {"Broker", "Gateway", "NatsJetStreamChannel", "SeldonDeployment"}
    assert [fault for p in custom for fault in faults(p)] == []


def test_what_cannot_change_in_place_is_kept_by_the_guard(recording: Recording) -> None:
    (shapes,) = (r.inputs["shapes"] for r in recording.resources if r.type.endswith("aiga:Guard"))
    assert set(shapes) == set(WAYS)
    assert shapes["knative"] == "the channel Broker"


@pytest.fixture(scope="module")
def locked() -> Lock:
    return lock()


def test_every_entry_is_pinned(locked: Lock) -> None:
    loose = re.compile(r"latest|stable|\*|^$|[~^<>]")
    entries = [*locked.charts.values(), *locked.manifests.values()]
    assert [e.name for e in entries if loose.search(e.version)] == []
    assert [s for e in entries for s in e.sources if not s.startswith("https://")] == []
    assert [i.name for i in locked.images.values() if loose.search(i.ref.rpartition(":")[2]) or ":" not in i.ref] == []


def test_every_entry_is_open_source_or_must_be_acknowledged(locked: Lock) -> None:
    entries = [*locked.charts.values(), *locked.manifests.values()]
    assert [e.name for e in entries if e.licence not in OSI] == []
    assert [i.name for i in locked.images.values() if i.licence not in OSI and not i.acknowledge] == []
    assert [i.name for i in locked.images.values() if i.acknowledge] == ["triton"]


def test_no_placeholder_of_a_source_tree_reaches_an_object(recording: Recording) -> None:
    text = str(objects(recording))
    assert "ko://" not in text
    assert "registry.istio.io/testing" not in text
    assert "{{ version }}" not in text
