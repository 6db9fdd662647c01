"""What counts as ready, kind by kind."""

from __future__ import annotations

import re
from typing import Any

import pytest

from kube.readiness import at, awaited, failed, pending


def live(kind: str, status: dict[str, Any] | None = None, spec: dict[str, Any] | None = None, **metadata: Any) -> dict:
    versions = {"Deployment": "apps/v1", "StatefulSet": "apps/v1", "DaemonSet": "apps/v1", "Job": "batch/v1"}
    versions |= {"CustomResourceDefinition": "apiextensions.k8s.io/v1", "APIService": "apiregistration.k8s.io/v1"}
    api_version = versions.get(kind, "v1")
    obj = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "a", **metadata}, "spec": spec or {}}
    return obj | {"status": status} if status is not None else obj


def condition(name: str, status: str = "True", message: str = "why") -> dict[str, str]:
    return {"type": name, "status": status, "message": message}


GOOD = {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, "readyReplicas": 2}
SET = GOOD | {"currentRevision": "b", "updateRevision": "b"}
DAEMON = {"observedGeneration": 2, "desiredNumberScheduled": 1, "updatedNumberScheduled": 1, "numberAvailable": 1}

READY = [
    live("Deployment", GOOD, {"replicas": 2}, generation=2),
    live("Deployment", {"observedGeneration": 2}, {"replicas": 0}, generation=2),
    live("StatefulSet", SET, {"replicas": 2}, generation=2),
    live("StatefulSet", SET | {"updatedReplicas": 0}, {"replicas": 2, "updateStrategy": {"type": "OnDelete"}}),
    live(
        "StatefulSet",
        SET | {"updatedReplicas": 1, "currentRevision": "a"},
        {"replicas": 2, "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}},
    ),
    live("DaemonSet", DAEMON, generation=2),
    live("DaemonSet", {"observedGeneration": 1}, generation=1),
    live("Job", {"conditions": [condition("Complete")]}),
    live("Job", {}, {"suspend": True}),
    live("CustomResourceDefinition", {"conditions": [condition("NamesAccepted"), condition("Established")]}),
    live("APIService", {"conditions": [condition("Available")]}),
    live("PersistentVolumeClaim", {"phase": "Bound"}),
    live("Service", {}, {"type": "ClusterIP"}),
    live("Service", {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}}, {"type": "LoadBalancer"}),
    live("Pod", {"phase": "Running", "conditions": [condition("Ready")]}),
    live("Pod", {"phase": "Succeeded"}),
    live("Namespace", {"phase": "Active"}),
    live("ConfigMap"),
    live("Deployment", {}, annotations={"pulumi.com/skipAwait": "true"}),
]

PENDING = [
    (live("Deployment", GOOD, {"replicas": 2}, generation=3), "has not looked at it yet"),
    (live("Deployment", GOOD | {"updatedReplicas": 1}, {"replicas": 2}), "1 of 2 replicas are updated"),
    (live("Deployment", GOOD | {"replicas": 3}, {"replicas": 2}), "1 old replicas are still there"),
    (
        live(
            "Deployment",
            GOOD | {"availableReplicas": 0, "conditions": [condition("Available", "False", "no quota")]},
            {"replicas": 2},
        ),
        r"0 of 2 replicas are available \(no quota\)",
    ),
    (live("StatefulSet", SET | {"readyReplicas": 1}, {"replicas": 2}), "1 of 2 replicas are ready"),
    (live("StatefulSet", SET | {"updatedReplicas": 1, "currentRevision": "a"}, {"replicas": 2}), "1 of 2 .* updated"),
    (live("DaemonSet", DAEMON | {"numberAvailable": 0}, generation=2), "0 of 1 replicas are available"),
    (live("Job", {}), "has not completed"),
    (live("Job", {"conditions": [condition("Failed")]}), "Failed is True: why"),
    (live("CustomResourceDefinition", {}), "not NamesAccepted and not Established"),
    (live("CustomResourceDefinition", {"conditions": [condition("NamesAccepted", "False", "taken")]}), "taken"),
    (live("APIService", {}), "not Available"),
    (live("PersistentVolumeClaim", {}), "the volume claim is Pending"),
    (live("Service", {}, {"type": "LoadBalancer"}), "no load balancer has given it an address"),
    (live("Pod", {"phase": "Pending", "conditions": [condition("PodScheduled", "False", "no node")]}), "no node"),
    (live("Namespace", {"phase": "Terminating"}), "the namespace is Terminating"),
]


@pytest.mark.parametrize("obj", READY)
def test_ready(obj: dict[str, Any]) -> None:
    assert pending(obj) is None


@pytest.mark.parametrize(("obj", "reason"), PENDING)
def test_not_ready_says_why(obj: dict[str, Any], reason: str) -> None:
    found = pending(obj)
    assert found is not None
    assert re.search(reason, found), found


def test_a_failed_job_and_a_crd_whose_names_are_taken_are_not_waited_for() -> None:
    assert failed(live("Job", {"conditions": [condition("Failed", message="BackoffLimitExceeded")]}))
    assert failed(live("CustomResourceDefinition", {"conditions": [condition("NamesAccepted", "False")]}))
    assert failed(live("Job", {})) is None
    assert failed(live("Deployment", {})) is None


def test_only_kinds_with_a_rule_are_awaited() -> None:
    assert awaited("apps/v1", "Deployment")
    assert not awaited("v1", "ConfigMap")
    assert not awaited("serving.knative.dev/v1", "Service")


WAIT = "pulumi.com/waitFor"
BROKER = {
    "apiVersion": "eventing.knative.dev/v1",
    "kind": "Broker",
    "status": {
        "phase": "Running",
        "replicas": 3,
        "conditions": [condition("Ready"), condition("Synced", "False", "slow")],
    },
}


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("condition=Ready", None),
        ("condition=ready", None),
        ("condition=Synced", "condition Synced is False: slow"),
        ("condition=Synced=False", None),
        ("condition=Other", "condition Other is not there"),
        ("jsonpath={.status.phase}", None),
        ("jsonpath={.status.phase}=Running", None),
        ("jsonpath={.status.replicas}=3", None),
        ("jsonpath={.status.phase}=Failed", ".status.phase is Running, not Failed"),
        ("jsonpath={.status.url}", ".status.url is not there"),
        ('["condition=Ready", "jsonpath={.status.url}"]', ".status.url is not there"),
        ('["condition=Ready", "jsonpath={.status.phase}=Running"]', None),
    ],
)
def test_the_wait_for_annotation_decides_for_custom_resources(rule: str, reason: str | None) -> None:
    assert pending(BROKER | {"metadata": {"name": "default", "annotations": {WAIT: rule}}}) == reason


def test_a_wait_for_annotation_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(ValueError, match="neither condition"):
        pending(BROKER | {"metadata": {"annotations": {WAIT: "Ready"}}})


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".a.b", [1]),
        ("a.b", [1]),
        (".c[0].d", [2]),
        (".c[*].d", [2, 3]),
        (".c[-1].d", [3]),
        (".c[9].d", []),
        ("['x.y/z']", [4]),
        (r".x\.y/z", [4]),
        ('.c[?(@.name=="two")].d', [3]),
        (".a.none.b", []),
    ],
)
def test_json_paths(path: str, found: list[int]) -> None:
    obj = {"a": {"b": 1}, "c": [{"name": "one", "d": 2}, {"name": "two", "d": 3}], "x.y/z": 4}
    assert at(obj, path) == found
