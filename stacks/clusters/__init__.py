"""The clusters aiga knows. Adding a provider is one module beside these and one line in `CLUSTERS`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from stacks.clusters import civo, gke, k3d, on_prem, sim
from stacks.clusters.traits import ClusterTraits, Ingress, Monitoring

CLUSTERS: Mapping[str, ClusterTraits] = MappingProxyType(
    {module.TRAITS.name: module.TRAITS for module in (k3d, civo, gke, on_prem, sim)}
)

__all__ = ["CLUSTERS", "ClusterTraits", "Ingress", "Monitoring"]
