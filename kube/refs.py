"""Names of objects: a Ref points at one, its key is what a person reads in a preview and what the state keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kube.errors import Invalid

_CLUSTER = "-"
_ANY_VERSION = "*"

# Kinds written without their group in keys. Keys are kept in the state of deployed stacks: never change an entry.
BUILTIN_GROUPS = {
    kind: group
    for group, kinds in {
        "apps": "Deployment StatefulSet DaemonSet ReplicaSet",
        "batch": "Job CronJob",
        "autoscaling": "HorizontalPodAutoscaler",
        "policy": "PodDisruptionBudget",
        "rbac.authorization.k8s.io": "Role RoleBinding ClusterRole ClusterRoleBinding",
        "networking.k8s.io": "NetworkPolicy Ingress IngressClass",
        "storage.k8s.io": "StorageClass CSIDriver",
        "scheduling.k8s.io": "PriorityClass",
        "apiextensions.k8s.io": "CustomResourceDefinition",
        "apiregistration.k8s.io": "APIService",
        "admissionregistration.k8s.io": "MutatingWebhookConfiguration ValidatingWebhookConfiguration "
        "MutatingAdmissionPolicy MutatingAdmissionPolicyBinding "
        "ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding",
    }.items()
    for kind in kinds.split()
}


def group_of(api_version: str) -> str:
    """The group in an apiVersion, empty for the core group."""
    return api_version.rpartition("/")[0]


@dataclass(frozen=True, order=True)
class Ref:
    """Where one object lives. An `api_version` of `group/*` means whichever version the server prefers."""

    api_version: str
    kind: str
    namespace: str | None
    name: str

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> Ref:
        """The Ref of a manifest or of a live object."""
        metadata = obj.get("metadata") or {}
        missing = [key for key in ("apiVersion", "kind") if not obj.get(key)]
        if not metadata.get("name"):
            missing.append("metadata.name")
        if missing:
            shown = f"{obj.get('kind', 'an object')}/{metadata.get('name', '?')}"
            raise Invalid(f"{shown}: not a Kubernetes object, it has no {', no '.join(missing)}")
        return cls(obj["apiVersion"], obj["kind"], metadata.get("namespace") or None, metadata["name"])

    @classmethod
    def parse(cls, key: str) -> Ref:
        """The inverse of `key`, with the version left to the server."""
        parts = key.split("/", 2)
        if len(parts) != 3 or not all(parts):
            raise Invalid(f"{key!r} is not the name of an object: expected Kind[.group]/namespace/name")
        kind, dot, group = parts[0].partition(".")
        group = group if dot else BUILTIN_GROUPS.get(kind, "")
        version = f"{group}/{_ANY_VERSION}" if group else "v1"
        return cls(version, kind, None if parts[1] == _CLUSTER else parts[1], parts[2])

    @property
    def group(self) -> str:
        """The API group, empty for core."""
        return group_of(self.api_version)

    @property
    def version(self) -> str | None:
        """The version, None when the server is to choose."""
        version = self.api_version.rpartition("/")[2]
        return None if version == _ANY_VERSION else version

    @property
    def key(self) -> str:
        """`Kind/namespace/name`, `-` for no namespace; what is not built in carries its group: `Kind.group/…`."""
        bare = BUILTIN_GROUPS.get(self.kind, "") == self.group
        kind = self.kind if bare else f"{self.kind}.{self.group}"
        return f"{kind}/{self.namespace or _CLUSTER}/{self.name}"

    def __str__(self) -> str:
        kind = self.kind if BUILTIN_GROUPS.get(self.kind, "") == self.group else f"{self.kind}.{self.group}"
        return "/".join(part for part in (kind, self.namespace, self.name) if part)
