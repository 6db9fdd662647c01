"""What the profiles ask of a cluster, held to the budgets of the design."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, get_args

import pytest
from program_wiring import SHAPES, wired
from program_world import ROOT, configuration, offline, recorded

from components import footprint
from components.context import Profile
from components.footprint import Size
from components.namespaces import quotas
from components.object_store import Driver
from stacks.footprint import manifests, sums
from stacks.recording import Recording

GIB = 2**30


BUDGETS = {"laptop": (1.0, 3), "team": (2.0, 5), "prod": (10.0, 20)}
"""Cores and GiB: the laptop's is a promise to users, the others keep what the README says from growing unseen."""


def test_the_laptop_profile_fits_one_core_and_three_gibibytes() -> None:
    within_budget("laptop", manifests(recorded("sim")))


@pytest.mark.parametrize("shape", SHAPES, ids="-".join)
def test_every_profile_keeps_its_budget_with_every_store_and_broker(shape: tuple[str, str, str, str]) -> None:
    within_budget(shape[0], wired(*shape).objects)


def test_every_profile_is_weighed_with_every_store_and_broker() -> None:
    profiles, drivers, brokers = ({shape[i] for shape in SHAPES} for i in range(3))
    assert (profiles, drivers, brokers) == (
        set(get_args(Profile)),
        set(get_args(Driver)) - {"s3"},  # somebody else's, and so without a pod
        {"channel", "native"},
    )
    for one, other in ((0, 1), (0, 2), (1, 2)):
        pairs = {(shape[one], shape[other]) for shape in SHAPES}
        assert len(pairs) == len({shape[one] for shape in SHAPES}) * len({shape[other] for shape in SHAPES})


def within_budget(profile: str, objects: Iterable[dict[str, Any]]) -> None:
    total = footprint.total(footprint.by_namespace(objects))
    cores, memory = BUDGETS[profile]
    assert total.pods >= 20, "everything is on"
    assert total.cpu <= cores
    assert total.memory <= memory * GIB


def test_twice_the_requests_fit_each_namespaces_quota(recording: Recording) -> None:
    fits_the_quotas(recording.outputs["profile"], manifests(recording))


@pytest.mark.parametrize("shape", SHAPES, ids="-".join)
def test_twice_the_requests_fit_the_quotas_with_every_store_and_broker(shape: tuple[str, str, str, str]) -> None:
    fits_the_quotas(shape[0], wired(*shape).objects)


def fits_the_quotas(profile: str, objects: Iterable[dict[str, Any]]) -> None:
    table = quotas(profile)
    tight = []
    for namespace, size in footprint.by_namespace(objects).items():
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


def test_the_readme_says_what_the_program_asks() -> None:
    text = " ".join((ROOT / "README.md").read_text().split())
    said = dict(re.findall(r"`(laptop|team|prod)` ([\d.]+ CPU and [\d.]+ GiB)", text))
    assert set(said) == set(get_args(Profile))
    offline()
    for profile in get_args(Profile):
        assert_rounded(said[profile], footprint.total(sums(profile)), profile)
    committed = re.search(r"`Pulumi\.prod\.yaml`, with SeaweedFS, asks for ([\d.]+ CPU and [\d.]+ GiB)", text)
    assert committed
    assert_rounded(committed[1], footprint.total(footprint.by_namespace(manifests(recorded("prod")))), "the prod stack")
    assert json.loads(configuration("prod")["aiga:objectStore"])["driver"] == "seaweedfs"


def assert_rounded(said: str, asked: Size, whose: str) -> None:
    """Whether a figure is the sum, rounded to as many digits as it shows."""
    for text, exact in zip(re.findall(r"[\d.]+", said), (asked.cpu, asked.memory / GIB), strict=True):
        half = 0.5 * 10 ** -len(text.partition(".")[2])
        assert abs(float(text) - exact) <= half + 1e-9, f"{whose} asks for {exact:.3f}, README says {text}"
