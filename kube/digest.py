"""Digests of objects: of a manifest as written, and of the live fields that one field manager owns."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

_GONE = {"gone": True}


def canonical(value: Any) -> bytes:
    """The same bytes for equal values, whatever the order of their keys."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def of(obj: Any) -> str:
    """`sha256:…` of the canonical JSON."""
    return "sha256:" + hashlib.sha256(canonical(obj)).hexdigest()


def owned(live: Mapping[str, Any], manager: str) -> str:
    """Digest of exactly the live fields that `manager` owns, read from `metadata.managedFields`.

    Another manager that changes one of them takes it out of the set, and a change under the manager's own name
    changes the value: both change the digest. What others own besides does not.
    """
    entries = (live.get("metadata") or {}).get("managedFields") or []
    picked = [
        _pick(live, entry.get("fieldsV1") or {})
        for entry in sorted(entries, key=lambda entry: str(entry.get("operation")))
        if entry.get("manager") == manager and not entry.get("subresource")
    ]
    return of(picked)


def _pick(value: Any, fields: Mapping[str, Any]) -> Any:
    children = {path: below for path, below in fields.items() if path != "."}
    if not children:
        return value if "." not in fields else sorted(value) if isinstance(value, dict) else "."
    return {path: _pick(_step(value, path), below) for path, below in children.items()}


def _step(value: Any, path: str) -> Any:
    tag, _, rest = path.partition(":")
    if tag == "f":
        return value.get(rest, _GONE) if isinstance(value, dict) else _GONE
    items = value if isinstance(value, list) else []
    wanted = json.loads(rest)
    if tag == "i":
        return items[wanted] if wanted < len(items) else _GONE
    if tag == "v":
        return wanted if wanted in items else _GONE
    return next((item for item in items if _has_keys(item, wanted)), _GONE)


def _has_keys(item: Any, keys: Mapping[str, Any]) -> bool:
    return isinstance(item, dict) and all(item.get(key, keys[key]) == keys[key] for key in keys)
