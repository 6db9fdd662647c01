"""Expands the short notation of the tables to whole Kubernetes objects.

What a table leaves out is what every upstream object has in common; what it says beside the short keys goes into the
object as it stands. References to values stay as they are: `template` or nobody translates them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from simulator.standins import workloads
from simulator.standins.short import claim, rules, service_ports
from simulator.standins.table import Table

Manifest = dict[str, Any]
LABEL = "aiga.dev/simulated"
ANNOTATION = "aiga.dev/stand-in"

_GROUPS = {
    "v1": "ConfigMap Namespace PersistentVolumeClaim Secret Service ServiceAccount",
    "apps/v1": "DaemonSet Deployment StatefulSet",
    "rbac.authorization.k8s.io/v1": "ClusterRole ClusterRoleBinding Role RoleBinding",
    "policy/v1": "PodDisruptionBudget",
    "autoscaling/v2": "HorizontalPodAutoscaler",
    "networking.k8s.io/v1": "NetworkPolicy",
    "admissionregistration.k8s.io/v1": "MutatingWebhookConfiguration ValidatingWebhookConfiguration",
    "monitoring.coreos.com/v1": "Alertmanager PodMonitor Prometheus PrometheusRule ServiceMonitor",
    "cert-manager.io/v1": "Certificate Issuer",
}
API_VERSIONS = {kind: version for version, kinds in _GROUPS.items() for kind in kinds.split()}
CLUSTER_SCOPED = frozenset(
    {"ClusterRole", "ClusterRoleBinding", "MutatingWebhookConfiguration", "Namespace", "ValidatingWebhookConfiguration"}
)
_SHORT = frozenset({"kind", "name", "namespace", "labels", "annotations", "when", "each"})


def objects(table: Table) -> list[Manifest]:
    """Every object of a table, in its order."""
    return [manifest for entry in table.objects for manifest in _objects(entry, table)]


def metadata(table: Table, entry: Mapping[str, Any]) -> dict[str, Any]:
    """An object's metadata: its own, the chart's, and the marks of a stand-in."""
    found: dict[str, Any] = {"name": entry["name"]}
    namespace = entry.get("namespace", None if entry["kind"] in CLUSTER_SCOPED else table.namespace)
    if namespace:
        found["namespace"] = namespace
    labels = {**table.labels, **entry.get("labels", {}), LABEL: "true"}
    found["labels"] = {name: value for name, value in labels.items() if value is not None}
    found["annotations"] = {**entry.get("annotations", {}), ANNOTATION: table.stem}
    return found


def _objects(entry: Mapping[str, Any], table: Table) -> Iterator[Manifest]:
    kind = entry["kind"]
    body = {key: value for key, value in entry.items() if key not in _SHORT}
    bound = body.pop("bind", None)
    yield _object(entry, table, _body(kind, body, table))
    if bound is not None:
        binding = {"role": f"{kind}/{entry['name']}", "to": bound}
        yield _object({**entry, "kind": f"{kind}Binding"}, table, _binding(binding, table))


def _object(entry: Mapping[str, Any], table: Table, body: Mapping[str, Any]) -> Manifest:
    guards = {f"${key}": entry[key] for key in ("when", "each") if key in entry}
    return {
        **guards,
        "apiVersion": API_VERSIONS[entry["kind"]],
        "kind": entry["kind"],
        "metadata": metadata(table, entry),
        **body,
    }


def _body(kind: str, body: dict[str, Any], table: Table) -> dict[str, Any]:
    if kind.endswith("Binding"):
        return _binding(body, table)
    return _BODIES[kind](body) if kind in _BODIES else body


def _role(body: Mapping[str, Any]) -> dict[str, Any]:
    return {**body, "rules": rules(body.get("rules", []))}


def _selecting(body: Mapping[str, Any]) -> dict[str, Any]:
    """`selector` is short for the labels to match; without it the body is whole."""
    if "selector" not in body:
        return dict(body)
    return {"spec": {**body.get("spec", {}), "selector": {"matchLabels": body["selector"]}}}


def _service(body: Mapping[str, Any]) -> dict[str, Any]:
    headless = {"clusterIP": "None"} if body.get("headless") else {}
    more = {"ports": service_ports(body["ports"]), "selector": body["selector"]}
    return {"spec": {**headless, **body.get("spec", {}), **more}}


def _binding(body: Mapping[str, Any], table: Table) -> dict[str, Any]:
    kind, _, name = body["role"].partition("/")
    to = body["to"] if isinstance(body["to"], list) else [body["to"]]
    return {
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name},
        "subjects": [_subject(one, table) for one in to],
    }


def _subject(subject: str | Mapping[str, Any], table: Table) -> dict[str, Any]:
    if isinstance(subject, Mapping):
        return dict(subject)
    namespace = table.namespace or "${@namespace}"
    return {"kind": "ServiceAccount", "name": subject, "namespace": namespace}


def _autoscaler(body: Mapping[str, Any]) -> dict[str, Any]:
    target = {"type": "Utilization", "averageUtilization": body["cpu"]}
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": body["target"]},
        "minReplicas": body["min"],
        "maxReplicas": body["max"],
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
    }
    return {"spec": spec}


def _webhooks(body: Mapping[str, Any]) -> dict[str, Any]:
    return {"webhooks": [_webhook(name, hook) for name, hook in body["webhooks"].items()]}


def _webhook(name: str, hook: Mapping[str, Any]) -> dict[str, Any]:
    service, rest = hook["service"], {k: v for k, v in hook.items() if k != "service"}
    return {
        "name": name,
        "clientConfig": {"service": service},
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        **rest,
    }


def _claim(body: Mapping[str, Any]) -> dict[str, Any]:
    return {"spec": claim(body)}


def _workload(body: Mapping[str, Any]) -> dict[str, Any]:
    return {"spec": workloads.spec(body)}


_BODIES: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "ClusterRole": _role,
    "DaemonSet": _workload,
    "Deployment": _workload,
    "HorizontalPodAutoscaler": _autoscaler,
    "MutatingWebhookConfiguration": _webhooks,
    "PersistentVolumeClaim": _claim,
    "PodDisruptionBudget": _selecting,
    "PodMonitor": _selecting,
    "Role": _role,
    "Service": _service,
    "ServiceMonitor": _selecting,
    "StatefulSet": _workload,
    "ValidatingWebhookConfiguration": _webhooks,
}
