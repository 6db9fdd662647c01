"""Deleting a CRD deletes all its objects: this refuses to, as long as there are any that others made."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from kube.cluster import Cluster
from kube.errors import KubeError
from kube.refs import Ref
from kube.waiting import pauses

GRACE = 30.0
"""Seconds in which objects that are on their way out, or that the garbage collector owes, may disappear."""


class HasInstances(KubeError):
    """A CRD is not deleted while others keep objects of its kind."""


def refuse(
    cluster: Cluster,
    definition: Ref,
    going: Collection[str],
    ours: Callable[[Mapping[str, Any]], bool],
    grace: float = GRACE,
) -> None:
    """Raise HasInstances when the CRD has objects other than those in `going`, which are deleted before it."""
    live = cluster.get(definition)
    if live is None or not ours(live):
        return
    deadline = time.monotonic() + grace
    for pause in pauses():
        left = [obj for obj in _all(cluster, live) if Ref.of(obj).key not in going]
        if not left:
            return
        staying = [obj for obj in left if not _leaving(obj)]
        if staying or time.monotonic() > deadline:
            raise HasInstances(_message(definition, staying or left))
        time.sleep(pause)


def _all(cluster: Cluster, live: Mapping[str, Any]) -> list[dict[str, Any]]:
    spec = live["spec"]
    served = [version for version in spec["versions"] if version.get("served")]
    if not served:
        return []
    stored = next((version for version in served if version.get("storage")), served[0])  # needs no conversion
    return cluster.list(f"{spec['group']}/{stored['name']}", spec["names"]["kind"], metadata_only=True)


def _leaving(obj: Mapping[str, Any]) -> bool:
    return bool(obj["metadata"].get("deletionTimestamp") or obj["metadata"].get("ownerReferences"))


def _message(definition: Ref, left: list[dict[str, Any]]) -> str:
    names = [f"{obj['metadata'].get('namespace', '-')}/{obj['metadata']['name']}" for obj in left]
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return (
        f"{definition}: deleting this CRD would delete {len(names)} {left[0]['kind']} with it: {shown}; "
        f"delete or move them first (kubectl get {definition.name} -A), then try again"
    )
