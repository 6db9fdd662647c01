"""Pods that controllers make at run time are in the sum too, from what describes them."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from components import chart, footprint
from components.footprint import Size
from components.knative import NATIVE_CONFIG

MIB = 2**20
RESOURCES = {"requests": {"cpu": "20m", "memory": "40Mi"}, "limits": {"memory": "128Mi"}}


def made(kind: str, **body: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": "o", "namespace": "n", **body.pop("metadata", {})}, **body}


def test_a_channels_dispatcher_is_counted_from_what_its_controller_is_told() -> None:
    template = {"spec": {"deploymentSpecTemplate": {"resources": RESOURCES, "affinity": {}}}}
    configuration = made("ConfigMap", data={"channel-template-spec": yaml.safe_dump(template)})
    assert footprint.by_namespace([configuration]) == {"n": Size(0.02, 40 * MIB, 128 * MIB, 1)}


def test_a_native_brokers_filter_is_counted_from_what_its_controller_is_told() -> None:
    told = json.dumps({"stream": {}, "filter": {"resources": RESOURCES}})
    broker = made("Broker", metadata={"annotations": {NATIVE_CONFIG: told}})
    assert footprint.by_namespace([broker]) == {"n": Size(0.02, 40 * MIB, 128 * MIB, 1)}


@pytest.mark.parametrize(
    "o",
    [
        made("ConfigMap", data={"other": "x"}),
        made("ConfigMap", data={"channel-template-spec": "spec: {}"}),
        made("ConfigMap", data={"channel-template-spec": "kind: InMemoryChannel"}),
        made("ConfigMap"),
        made("Broker", metadata={"annotations": {"other": "x"}}),
        made("Broker"),
        made("Job", spec={"template": {"spec": {"containers": [{"resources": RESOURCES}]}}}),
        made("Service", spec={}),
    ],
    ids=["configmap", "untold", "no-spec", "empty", "annotated", "broker", "job", "service"],
)
def test_what_brings_no_lasting_pod_is_not_counted(o: dict[str, Any]) -> None:
    assert footprint.by_namespace([o]) == {}


def test_prometheus_counts_with_its_reloader_and_every_replica() -> None:
    (size,) = footprint.by_namespace([made("Prometheus", spec={"replicas": 2, "resources": RESOURCES})]).values()
    assert (size.pods, round(size.cpu, 3), size.memory) == (2, 0.05, 2 * (40 + 16) * MIB)


def test_every_profile_says_what_dispatchers_and_filters_may_use() -> None:
    for profile in ("laptop", "team", "prod"):
        told = chart.values("knative-eventing", profile)["dispatcher"]  # type: ignore[arg-type]
        assert set(told) == {"requests", "limits"}
