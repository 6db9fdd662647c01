"""Whose an object is: marks that say which stack made it, and which set of that stack holds it now."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from kube.errors import KubeError
from kube.refs import Ref

MANAGER = "aiga"
STACK_LABEL = "aiga.dev/stack"
PART_OF_LABEL = "app.kubernetes.io/part-of"
HOLDER = "aiga.dev/objects"
"""Annotation with the id of the set that holds the object. The set that applied last holds it, and only the holder
deletes it: renaming a set, or moving an object to another one, therefore deletes nothing."""

Object = Mapping[str, Any]

_OF_THE_SERVER = ("managedFields", "resourceVersion", "uid", "generation", "selfLink", "creationTimestamp")
_EMPTY_BUNDLES = ("", "Cg==", "Cgo=")


class Foreign(KubeError):
    """The object was made by somebody else."""


def prepared(obj: Object, stack: str) -> dict[str, Any]:
    """The manifest as it is applied: labelled, without what the server or a controller fills in.

    A `caBundle` that is empty or a placeholder goes too: whoever injects the real one must stay its only owner.
    """
    clean: dict[str, Any] = _without_nulls({key: value for key, value in obj.items() if key != "status"})
    metadata = {key: value for key, value in clean.get("metadata", {}).items() if key not in _OF_THE_SERVER}
    metadata["labels"] = {**metadata.get("labels", {}), **labels(stack)}
    return {**clean, "metadata": metadata}


def labels(stack: str) -> dict[str, str]:
    """What every object of a stack carries."""
    return {PART_OF_LABEL: MANAGER, STACK_LABEL: stack}


def held(obj: Object, holder: str) -> dict[str, Any]:
    """The manifest with the mark of the set that applies it."""
    metadata = obj["metadata"]
    return {**obj, "metadata": {**metadata, "annotations": {**metadata.get("annotations", {}), HOLDER: holder}}}


def valid_stack(stack: str) -> bool:
    """Whether the stack's name can be a label's value."""
    return bool(re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?", stack))


def check_ours(ref: Ref, live: Object, stack: str) -> None:
    """Raise Foreign for an object that neither carries our stack's label nor has fields that we applied."""
    found = (live["metadata"].get("labels") or {}).get(STACK_LABEL)
    if found == stack or (found is None and _applied_by_us(live)):
        return
    if found is not None:
        raise Foreign(f"{ref}: belongs to stack {found}; destroy it there first, or give this one another name")
    managers = sorted({entry.get("manager", "?") for entry in live["metadata"].get("managedFields") or []})
    where = f" -n {ref.namespace}" if ref.namespace else ""
    raise Foreign(
        f"{ref}: exists and was not made by this stack (managed by {', '.join(managers) or 'nobody'}); delete it, or "
        f"hand it over with: kubectl label{where} {ref.kind.lower()} {ref.name} {STACK_LABEL}={stack}"
    )


def holder_of(live: Object) -> str | None:
    """The id of the set that holds a live object."""
    return (live["metadata"].get("annotations") or {}).get(HOLDER)


def is_held(live: Object, holder: str) -> bool:
    """Whether deleting the object is up to this set; a mark that somebody removed counts while our fields are there."""
    found = holder_of(live)
    return found == holder or (found is None and _applied_by_us(live))


def editors(live: Object) -> list[str]:
    """Who, besides us, wrote to the object (status aside) since we last did."""
    entries = [entry for entry in live["metadata"].get("managedFields") or [] if not entry.get("subresource")]
    ours = max((entry.get("time", "") for entry in entries if entry.get("manager") == MANAGER), default="")
    return sorted({e["manager"] for e in entries if e.get("manager") != MANAGER and e.get("time", "") >= ours})


def _applied_by_us(live: Object) -> bool:
    return any(entry.get("manager") == MANAGER for entry in live["metadata"].get("managedFields") or [])


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            key: _without_nulls(below)
            for key, below in value.items()
            if below is not None and not (key == "caBundle" and below in _EMPTY_BUNDLES)
        }
    return [_without_nulls(item) for item in value] if isinstance(value, (list, tuple)) else value
