"""Pod Security as a real API server enforces it: what the platform declares, and what controllers make at run time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from program_wiring import SHAPES, Wiring, wired

from components import fixes, pod_security
from components.namespaces import Space, manifest, spaces
from kube.cluster import Cluster
from kube.errors import Invalid, KubeError
from kube.refs import Ref
from simulator.testing import eventually, fresh

SELDON = {"app.kubernetes.io/managed-by": "seldon-core", "seldon-app": "digits-main"}
DISPATCHER = {"messaging.knative.dev/channel": "nats-jetstream-channel", "messaging.knative.dev/role": "dispatcher"}
FILTER = {"eventing.knative.dev/broker": "default", "eventing.knative.dev/role": "filter"}
RUNTIME: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "seldon": (
        SELDON,
        {
            "securityContext": {"runAsUser": 8888},
            "initContainers": [{"name": "model-initializer", "image": "i:1"}],
            "containers": [
                {"name": "model", "image": "i:1", "securityContext": {"readOnlyRootFilesystem": True}},
                {
                    "name": "seldon-container-engine",
                    "image": "i:1",
                    "securityContext": {"runAsUser": 8888, "allowPrivilegeEscalation": False},
                },
            ],
        },
    ),
    "dispatcher": (DISPATCHER, {"containers": [{"name": "dispatcher", "image": "i:1"}]}),
    "filter": (FILTER, {"containers": [{"name": "filter", "image": "i:1"}]}),
}
"""Pods as their controllers make them: labels and security contexts read from the controllers' source."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with fresh(nodes=1) as running:
        found = Cluster.connect(str(running.kubeconfig))
        for level in ("restricted", "baseline", "privileged"):
            found.apply(manifest(Space(level, "test", level)), manager="test")
            account = Ref("v1", "ServiceAccount", level, "default")
            eventually(lambda account=account: found.get(account), f"{account}")
        yield found


@pytest.fixture(scope="module")
def guarded(cluster: Cluster) -> Iterator[Cluster]:
    """With the policy of the stack in force."""
    objects = [pod_security.policy(), pod_security.binding()]
    for o in objects:
        cluster.apply(o, manager="test")
    labels, spec = RUNTIME["dispatcher"]
    eventually(lambda: refusal(cluster, "restricted", labels, spec) is None, "the policy is in force")
    yield cluster
    cluster.delete_and_wait([Ref.of(o) for o in objects], timeout=10)


def pod(namespace: str, labels: dict[str, str], spec: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in spec.items() if key not in ("serviceAccountName", "serviceAccount")}
    metadata = {"name": "probe", "namespace": namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": kept}


def refusal(cluster: Cluster, namespace: str, labels: dict[str, str], spec: dict[str, Any]) -> str | None:
    """Why the API server does not take such a pod."""
    try:
        cluster.create(pod(namespace, labels, spec), manager="test", dry_run=True)
    except KubeError as error:
        return str(error)
    return None


@pytest.mark.parametrize("shape", SHAPES, ids="-".join)
def test_every_declared_pod_is_admitted_at_the_level_of_its_namespace(
    cluster: Cluster, shape: tuple[str, str, str, str]
) -> None:
    wiring: Wiring = wired(*shape)
    levels = {
        o["metadata"]["name"]: o["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        for o in wiring.of("Namespace")
    }
    refused = {}
    for workload in fixes.workloads(wiring.objects):
        claims = [t["metadata"]["name"] for t in workload["spec"].get("volumeClaimTemplates") or []]
        spec = {"restartPolicy": "Always", **fixes.pod_spec(workload)}
        spec["volumes"] = [*(spec.get("volumes") or []), *({"name": name, "emptyDir": {}} for name in claims)]
        level = levels[workload["metadata"]["namespace"]]
        reason = refusal(cluster, level, dict(fixes.pod_labels(workload)), spec)
        if reason:
            refused[workload["metadata"]["name"]] = reason
    assert refused == {}


@pytest.mark.parametrize("name", RUNTIME)
def test_without_the_policy_the_pods_of_controllers_need_baseline(cluster: Cluster, name: str) -> None:
    labels, spec = RUNTIME[name]
    refused = refusal(cluster, "restricted", labels, spec)
    assert refused is not None
    assert 'violates PodSecurity "restricted:latest"' in refused
    assert refusal(cluster, "baseline", labels, spec) is None
    below = {s.name: s.level for s in spaces({"knative"}, minor=35, channel_broker=name == "dispatcher")}
    assert below == {"knative-eventing": "baseline"}


@pytest.mark.parametrize("name", RUNTIME)
def test_with_the_policy_they_are_restricted(guarded: Cluster, name: str) -> None:
    labels, spec = RUNTIME[name]
    assert refusal(guarded, "restricted", labels, spec) is None


def test_the_policy_keeps_the_user_and_the_root_filesystem_that_were_chosen(guarded: Cluster) -> None:
    made = guarded.create(pod("restricted", *RUNTIME["seldon"]), manager="test", dry_run=True)["spec"]
    by_name = {c["name"]: c["securityContext"] for c in [*made["initContainers"], *made["containers"]]}
    assert {context["runAsUser"] for context in by_name.values()} == {8888}
    assert made["securityContext"]["runAsUser"] == 8888
    assert by_name["model"]["readOnlyRootFilesystem"] is True
    assert by_name["model-initializer"]["readOnlyRootFilesystem"] is False


def test_a_pod_for_which_nobody_chose_a_user_does_not_run_as_root(guarded: Cluster) -> None:
    made = guarded.create(pod("restricted", *RUNTIME["dispatcher"]), manager="test", dry_run=True)["spec"]
    assert made["containers"][0]["securityContext"]["runAsUser"] == 65532
    assert made["securityContext"]["runAsNonRoot"] is True


def test_the_policy_touches_no_other_pod(guarded: Cluster) -> None:
    spec = {"containers": [{"name": "c", "image": "i:1"}]}
    with pytest.raises(Invalid, match="violates PodSecurity"):
        guarded.create(pod("restricted", {"app": "mine"}, spec), manager="test", dry_run=True)
    made = guarded.create(pod("privileged", {"app": "mine"}, spec), manager="test", dry_run=True)["spec"]
    assert "securityContext" not in made["containers"][0]
