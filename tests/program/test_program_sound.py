"""What a cluster would refuse, never run or never let go, in every shape of the platform."""

from __future__ import annotations

import re

import pytest
import yaml
from program_wiring import CLASS, SHAPES, Wiring, wired
from program_world import crds
from test_schemas import faults

from components import fixes
from simulator.standins import REMEDY

IMAGE = re.compile(
    r"(auto|[\w.-]+(:\d+)?(/[\w.-]+)*(:[\w][\w.-]*)(@sha256:[0-9a-f]{64})?|[\w./-]+@sha256:[0-9a-f]{64})"
)
"""A reference with a tag or a digest; `auto` is filled in by Istio's injector."""


@pytest.fixture(scope="module", params=SHAPES, ids="-".join)
def wiring(request: pytest.FixtureRequest) -> Wiring:
    return wired(*request.param)


def test_the_flows_are_the_only_network_policies(wiring: Wiring) -> None:
    names = {(o["metadata"]["namespace"], o["metadata"]["name"]) for o in wiring.of("NetworkPolicy")}
    spaces = {o["metadata"]["name"] for o in wiring.of("Namespace")}
    assert names == {(space, name) for space in spaces for name in ("default-deny", "flows")}, (
        "each opens more, none less"
    )


def test_every_volume_is_of_the_configured_class(wiring: Wiring) -> None:
    claims = [(o["metadata"]["name"], o["spec"]) for o in wiring.of("PersistentVolumeClaim")]
    for o in wiring.of("StatefulSet"):
        claims += [(o["metadata"]["name"], t["spec"]) for t in o["spec"].get("volumeClaimTemplates") or []]
    for o in wiring.of("Prometheus", "Alertmanager"):
        if "storage" in o["spec"]:
            claims.append((o["kind"], o["spec"]["storage"]["volumeClaimTemplate"]["spec"]))
    assert len(claims) >= 3
    assert [name for name, spec in claims if spec.get("storageClassName") != CLASS] == []
    assert [name for name, spec in claims if not spec["resources"]["requests"]["storage"]] == []


def test_every_image_can_be_pulled_and_is_pinned(wiring: Wiring) -> None:
    images = {c["image"] for c in fixes.containers(fixes.workloads(wiring.objects))}
    told = {
        e["value"]
        for c in fixes.containers(wiring.objects)
        for e in c.get("env") or []
        if e["name"].endswith("_IMAGE") and e.get("value")
    }
    assert told
    assert [i for i in images | told if not IMAGE.fullmatch(i) or i.endswith(":latest")] == []


def test_a_node_can_be_drained(wiring: Wiring) -> None:
    scalers = {
        o["spec"]["scaleTargetRef"]["name"]: o["spec"]["minReplicas"] for o in wiring.of("HorizontalPodAutoscaler")
    }
    for o in wiring.of("PodDisruptionBudget"):
        spec = o["spec"]
        named = [w for w in fixes.workloads(wiring.objects) if w["metadata"]["namespace"] == o["metadata"]["namespace"]]
        guarded = [w for w in named if fixes.pod_labels(w).items() >= spec["selector"]["matchLabels"].items()]
        pods = sum(w["spec"].get("replicas") or scalers.get(w["metadata"]["name"], 1) for w in guarded)
        if guarded:
            assert spec.get("maxUnavailable", 0) >= 1 or pods > spec["minAvailable"], o["metadata"]["name"]


def test_every_replicated_workload_has_one_budget_and_is_spread(wiring: Wiring) -> None:
    budgets = wiring.of("PodDisruptionBudget")
    for w in fixes.replicated(wiring.objects):
        namespace, labels, spec = w["metadata"]["namespace"], fixes.pod_labels(w), fixes.pod_spec(w)
        own = [
            b
            for b in budgets
            if b["metadata"]["namespace"] == namespace
            and b["spec"]["selector"]["matchLabels"].items() <= labels.items()
        ]
        assert len(own) == 1, f"{w['metadata']['name']}: a pod under two budgets can never be evicted"
        assert spec.get("topologySpreadConstraints") or spec.get("affinity"), w["metadata"]["name"]


def test_no_object_is_there_twice_and_aggregated_roles_hold_no_rules(wiring: Wiring) -> None:
    ids = [
        (o["apiVersion"].rpartition("/")[0], o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"])
        for o in wiring.objects
    ]
    assert sorted({i for i in ids if ids.count(i) > 1}) == []
    aggregated = [o for o in wiring.of("ClusterRole") if "aggregationRule" in o]
    assert len(aggregated) >= 5
    assert [o["metadata"]["name"] for o in aggregated if "rules" in o] == []


@pytest.mark.skipif(crds() is None, reason=REMEDY)
def test_the_channels_that_brokers_make_fit_their_schema() -> None:
    found = wired(*SHAPES[0]).of("ConfigMap")
    templates = [o["data"]["channel-template-spec"] for o in found if "channel-template-spec" in o.get("data", {})]
    assert templates
    for template in map(yaml.safe_load, templates):
        assert faults({**template, "metadata": {"name": "template"}}) == []
