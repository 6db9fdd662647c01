"""What the platform asks of a cluster: requests and memory limits, summed from its objects by namespace.

Pods that controllers create at run time are counted too, from the objects that describe them (Prometheus,
Alertmanager, EventSource) or from what the stack tells their controller (eventing-natss' dispatcher and filters).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from components import fixes
from components.knative import NATIVE_CONFIG

Manifest = dict[str, Any]
MEMORY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
CHANNEL = "channel-template-spec"
RELOADER = {"requests": {"cpu": "5m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}}


@dataclass(frozen=True)
class Size:
    """CPU in cores, memory in bytes."""

    cpu: float = 0.0
    memory: float = 0.0
    memory_limit: float = 0.0
    pods: int = 0

    def __add__(self, other: Size) -> Size:
        return Size(
            self.cpu + other.cpu,
            self.memory + other.memory,
            self.memory_limit + other.memory_limit,
            self.pods + other.pods,
        )

    def times(self, count: int) -> Size:
        return Size(self.cpu * count, self.memory * count, self.memory_limit * count, self.pods * count)


def by_namespace(objects: Iterable[Manifest]) -> dict[str, Size]:
    """The sum for each namespace that has pods. Autoscaled workloads count at their least."""
    known = list(objects)
    least = {
        (o["metadata"]["namespace"], o["spec"]["scaleTargetRef"]["name"]): o["spec"].get("minReplicas", 1)
        for o in known
        if o["kind"] == "HorizontalPodAutoscaler"
    }
    sums: dict[str, Size] = {}
    for o in known:
        size = _of(o, least)
        if size.pods:
            namespace = o["metadata"]["namespace"]
            sums[namespace] = sums.get(namespace, Size()) + size
    return sums


def total(sums: Mapping[str, Size]) -> Size:
    return sum(sums.values(), Size())


def _of(o: Manifest, least: Mapping[tuple[str, str], int]) -> Size:
    if o["kind"] in fixes.WORKLOADS and o["kind"] != "Job":
        default = least.get((o["metadata"]["namespace"], o["metadata"]["name"]), 1)
        return _pod(fixes.pod_spec(o)).times(o["spec"].get("replicas", default))
    if o["kind"] in ("Prometheus", "Alertmanager"):
        server = {"resources": o["spec"].get("resources", {})}
        return _pod({"containers": [server, {"resources": RELOADER}]}).times(o["spec"].get("replicas", 1))
    if o["kind"] == "EventSource":
        return _pod({"containers": [o["spec"]["template"]["container"]]})
    template = _template(o)
    return _pod({"containers": [template]}) if template else Size()


def _template(o: Manifest) -> Mapping[str, Any] | None:
    """What the stack tells eventing-natss of the pod that delivers: of all channels, or of one native Broker."""
    if o["kind"] == "ConfigMap" and CHANNEL in o.get("data", {}):
        told: Mapping[str, Any] = yaml.safe_load(o["data"][CHANNEL])
        template: Mapping[str, Any] | None = told.get("spec", {}).get("deploymentSpecTemplate")
        return template
    if o["kind"] == "Broker" and NATIVE_CONFIG in o["metadata"].get("annotations", {}):
        native: Mapping[str, Any] = json.loads(o["metadata"]["annotations"][NATIVE_CONFIG])["filter"]
        return native
    return None


def _pod(spec: Mapping[str, Any]) -> Size:
    """Containers add up; an init container counts only where it asks for more than they do."""
    running = sum((_container(c) for c in spec["containers"]), Size())
    first = [_container(c) for c in spec.get("initContainers") or []]
    return Size(
        max([running.cpu, *(c.cpu for c in first)]),
        max([running.memory, *(c.memory for c in first)]),
        max([running.memory_limit, *(c.memory_limit for c in first)]),
        1,
    )


def _container(container: Mapping[str, Any]) -> Size:
    resources = container.get("resources") or {}
    requests, limits = resources.get("requests", {}), resources.get("limits", {})
    return Size(cores(requests.get("cpu", 0)), size(requests.get("memory", 0)), size(limits.get("memory", 0)))


def cores(quantity: str | float) -> float:
    """Cores of a Kubernetes CPU quantity: 250m is a quarter."""
    text = str(quantity)
    return float(text[:-1]) / 1000 if text.endswith("m") else float(text)


def size(quantity: str | float) -> float:
    """Bytes of a Kubernetes memory quantity."""
    text = str(quantity)
    return float(text[:-2]) * MEMORY[text[-2:]] if text[-2:] in MEMORY else float(text)
