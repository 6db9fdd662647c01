"""What a state describes: whether anything is on the cluster, and what taking it down would lose for good."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from stacks.remedies import make

_OBJECTS = "pulumi-python:dynamic/aiga:Objects"
_SEALING_KEY = "pulumi-python:dynamic/aiga:SealingKey"
_VOLUMES = ("kubernetes:core/v1:PersistentVolumeClaim", "kubernetes:apps/v1:StatefulSet")


def on_cluster(deployment: Mapping[str, Any]) -> bool:
    """Whether anything of the stack is on its cluster, or was about to be when a command was killed."""
    return bool(deployment.get("pending_operations")) or any(
        type_.startswith("kubernetes:") or type_ == _OBJECTS for type_ in _types(deployment.get("resources") or [])
    )


def lost(resources: Iterable[Mapping[str, Any]], stack: str) -> Iterator[str]:
    """Yield what goes with the stack and cannot be made again, each with the way to keep it."""
    types = list(_types(resources))
    if _SEALING_KEY in types:
        copy = make("backup-key", stack, FILE="sealing-keys.yaml")
        yield f"the sealing key: nothing can open what was sealed for it, in Git or elsewhere ({copy} keeps a copy)"
    if any(type_ in types for type_ in _VOLUMES):
        yield "volumes: buckets of the object store, events in NATS, metrics (copy the buckets out: `mc mirror`)"


def _types(resources: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    return (resource["type"] for resource in resources if not resource["type"].startswith("pulumi:providers:"))
