"""Registers rendered objects with the engine: what is bulky in one `Objects`, the rest as ordinary resources, in waves.

Waves follow what an object needs to be accepted or to run: CRDs, then accounts, roles, configuration and Services,
then workloads, then custom resources, and webhooks last, so that no layer's webhook refuses the layer's own objects.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource

from components import fixes
from components.context import Context
from components.gate import Blank, blanks
from components.objects import Objects
from components.protection import holds_data
from components.readiness import awaited

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
BULKY = 20_000
"""Characters of a ConfigMap from which on it is no longer read in a preview: istiod's sidecar template has 100,000."""


@dataclass(frozen=True)
class Split:
    """A layer's objects by how they are installed."""

    crds: list[Manifest] = field(default_factory=list)
    bulk: list[Manifest] = field(default_factory=list)
    settings: list[Manifest] = field(default_factory=list)
    later: list[list[Manifest]] = field(default_factory=lambda: [[], [], []])
    """Workloads, custom resources, webhooks."""


def split(objects: Iterable[Manifest]) -> Split:
    """Sorts objects: CRDs, dashboards, rules and large ConfigMaps apart, everything else into its wave."""
    result = Split()
    for o in objects:
        if o["kind"] == "CustomResourceDefinition":
            result.crds.append(o)
        elif _bulky(o):
            result.bulk.append(o)
        elif o["kind"].endswith("WebhookConfiguration"):
            result.later[2].append(o)
        elif o["kind"] in fixes.WORKLOADS:
            result.later[0].append(o)
        elif o["apiVersion"] not in BUILT_IN:
            result.later[1].append(o)
        else:
            result.settings.append(o)
    return result


def _bulky(o: Manifest) -> bool:
    if o["kind"] == "PrometheusRule" or DASHBOARD in o["metadata"].get("labels", {}):
        return True
    return o["kind"] == "ConfigMap" and sum(map(len, o.get("data", {}).values())) > BULKY


@dataclass(frozen=True)
class Installed:
    """What `install` registered. `last` is what to wait for; `crds` is None when the layer brings none."""

    resources: list[pulumi.Resource]
    crds: Objects | None
    last: list[pulumi.Resource]
    unfilled: list[Blank]
    """Webhooks that its controllers fill at run time: a gate may wait for that."""

    def after(self, value: T) -> pulumi.Output[T]:
        """The value, known once everything here is ready."""
        known = [r.id for r in self.last if isinstance(r, pulumi.CustomResource)]
        return pulumi.Output.all(*known).apply(lambda _: value)


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
    mended = fixes.apply(kept, fixes.first_of_each, fixes.service_not_awaited)
    called = dict(zip(map(id, mended), names(name, mended), strict=True))
    parts = split(mended)
    crds = None
    if parts.crds:
        guarded = pulumi.ResourceOptions(parent=parent, protect=context.protect or None, depends_on=list(context.first))
        crds = Objects(f"{name}-crds", parts.crds, opts=guarded)

    def added(o: Manifest, *depends_on: pulumi.Resource) -> pulumi.Resource:
        opts = pulumi.ResourceOptions(parent=parent, depends_on=list(depends_on))
        return _registered(context, called[id(o)], o, opts)

    before: list[pulumi.Resource] = [*after, *([crds] if crds else [])]
    resources: list[pulumi.Resource] = []
    if parts.settings:
        # Through the first and the last of them: a hundred objects that each name all they wait for, and are named
        # by each that waits for them, would make half of the state.
        first, *rest = parts.settings
        head = added(first, *before)
        resources += [head, *(added(o, head) for o in rest[:-1]), *_bulk(name, parts.bulk, parent, [head])]
        before = [added(rest[-1], *resources)] if rest else [head, *resources[1:]]
        resources += before if rest else []
    else:
        resources += _bulk(name, parts.bulk, parent, before)
    for wave in filter(None, parts.later):
        before = [added(o, *before) for o in wave]
        resources += before
    return Installed(resources, crds, before, blanks(parts.later[2]))


def _bulk(
    name: str, bulk: list[Manifest], parent: pulumi.Resource, after: Sequence[pulumi.Resource]
) -> list[pulumi.Resource]:
    return (
        [Objects(f"{name}-bulk", bulk, opts=pulumi.ResourceOptions(parent=parent, depends_on=list(after)))]
        if bulk
        else []
    )


def register(context: Context, name: str, o: Manifest, opts: pulumi.ResourceOptions) -> pulumi.CustomResource:
    """One object as a resource of its own, with the labels of the stack, retried on errors of the API server."""
    return _registered(context, names(name, [o])[0], o, opts)


def names(layer: str, objects: Sequence[Manifest]) -> list[str]:
    """What each object is called: `<layer>-<kind>-<namespace>-<object>`, with a digest where several would share it."""
    plain = [_plain(layer, o) for o in objects]
    shared = {name for name, times in Counter(plain).items() if times > 1}
    return [f"{name}-{_digest(o)}" if name in shared else name for name, o in zip(plain, objects, strict=True)]


def _plain(layer: str, o: Manifest) -> str:
    metadata = o["metadata"]
    parts = [layer, o["kind"], *([metadata["namespace"]] if "namespace" in metadata else []), metadata["name"]]
    return "-".join(parts).lower().replace(":", "-")


def _digest(o: Manifest) -> str:
    metadata = o["metadata"]
    identity = [o["apiVersion"], o["kind"], metadata.get("namespace"), metadata["name"]]
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:8]


def _registered(context: Context, logical: str, o: Manifest, opts: pulumi.ResourceOptions) -> pulumi.CustomResource:
    o = awaited(o)
    kind, metadata = o["kind"], {**o["metadata"], "labels": {**o["metadata"].get("labels", {}), **context.labels}}
    own = pulumi.ResourceOptions(hooks=context.hooks(), protect=(context.protect and holds_data(o)) or None)
    options = pulumi.ResourceOptions.merge(opts, own)
    typed = _typed(o["apiVersion"], kind)
    if typed is None:
        return CustomResource(
            logical, api_version=o["apiVersion"], kind=kind, metadata=metadata, spec=o.get("spec"), opts=options
        )
    fields = {
        _snake(key): value
        for key, value in {**o, "metadata": metadata}.items()
        if key not in ("apiVersion", "kind", "status")
    }
    resource: pulumi.CustomResource = typed(logical, opts=options, **fields)
    return resource


@cache
def _typed(api_version: str, kind: str) -> Any:
    module = BUILT_IN.get(api_version)
    return getattr(importlib.import_module(f"pulumi_kubernetes.{module}"), kind, None) if module else None


def _snake(key: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", key).lower()
