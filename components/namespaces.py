"""The platform's namespaces: fixed names, one owner, each with its Pod Security level, quota and NetworkPolicies."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pulumi
import yaml

from components import network
from components.context import Context, Profile
from components.install import Manifest, register
from components.pod_security import SINCE_MINOR

QUOTAS = Path(__file__).with_name("values") / "namespaces.yaml"
Level = Literal["restricted", "baseline", "privileged"]


@dataclass(frozen=True)
class Space:
    """One namespace: who needs it, and why it is not held to *restricted* where it is not."""

    name: str
    layer: str
    level: Level = "restricted"
    reason: str = ""
    data: bool = False
    """Whether volumes of the platform lie in it: with the namespace they would go too."""


SPACES = (
    Space("istio-system", "istio"),
    Space("knative-eventing", "knative"),
    Space("nats-io", "nats", data=True),
    Space("argo", "argo"),
    Space("argo-events", "argo"),
    Space("seldon-system", "seldon"),
    Space("monitoring", "monitoring", data=True),
    Space(
        "node-exporter", "monitoring", "privileged", "node-exporter reads the host: its network, processes and files"
    ),
    Space("storage", "object_store", data=True),
    Space("sealed-secrets", "sealed_secrets"),
    Space("flux-system", "flux"),
)
UNSECURED = "eventing-natss sets no security context on the pods of its {}, and no policy can before 1.36"


def spaces(layers: Collection[str], *, minor: int, channel_broker: bool) -> list[Space]:
    """The namespaces that the switched-on layers need, on a Kubernetes 1.<minor>."""
    found = [space for space in SPACES if space.layer in layers]
    if minor >= SINCE_MINOR:
        return found
    reason = UNSECURED.format("channels' dispatcher" if channel_broker else "Brokers' filters")
    return [replace(s, level="baseline", reason=reason) if s.name == "knative-eventing" else s for s in found]


@dataclass(frozen=True, kw_only=True)
class NamespacesArgs:
    spaces: Collection[Space]
    outside: Sequence[network.Flow] = ()
    """Flows to addresses that the stack is given."""


class Namespaces(pulumi.ComponentResource):
    """All namespaces of the platform. `ready(name)` is what a layer's objects wait for."""

    def __init__(
        self, name: str, context: Context, args: NamespacesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("aiga:platform:Namespaces", name, None, opts)
        self._ready: dict[str, pulumi.Resource] = {}
        for space in args.spaces:
            self._ready[space.name] = self._create(name, context, args, space)
        self.register_outputs({"names": [space.name for space in args.spaces]})

    def ready(self, name: str) -> pulumi.Resource:
        """The last object a namespace needs before pods may come: its limits, for a quota refuses pods without any."""
        return self._ready[name]

    def _create(self, name: str, context: Context, args: NamespacesArgs, space: Space) -> pulumi.Resource:
        present = [space.name for space in args.spaces]

        def add(o: Manifest, *after: pulumi.Resource) -> pulumi.Resource:
            return register(context, name, o, pulumi.ResourceOptions(parent=self, depends_on=list(after)))

        kept = pulumi.ResourceOptions(
            parent=self, depends_on=list(context.first), protect=(context.protect and space.data) or None
        )
        namespace = register(context, name, manifest(space), kept)
        policies = network.policies(space.name, present, outside=args.outside)
        for o in [quota(space.name, context.profile), *policies]:
            add(o, namespace)
        return add(limits(space.name), namespace)


def manifest(space: Space) -> Manifest:
    """The Namespace itself, with Pod Security enforced, and warned of one level up."""
    prefix = "pod-security.kubernetes.io"
    labels = {f"{prefix}/enforce": space.level, f"{prefix}/enforce-version": "latest", f"{prefix}/warn": "restricted"}
    annotations = {"aiga.dev/pod-security-exception": space.reason} if space.reason else {}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": space.name, "labels": labels, "annotations": annotations},
    }


def quotas(profile: Profile) -> Mapping[str, Mapping[str, Any]]:
    """The quota of each namespace: CPU and memory requested, memory limit, pods."""
    table: dict[str, dict[str, dict[str, Any]]] = yaml.safe_load(QUOTAS.read_text())
    return table[profile]


def quota(namespace: str, profile: Profile) -> Manifest:
    size = quotas(profile)[namespace]
    hard = {
        "requests.cpu": str(size["cpu"]),
        "requests.memory": size["memory"],
        "limits.memory": size["memoryLimit"],
        "pods": str(size["pods"]),
    }
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "platform", "namespace": namespace},
        "spec": {"hard": hard},
    }


def limits(namespace: str) -> Manifest:
    """What a container gets that states nothing: several are made by controllers that cannot be told."""
    return {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": {"name": "defaults", "namespace": namespace},
        "spec": {
            "limits": [
                {
                    "type": "Container",
                    "defaultRequest": {"cpu": "10m", "memory": "32Mi"},
                    "default": {"memory": "256Mi"},
                }
            ]
        },
    }
