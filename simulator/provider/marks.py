"""Annotations by which a manifest tells the provider how to treat it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

AUTONAMED = "pulumi.com/autonamed"
SKIP_AWAIT = "pulumi.com/skipAwait"
WAIT_FOR = "pulumi.com/waitFor"
TIMEOUT = "pulumi.com/timeoutSeconds"
REPLACE_UNREADY = "pulumi.com/replaceUnready"
FORCE = "pulumi.com/patchForce"
MANAGER = "pulumi.com/patchFieldManager"
PROPAGATION = "pulumi.com/deletionPropagationPolicy"

_DEFAULT_SECONDS = 600.0
_PROPAGATIONS = {"orphan": "Orphan", "background": "Background"}


def of(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """The annotations that are known."""
    metadata = obj.get("metadata")
    found = metadata.get("annotations") if isinstance(metadata, dict) else None
    return found if isinstance(found, dict) else {}


def value(obj: Mapping[str, Any], name: str) -> str:
    """One annotation, empty when it is absent or not known yet."""
    found = of(obj).get(name)
    return found if isinstance(found, str) else ""


def true(obj: Mapping[str, Any], name: str) -> bool:
    """Whether the annotation is `true`."""
    return value(obj, name) == "true"


def timeout(obj: Mapping[str, Any], custom: float) -> float:
    """Seconds to wait: customTimeouts, else the annotation, else ten minutes."""
    if custom:
        return custom
    text = value(obj, TIMEOUT)
    return float(text) if text.isdecimal() else _DEFAULT_SECONDS


def propagation(obj: Mapping[str, Any]) -> str:
    """What becomes of dependents when the object is deleted: they go first, unless the annotation says otherwise."""
    return _PROPAGATIONS.get(value(obj, PROPAGATION).lower(), "Foreground")
