"""Webhooks are answered when they would be in a real cluster, and only then."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sim_samples import blank_webhook, config_map, deployment, service, webhook

import simulator
from components.gate import blanks, pass_through
from kube.cluster import Cluster
from kube.errors import KubeError, WebhookDown
from kube.refs import Ref
from simulator import Running, faults
from simulator.authority import Authority
from simulator.testing import eventually

CONFIGURATION = "admissionregistration.k8s.io/v1"
HOOK = "guard"


def bundles(cluster: Cluster, name: str) -> list[str]:
    live = cluster.get(Ref(CONFIGURATION, "ValidatingWebhookConfiguration", None, name))
    return [each["clientConfig"].get("caBundle", "") for each in (live or {}).get("webhooks", [])]


def ask(cluster: Cluster, namespace: str) -> None:
    cluster.create(config_map(namespace, "asked", ask=HOOK), manager="test", dry_run=True)


def refusal(cluster: Cluster, namespace: str) -> str:
    """Why the webhook could not be asked; nothing when it was."""
    try:
        ask(cluster, namespace)
    except WebhookDown as error:
        return str(error)
    return ""


def agrees(cluster: Cluster, namespace: str) -> bool:
    return not refusal(cluster, namespace)


@pytest.fixture
def register(cluster: Cluster, namespace: str) -> Iterator[Any]:
    """Apply a webhook, and take it away at the end, else it would refuse for ever."""

    def apply(**options: Any) -> str:
        body = webhook(namespace, HOOK, **options)
        cluster.apply(body, manager="chart")
        return str(body["metadata"]["name"])

    yield apply
    cluster.delete(Ref(CONFIGURATION, "ValidatingWebhookConfiguration", None, f"{namespace}-{HOOK}"))


def pods(cluster: Cluster, namespace: str) -> None:
    cluster.create(service(namespace, HOOK), manager="test")
    ref = Ref.of(cluster.create(deployment(namespace, HOOK), manager="test"))
    cluster.wait_ready([ref], timeout=20)


def test_refused_until_a_pod_is_ready_then_allowed(
    sim: Running, cluster: Cluster, namespace: str, register: Any
) -> None:
    name = register()
    eventually(lambda: all(bundles(cluster, name)), "the bundle is filled")
    with pytest.raises(WebhookDown, match="not found"):
        ask(cluster, namespace)
    cluster.create(service(namespace, HOOK), manager="test")
    eventually(lambda: "no ready pod stands behind" in refusal(cluster, namespace), "the API server saw the Service")
    workload = Ref.of(cluster.create(deployment(namespace, HOOK), manager="test"))
    cluster.wait_ready([workload], timeout=20)
    eventually(lambda: agrees(cluster, namespace), "the webhook answers", timeout=5)
    eventually(lambda: f"{HOOK}.{namespace}" in "\n".join(simulator.pretended(sim.home)), "the answer is counted")

    faults.webhooks(sim.home, answering=False)
    try:
        with pytest.raises(WebhookDown, match="switched off"):
            ask(cluster, namespace)
    finally:
        faults.webhooks(sim.home, answering=True)
    ask(cluster, namespace)

    cluster.patch(workload, {"spec": {"replicas": 0}})
    eventually(lambda: not agrees(cluster, namespace), "refused again when the pods are gone")


def test_the_filled_bundle_is_not_fought_over(cluster: Cluster, namespace: str, register: Any) -> None:
    name = register()
    filled = eventually(lambda: bundles(cluster, name)[0] and bundles(cluster, name), "the bundle is filled")
    before = cluster.get(Ref(CONFIGURATION, "ValidatingWebhookConfiguration", None, name))
    register()  # the same apply again, without force
    after = cluster.get(Ref(CONFIGURATION, "ValidatingWebhookConfiguration", None, name))
    assert bundles(cluster, name) == filled
    assert before
    assert after
    assert before["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"]


def test_a_webhook_without_rules_stays_as_it_is(cluster: Cluster, namespace: str, register: Any) -> None:
    name = register(rules=False)
    second = webhook(namespace, "other")
    cluster.apply(second, manager="chart")
    eventually(lambda: all(bundles(cluster, second["metadata"]["name"])), "the one with rules is filled")
    assert bundles(cluster, name) == [""]
    cluster.delete(Ref.of(second))


@pytest.fixture
def blank(cluster: Cluster, namespace: str) -> Iterator[Any]:
    """Apply a webhook as Knative ships it, and take it away at the end."""
    made: list[Ref] = []

    def apply(name: str) -> Ref:
        made.append(Ref.of(cluster.apply(blank_webhook(namespace, HOOK, name), manager="chart")))
        return made[-1]

    yield apply
    for ref in made:
        cluster.delete(ref)


def first(cluster: Cluster, ref: Ref) -> dict[str, Any]:
    live = cluster.get(ref)
    assert live is not None
    webhook: dict[str, Any] = live["webhooks"][0]
    return webhook


def test_knatives_webhooks_get_rules_and_bundle_once_their_pods_are_there(
    cluster: Cluster, namespace: str, register: Any, blank: Any
) -> None:
    name = "validation.webhook.nats.messaging.knative.dev"
    ref = blank(name)
    waited = blanks([blank_webhook(namespace, HOOK, name)])
    other = register()
    eventually(lambda: all(bundles(cluster, other)), "the one that comes with rules is filled")
    assert not first(cluster, ref).get("rules"), "nobody is there yet who would fill it"
    with pytest.raises(KubeError, match="its controller has not filled rules and caBundle"):
        pass_through(cluster, "knative", waited, [], timeout=0.5)

    pods(cluster, namespace)
    pass_through(cluster, "knative", waited, [], timeout=10)
    live = first(cluster, ref)
    (rule,) = live["rules"]
    assert rule["resources"] == ["natsjetstreamchannels", "natsjetstreamchannels/status"]
    assert set(rule["operations"]) == {"CREATE", "UPDATE", "DELETE"}
    assert live["clientConfig"]["service"]["path"] == "/resource-validation"
    before = cluster.get(ref)
    assert before is not None
    again = cluster.apply(blank_webhook(namespace, HOOK, name), manager="chart")
    assert again["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"], "not fought over"


def test_the_webhook_of_sink_bindings_gets_its_bundle_alone(cluster: Cluster, namespace: str, blank: Any) -> None:
    name = "sinkbindings.webhook.sources.knative.dev"
    pods(cluster, namespace)
    ref = blank(name)
    pass_through(cluster, "knative", blanks([blank_webhook(namespace, HOOK, name)]), [], timeout=10)
    assert not first(cluster, ref).get("rules"), "its rules follow from the SinkBindings there are"


def test_a_bundle_of_the_charts_own_is_served_with_its_secret(
    cluster: Cluster, namespace: str, register: Any, tmp_path: Path
) -> None:
    own = Authority(tmp_path / "own.pem")
    given = base64.b64encode(own.bundle).decode()
    name = register(bundle=given)
    pods(cluster, namespace)
    with pytest.raises(KubeError, match="unknown authority"):
        ask(cluster, namespace)
    certificate, key = own.issue(f"{HOOK}.{namespace}.svc")
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": "serving", "namespace": namespace},
        "data": {"tls.crt": base64.b64encode(certificate).decode(), "tls.key": base64.b64encode(key).decode()},
    }
    cluster.create(secret, manager="test")
    eventually(lambda: agrees(cluster, namespace), "the webhook answers with the chart's certificate", timeout=5)
    assert bundles(cluster, name) == [given], "what the chart gave is left alone"


def test_a_conversion_webhook_converts(cluster: Cluster, namespace: str) -> None:
    group = f"{namespace}.example.org"

    def version(name: str, storage: bool) -> dict[str, Any]:
        schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
        return {"name": name, "served": True, "storage": storage, "schema": schema}

    client = {"service": {"namespace": namespace, "name": HOOK, "path": "/convert"}}
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"things.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "things", "singular": "thing", "kind": "Thing"},
            "versions": [version("v1", True), version("v2", False)],
            "conversion": {
                "strategy": "Webhook",
                "webhook": {"conversionReviewVersions": ["v1"], "clientConfig": client},
            },
        },
    }
    ref = Ref.of(cluster.apply(crd, manager="chart"))
    try:
        pods(cluster, namespace)
        cluster.wait_ready([ref], timeout=10)
        thing = {"apiVersion": f"{group}/v2", "kind": "Thing", "metadata": {"name": "one", "namespace": namespace}}

        def made() -> bool:
            try:
                cluster.apply({**thing, "spec": {"size": 1}}, manager="test")
            except KubeError:
                return False
            return True

        eventually(made, "an object of the version that is not stored")
        live = cluster.get(Ref(f"{group}/v1", "Thing", namespace, "one"))
        assert live
        assert live["spec"] == {"size": 1}
        cluster.apply(crd, manager="chart")  # its owner applies it again and meets no conflict
    finally:
        cluster.delete_and_wait([ref], timeout=20)
