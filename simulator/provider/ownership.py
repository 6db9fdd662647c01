"""Which field manager owns what, by `metadata.managedFields`, and how a field changes hands."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from simulator.provider import marks
from simulator.provider.diff import Path
from simulator.provider.wire import Properties

CREATOR = "pulumi-kubernetes"
"""Manager of a plain create; the first update moves its fields to the resource's own manager."""

_OWN = frozenset({(name, "Update") for name in (CREATOR, "pulumi-kubernetes.exe", "pulumi-resource-kubernetes")})
_TAKEN = _OWN | {("kubectl", "Apply"), ("kubectl", "Update"), ("before-first-apply", "Update")}


def entries(live: Properties) -> list[dict[str, Any]]:
    """The managed fields, one entry for each manager, operation and subresource."""
    return list((live.get("metadata") or {}).get("managedFields") or [])


def claim(live: Properties, manager: str) -> list[dict[str, Any]] | None:
    """The JSON patch that hands `manager` what earlier tools wrote; None when there is nothing to take."""
    found = entries(live)
    taken = [entry for entry in found if _key(entry) in _TAKEN and not entry.get("subresource")]
    if not taken:
        return None
    own = next((entry for entry in found if _key(entry) == (manager, "Apply")), None)
    claimed = copy.deepcopy(own or {**taken[0], "manager": manager, "operation": "Apply"})
    for entry in taken:
        claimed["fieldsV1"] = _union(claimed.get("fieldsV1") or {}, entry.get("fieldsV1") or {})
    kept = [entry for entry in found if entry not in taken and entry is not own]
    return [
        {"op": "replace", "path": "/metadata/managedFields", "value": [*kept, claimed]},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": live["metadata"]["resourceVersion"]},
    ]


def _key(entry: dict[str, Any]) -> tuple[str, str]:
    return str(entry.get("manager")), str(entry.get("operation"))


def _union(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    merged = dict(one)
    for key, value in other.items():
        merged[key] = _union(merged.get(key) or {}, value) if isinstance(value, dict) else value
    return merged


def force(inputs: Properties, live: Properties | None, *, always: bool, preview: bool) -> bool:
    """Whether to take fields over from other managers."""
    if always or marks.true(inputs, marks.FORCE):
        return True
    if live is not None and not entries(live):
        return True  # written before managers were kept
    return preview and (live is None or any(_key(entry) in _OWN for entry in entries(live)))


def without_ignored(inputs: Properties, live: Properties, manager: str, paths: Sequence[Path]) -> Properties:
    """What to send: an ignored field keeps its live value, and is left out where another manager alone owns it."""
    result = copy.deepcopy(inputs)
    for path in paths:
        ours = any(_owns(entry, path) for entry in entries(live) if entry.get("manager") == manager)
        theirs = any(_owns(entry, path) for entry in entries(live) if entry.get("manager") != manager)
        if theirs and not ours:
            _remove(result, path)
        else:
            _copy(live, result, path)
    return result


def _owns(entry: dict[str, Any], path: Path) -> bool:
    fields: Any = entry.get("fieldsV1") or {}
    for step in path:
        if not isinstance(fields, dict) or f"f:{step}" not in fields:
            return False
        fields = fields[f"f:{step}"]
    return True


def _remove(obj: Any, path: Path) -> None:
    for step in path[:-1]:
        obj = obj.get(step) if isinstance(obj, dict) else None
    if isinstance(obj, dict):
        obj.pop(path[-1], None)


def _copy(source: Any, target: Any, path: Path) -> None:
    for step in path[:-1]:
        if not isinstance(source, dict) or step not in source or not isinstance(target, dict):
            return
        source, target = source[step], target.setdefault(step, {})
    if isinstance(source, dict) and path[-1] in source and isinstance(target, dict):
        target[path[-1]] = copy.deepcopy(source[path[-1]])
