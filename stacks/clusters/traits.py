"""What differs between clusters, as data: the layers read it and hold no branch on a provider's name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

ServiceType = Literal["LoadBalancer", "NodePort"]


def _frozen(**items: str) -> Mapping[str, str]:
    return MappingProxyType(items)


@dataclass(frozen=True, kw_only=True)
class Ingress:
    """How traffic from outside reaches the Istio gateway."""

    service_type: ServiceType = "LoadBalancer"
    annotations: Mapping[str, str] = field(default_factory=_frozen)
    """Annotations of the gateway's Service."""
    https_port: int = 443
    """Port in the URLs shown to people behind a load balancer; 443 is left out of them."""
    node_ports: tuple[int, int] = (30080, 30443)
    """Ports for HTTP and HTTPS on every node where the Service is a NodePort; Kubernetes takes 30000 to 32767 alone."""
    address: str = ""
    """Where to find the address to point DNS at, in one sentence."""


@dataclass(frozen=True, kw_only=True)
class Monitoring:
    """What kube-prometheus-stack may watch; a target that is not there is an alert that never stops."""

    node_exporter_root_mount: bool = True
    """node-exporter mounts the node's / with propagation; false where a node is itself a container."""
    etcd: bool = False
    scheduler: bool = False
    controller_manager: bool = False
    proxy: bool = False
    """Metrics of kube-proxy: it binds them to 127.0.0.1 unless told otherwise."""


@dataclass(frozen=True, kw_only=True)
class ClusterTraits:
    """One kind of cluster: what it calls things, what it refuses, and how to make one."""

    name: str
    """Value of `aiga:provider`."""
    title: str
    storage_class: str | None = None
    """StorageClass of every volume unless the configuration names one; None is the cluster's default."""
    ingress: Ingress = field(default_factory=Ingress)
    monitoring: Monitoring = field(default_factory=Monitoring)
    simulated: bool = False
    """No container runs: readiness is pretended, and stand-in charts and plugins are allowed."""
    notes: tuple[str, ...] = ()
    """What to know before `make up`: admission, firewalls, bills."""
    create: tuple[str, ...] = ()
    """The documented commands that make such a cluster; the program itself makes none."""
