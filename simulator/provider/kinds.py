"""Kinds: what a Pulumi type token says of the one behind it, and what can be known of it without a cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

PACKAGE = "kubernetes"


def _words(text: str) -> list[str]:
    return text.split()


_UNDER_K8S_IO = (
    "admissionregistration apiextensions apiregistration authentication authorization certificates coordination "
    "discovery events flowcontrol.apiserver internal.apiserver networking node rbac.authorization resource scheduling "
    "storage storagemigration"
)
_BUILTIN_GROUPS = frozenset(("", "apps", "autoscaling", "batch", "extensions", "policy")) | {
    f"{group}.k8s.io" for group in _words(_UNDER_K8S_IO)
}
_CLUSTER_WIDE = frozenset(
    _words(
        "APIService CSIDriver CSINode CertificateSigningRequest ClusterRole ClusterRoleBinding ClusterTrustBundle "
        "ComponentStatus CustomResourceDefinition DeviceClass FlowSchema IPAddress IngressClass "
        "MutatingAdmissionPolicy MutatingAdmissionPolicyBinding MutatingWebhookConfiguration Namespace Node "
        "PersistentVolume PriorityClass PriorityLevelConfiguration ResourceSlice RuntimeClass "
        "SelfSubjectAccessReview SelfSubjectReview SelfSubjectRulesReview ServiceCIDR StorageClass StorageVersion "
        "StorageVersionMigration SubjectAccessReview TokenReview ValidatingAdmissionPolicy "
        "ValidatingAdmissionPolicyBinding ValidatingWebhookConfiguration VolumeAttachment VolumeAttributesClass"
    )
)


@dataclass(frozen=True)
class Token:
    """A type token such as `kubernetes:apps/v1:Deployment`, read."""

    group: str
    version: str
    kind: str

    @classmethod
    def parse(cls, token: str) -> Token:
        """Refuses what is no object of the API server."""
        package, _, rest = token.partition(":")
        module, _, kind = rest.partition(":")
        group, slash, version = module.rpartition("/")
        if package != PACKAGE or not kind:
            raise ValueError(f'unrecognized resource type: "{token}" for this provider')
        if not slash:
            raise ValueError(f'apiVersion does not have both a group and a version: "{module}"')
        if group in ("helm.sh", "kustomize", "yaml"):
            raise ValueError(
                f"{token}: charts, kustomizations and YAML files are not among what the stand-in plugin does"
            )
        return cls("" if group == "core" else group, version, kind)

    @property
    def api_version(self) -> str:
        """As it stands in a manifest."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def is_list(self) -> bool:
        """ConfigMapList and its like, which stand in files but cannot be created."""
        return self.builtin and self.kind.endswith("List")

    @property
    def builtin(self) -> bool:
        """Whether the kind is Kubernetes' own."""
        return self.group in _BUILTIN_GROUPS

    def patches(self, obj: dict[str, Any]) -> bool:
        """Whether this is a Patch resource, which owns some fields of an object that others own."""
        return self.kind == f"{obj.get('kind', '')}Patch"


def builtin(api_version: str) -> bool:
    """Whether a group is Kubernetes' own: its values are canonicalised by the server."""
    return api_version.rpartition("/")[0] in _BUILTIN_GROUPS


def namespaced(api_version: str, kind: str) -> bool | None:
    """Whether objects of a built-in kind lie in namespaces; None for the others, which the server must tell."""
    return kind not in _CLUSTER_WIDE if builtin(api_version) else None
