"""What the profiles ask of a cluster, held to the budgets of the design."""

from __future__ import annotations

from typing import Any

import pytest
from program_world import recorded

from components import footprint
from components.footprint import Size
from components.namespaces import quotas
from stacks.footprint import manifests
from stacks.recording import Recording

GIB = 2**30


def test_the_laptop_profile_fits_one_core_and_three_gibibytes() -> None:
    sums = footprint.by_namespace(manifests(recorded("sim")))
    total = footprint.total(sums)
    assert total.pods >= 20, "everything is on"
    assert total.cpu <= 1.0
    assert total.memory <= 3 * GIB


def test_twice_the_requests_fit_each_namespaces_quota(recording: Recording) -> None:
    profile = recording.outputs["profile"]
    table = quotas(profile)
    tight = []
    for namespace, size in footprint.by_namespace(manifests(recording)).items():
        quota = table[namespace]
        if (
            size.cpu * 2 > footprint.cores(quota["cpu"])
            or size.memory * 2 > footprint.size(quota["memory"])
            or size.memory_limit * 2 > footprint.size(quota["memoryLimit"])
            or size.pods * 2 > quota["pods"]
        ):
            tight.append(f"{namespace}: {size} against {quota}")
    assert tight == []


def test_prod_replicates_and_guards_what_it_replicates() -> None:
    objects = list(manifests(recorded("prod")))
    nats = next(o for o in objects if o["kind"] == "StatefulSet" and o["metadata"]["name"] == "nats")
    assert nats["spec"]["replicas"] == 3
    budgets = [o for o in objects if o["kind"] == "PodDisruptionBudget"]
    guarded = {o["metadata"]["namespace"] for o in budgets}
    expected = {"istio-system", "nats-io", "knative-eventing", "monitoring", "argo", "argo-events", "flux-system"}
    assert expected <= guarded


POD: dict[str, Any] = {
    "containers": [
        {"resources": {"requests": {"cpu": "250m", "memory": "64Mi"}, "limits": {"memory": "1Gi"}}},
        {"resources": {"requests": {"cpu": "1", "memory": "1Gi"}}},
    ],
    "initContainers": [{"resources": {"requests": {"cpu": "2", "memory": "1Mi"}}}],
}


def test_init_containers_count_where_they_ask_for_more() -> None:
    workload = {
        "kind": "Deployment",
        "metadata": {"namespace": "n", "name": "w"},
        "spec": {"replicas": 3, "template": {"spec": POD}},
    }
    assert footprint.by_namespace([workload]) == {"n": Size(6.0, 3 * (GIB + 64 * 2**20), 3 * GIB, 3)}


def test_autoscaled_workloads_count_at_their_least() -> None:
    workload = {
        "kind": "Deployment",
        "metadata": {"namespace": "n", "name": "w"},
        "spec": {"template": {"spec": POD}},
    }
    scaler = {
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"namespace": "n", "name": "w"},
        "spec": {"minReplicas": 2, "scaleTargetRef": {"name": "w"}},
    }
    assert footprint.by_namespace([workload, scaler])["n"].pods == 2


@pytest.mark.parametrize(("text", "cores"), [("250m", 0.25), ("2", 2.0), (1, 1.0), ("0.5", 0.5)])
def test_cpu_quantities(text: str, cores: float) -> None:
    assert footprint.cores(text) == cores


@pytest.mark.parametrize(("text", "size"), [("64Mi", 64 * 2**20), ("1Gi", GIB), (1024, 1024.0), ("2Ki", 2048.0)])
def test_memory_quantities(text: str, size: float) -> None:
    assert footprint.size(text) == size
