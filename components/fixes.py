"""Pure functions that mend what upstream objects get wrong and no value of their charts can change.

Each takes and gives a list of objects; what each is for is in its docstring, with the finding it answers.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterable, Mapping
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
    seen: set[tuple[str, str, str]] = set()
    result = []
    for o in objects:
        key = (o["kind"], o["metadata"].get("namespace", ""), o["metadata"]["name"])
        if key not in seen:
            seen.add(key)
            result.append(o)
    return result


def images(references: Mapping[str, str]) -> Fix:
    """Replaces container images that start with a key: placeholders of a source tree (`ko://…`), unpinned tags."""

    def replaced(reference: str) -> str:
        return next((new for old, new in references.items() if reference.startswith(old)), reference)

    def fix(objects: list[Manifest]) -> list[Manifest]:
        for container in containers(objects):
            container["image"] = replaced(container["image"])
        return objects

    return fix


def secured(*, only: Collection[str] = ()) -> Fix:
    """Gives containers that have no security context of their own the *restricted* one; `only` by workload name."""

    def fix(objects: list[Manifest]) -> list[Manifest]:
        for workload in workloads(objects):
            if not only or workload["metadata"]["name"] in only:
                for container in containers([workload]):
                    container["securityContext"] = {**RESTRICTED, **container.get("securityContext", {})}
        return objects

    return fix


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
    """Spreads the pods of workloads with more than one replica over nodes, where the chart says nothing of it."""
    for workload in workloads(objects):
        spec = pod_spec(workload)
        if (
            workload["spec"].get("replicas", 1) > 1
            and not spec.get("topologySpreadConstraints")
            and not spec.get("affinity")
        ):
            spec["topologySpreadConstraints"] = [
                {
                    "maxSkew": 1,
                    "topologyKey": "kubernetes.io/hostname",
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {"matchLabels": workload["spec"]["selector"]["matchLabels"]},
                }
            ]
    return objects


def labelled(labels: Mapping[str, str]) -> Fix:
    """Adds labels to the objects themselves, never to selectors or pod templates."""

    def fix(objects: list[Manifest]) -> list[Manifest]:
        for o in objects:
            o["metadata"]["labels"] = {**o["metadata"].get("labels", {}), **labels}
        return objects

    return fix


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
    """Adds a PodDisruptionBudget for every replicated workload, or one with an autoscaler, that has none."""
    covered = [o["spec"]["selector"].get("matchLabels", {}) for o in objects if o["kind"] == "PodDisruptionBudget"]
    scaled = {
        o["spec"]["scaleTargetRef"]["name"]
        for o in objects
        if o["kind"] == "HorizontalPodAutoscaler" and o["spec"].get("minReplicas", 1) > 1
    }
    added = []
    for workload in workloads(objects):
        labels = pod_labels(workload)
        many = workload["spec"].get("replicas", 1) > 1 or workload["metadata"]["name"] in scaled
        if many and not any(selector.items() <= labels.items() for selector in covered):
            added.append(disruption_budget(workload))
    return objects + added


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
