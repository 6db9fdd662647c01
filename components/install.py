"""Registers rendered objects with the engine: what is bulky in one `Objects`, the rest as ordinary resources, in waves.

Waves follow what an object needs to be accepted or to run: CRDs, then accounts, roles, configuration and Services,
then workloads, then custom resources, and webhooks last, so that no layer's webhook refuses the layer's own objects.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource

from components import fixes
from components.context import Context
from components.objects import Objects

Manifest = dict[str, Any]
T = TypeVar("T")

BUILT_IN = {
    "v1": "core.v1",
    "admissionregistration.k8s.io/v1": "admissionregistration.v1",
    "apps/v1": "apps.v1",
    "autoscaling/v2": "autoscaling.v2",
    "batch/v1": "batch.v1",
    "networking.k8s.io/v1": "networking.v1",
    "policy/v1": "policy.v1",
    "rbac.authorization.k8s.io/v1": "rbac.v1",
    "storage.k8s.io/v1": "storage.v1",
}
"""API versions with typed classes in pulumi_kubernetes."""
DASHBOARD = "grafana_dashboard"
"""The label by which Grafana's sidecar finds dashboards."""


@dataclass(frozen=True)
class Split:
    """A layer's objects by how they are installed."""

    crds: list[Manifest] = field(default_factory=list)
    bulk: list[Manifest] = field(default_factory=list)
    waves: list[list[Manifest]] = field(default_factory=lambda: [[], [], [], []])


def split(objects: Iterable[Manifest]) -> Split:
    """Sorts objects: CRDs, dashboards and rules apart, everything else into its wave."""
    result = Split()
    for o in objects:
        if o["kind"] == "CustomResourceDefinition":
            result.crds.append(o)
        elif o["kind"] == "PrometheusRule" or DASHBOARD in o["metadata"].get("labels", {}):
            result.bulk.append(o)
        else:
            result.waves[_wave(o)].append(o)
    return result


def _wave(o: Manifest) -> int:
    if o["kind"].endswith("WebhookConfiguration"):
        return 3
    if o["kind"] in fixes.WORKLOADS:
        return 1
    return 0 if o["apiVersion"] in BUILT_IN else 2


@dataclass(frozen=True)
class Installed:
    """What `install` registered. `last` is what to wait for; `crds` is None when the layer brings none."""

    resources: list[pulumi.Resource]
    crds: Objects | None
    last: list[pulumi.Resource]

    def after(self, value: T) -> pulumi.Output[T]:
        """The value, known once everything here is ready."""
        return pulumi.Output.all(*[r.id for r in self.last if isinstance(r, pulumi.CustomResource)]).apply(
            lambda _: value
        )


def install(
    context: Context,
    name: str,
    objects: Iterable[Manifest],
    *,
    parent: pulumi.Resource,
    after: Sequence[pulumi.Resource] = (),
) -> Installed:
    """Registers a layer's objects under `parent`.

    Args:
        name: The layer's; resources are called `<name>-<kind>-<namespace>-<object>`.
        after: What must exist before anything here does: the namespace, CRDs of other layers.
    """
    kept = (
        objects
        if context.monitoring
        else (o for o in objects if not o["apiVersion"].startswith("monitoring.coreos.com/"))
    )
    mended = fixes.apply(kept, fixes.first_of_each, fixes.labelled(context.labels), fixes.service_not_awaited)
    parts = split(mended)
    crds = None
    if parts.crds:
        guarded = pulumi.ResourceOptions(parent=parent, protect=context.protect or None)
        crds = Objects(f"{name}-crds", parts.crds, opts=guarded)
    before: list[pulumi.Resource] = [*after, *([crds] if crds else [])]
    resources: list[pulumi.Resource] = []
    last: list[pulumi.Resource] = before
    for wave in parts.waves:
        if not wave:
            continue
        # The first wave waits for what comes before the layer; a later one for its predecessor alone, which already did.
        opts = pulumi.ResourceOptions(parent=parent, depends_on=list(last))
        last = [register(context, name, o, opts) for o in wave]
        resources += last
    if parts.bulk:
        resources.append(
            Objects(f"{name}-bulk", parts.bulk, opts=pulumi.ResourceOptions(parent=parent, depends_on=before))
        )
    return Installed(resources, crds, last)


def register(context: Context, name: str, o: Manifest, opts: pulumi.ResourceOptions) -> pulumi.CustomResource:
    """One object as a resource of its own, retried on errors of the API server."""
    kind, metadata = o["kind"], o["metadata"]
    parts = [name, kind, *([metadata["namespace"]] if "namespace" in metadata else []), metadata["name"]]
    own = pulumi.ResourceOptions(
        hooks=context.hooks(),
        protect=(context.protect and kind == "PersistentVolumeClaim") or None,
    )
    logical, options = "-".join(parts).lower().replace(":", "-"), pulumi.ResourceOptions.merge(opts, own)
    typed = _typed(o["apiVersion"], kind)
    if typed is None:
        return CustomResource(
            logical, api_version=o["apiVersion"], kind=kind, metadata=metadata, spec=o.get("spec"), opts=options
        )
    fields = {_snake(key): value for key, value in o.items() if key not in ("apiVersion", "kind", "status")}
    resource: pulumi.CustomResource = typed(logical, opts=options, **fields)
    return resource


@cache
def _typed(api_version: str, kind: str) -> Any:
    module = BUILT_IN.get(api_version)
    return getattr(importlib.import_module(f"pulumi_kubernetes.{module}"), kind, None) if module else None


def _snake(key: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", key).lower()
