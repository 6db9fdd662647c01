"""Pure functions that mend what upstream objects get wrong and no value of their charts can change.

Each takes and gives a list of objects; what each is for is in its docstring, with the finding it answers.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

Manifest = dict[str, Any]
Fix = Callable[[list[Manifest]], list[Manifest]]

RESTRICTED: Mapping[str, Any] = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
"""A container security context that Pod Security *restricted* admits."""
WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "Job"})
GO_PACKAGE = "ko://"
"""Begins an image in a source tree: the Go package it is built from."""


def apply(objects: Iterable[Manifest], *fixes: Fix) -> list[Manifest]:
    """The objects after all fixes, in order; the given ones stay as they are."""
    result = copy.deepcopy(list(objects))
    for fix in fixes:
        result = fix(result)
    return result


def drop(*, kinds: Collection[str] = (), names: Collection[str] = ()) -> Fix:
    """Leaves out objects by kind, or by `Kind/name`."""
    return lambda objects: [
        o for o in objects if o["kind"] not in kinds and f"{o['kind']}/{o['metadata']['name']}" not in names
    ]


def aggregated_roles(objects: list[Manifest]) -> list[Manifest]:
    """Leaves the rules of aggregated ClusterRoles to the controller that fills them.

    Knative ships five with `rules: []`; applying that again conflicts with `clusterrole-aggregation-controller`.
    """
    for role in objects:
        if role["kind"] == "ClusterRole" and "aggregationRule" in role:
            role.pop("rules", None)
    return objects


def first_of_each(objects: list[Manifest]) -> list[Manifest]:
    """Leaves out repetitions: Knative's core file holds the CRDs again, and natss its webhook twice."""
    seen: set[tuple[str, str, str, str]] = set()
    result = []
    for o in objects:
        group = o["apiVersion"].rpartition("/")[0]
        key = (group, o["kind"], o["metadata"].get("namespace", ""), o["metadata"]["name"])
        if key not in seen:
            seen.add(key)
            result.append(o)
    return result


def released(published: Mapping[str, str]) -> Fix:
    """Names images as a release publishes them, where a source tree names the Go package (`ko://…`) instead.

    In environment variables too: by them controllers learn the images of the pods that they create.

    Args:
        published: The image of each Go package. A package that is not among them is left as it is.
    """

    def named(text: str) -> str:
        return published.get(text.removeprefix(GO_PACKAGE), text) if text.startswith(GO_PACKAGE) else text

    def fix(objects: list[Manifest]) -> list[Manifest]:
        for container in containers(objects):
            container["image"] = named(container["image"])
            for variable in container.get("env") or []:
                if "value" in variable:
                    variable["value"] = named(variable["value"])
        return objects

    return fix


def secured(objects: list[Manifest]) -> list[Manifest]:
    """Gives containers what their security context lacks of the *restricted* one; what they set themselves stays."""
    for container in containers(objects):
        container["securityContext"] = {**RESTRICTED, **(container.get("securityContext") or {})}
    return objects


def sized(sizes: Mapping[str, Mapping[str, Any]]) -> Fix:
    """Sets `replicas` and `resources` of workloads by name; containers beside the first keep their own resources."""

    def fix(objects: list[Manifest]) -> list[Manifest]:
        for workload in workloads(objects):
            size = sizes.get(workload["metadata"]["name"], {})
            if "replicas" in size:
                workload["spec"]["replicas"] = size["replicas"]
            if "resources" in size:
                pod_spec(workload)["containers"][0]["resources"] = size["resources"]
        return objects

    return fix


def limited(resources: Mapping[str, Any]) -> Fix:
    """Gives containers, init containers among them, the requests and memory limit that they do not state."""

    def fix(objects: list[Manifest]) -> list[Manifest]:
        for container in containers(objects):
            own = container.get("resources") or {}
            container["resources"] = {
                "requests": {**resources["requests"], **own.get("requests", {})},
                "limits": {**resources["limits"], **own.get("limits", {})},
            }
        return objects

    return fix


def without_token(*names: str) -> Fix:
    """Mounts no service-account token into workloads that never speak to the API server."""

    def fix(objects: list[Manifest]) -> list[Manifest]:
        for workload in workloads(objects):
            if workload["metadata"]["name"] in names:
                pod_spec(workload)["automountServiceAccountToken"] = False
        return objects

    return fix


def spread(objects: list[Manifest]) -> list[Manifest]:
    """Spreads the pods of replicated workloads over nodes, where the chart says nothing of it."""
    for workload in replicated(objects):
        spec = pod_spec(workload)
        if not spec.get("topologySpreadConstraints") and not spec.get("affinity"):
            spec["topologySpreadConstraints"] = [
                {
                    "maxSkew": 1,
                    "topologyKey": "kubernetes.io/hostname",
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {"matchLabels": workload["spec"]["selector"]["matchLabels"]},
                }
            ]
    return objects


def service_not_awaited(objects: list[Manifest]) -> list[Manifest]:
    """Marks Services as not to be waited for: their workloads are, and each would cost ten more seconds."""
    for o in objects:
        if o["kind"] == "Service" and o["spec"].get("type") != "LoadBalancer":
            o["metadata"]["annotations"] = {**o["metadata"].get("annotations", {}), "pulumi.com/skipAwait": "true"}
    return objects


def disruption_budget(workload: Manifest) -> Manifest:
    """A PodDisruptionBudget that lets one pod of a workload go at a time, even an unhealthy one."""
    metadata = workload["metadata"]
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": metadata["name"], "namespace": metadata["namespace"]},
        "spec": {
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": workload["spec"]["selector"]["matchLabels"]},
        },
    }


def budgeted(objects: list[Manifest]) -> list[Manifest]:
    """Adds a PodDisruptionBudget for every replicated workload that has none: a second one blocks any eviction."""
    budgets = [o for o in objects if o["kind"] == "PodDisruptionBudget"]

    def guarded(workload: Manifest) -> bool:
        labels, namespace = pod_labels(workload), workload["metadata"].get("namespace")
        return any(
            b["metadata"].get("namespace") == namespace
            and b["spec"]["selector"].get("matchLabels", {}).items() <= labels.items()
            for b in budgets
        )

    return objects + [disruption_budget(w) for w in replicated(objects) if not guarded(w)]


def replicated(objects: Sequence[Manifest]) -> list[Manifest]:
    """Workloads with more than one pod, by their own count or by their autoscaler's least."""
    scaled = {
        (o["metadata"].get("namespace"), o["spec"]["scaleTargetRef"]["name"])
        for o in objects
        if o["kind"] == "HorizontalPodAutoscaler" and o["spec"].get("minReplicas", 1) > 1
    }
    return [
        w
        for w in workloads(objects)
        if w["spec"].get("replicas", 1) > 1 or (w["metadata"].get("namespace"), w["metadata"]["name"]) in scaled
    ]


def workloads(objects: Iterable[Manifest]) -> list[Manifest]:
    return [o for o in objects if o["kind"] in WORKLOADS]


def pod_spec(workload: Manifest) -> dict[str, Any]:
    spec: dict[str, Any] = workload["spec"]["template"]["spec"]
    return spec


def pod_labels(workload: Manifest) -> dict[str, str]:
    labels: dict[str, str] = workload["spec"]["template"].get("metadata", {}).get("labels", {})
    return labels


def containers(objects: Iterable[Manifest]) -> list[dict[str, Any]]:
    """Every container of every workload, init containers first."""
    return [
        c for w in workloads(objects) for part in ("initContainers", "containers") for c in pod_spec(w).get(part) or []
    ]
