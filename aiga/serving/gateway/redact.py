"""Leaves fields out of what is logged, in the JSON of all three protocols."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

OUT = "[redacted]"


def redacted(value: Any, fields: Collection[str]) -> Any:
    """The JSON value with everything of these names taken out; the given one is not changed.

    A name may be that of a member anywhere (`instances[].age`), of a tensor (`{"name": "age", "data": …}`), or of a
    column (`{"names": ["age", …], "ndarray": …}` and `tensor`), whose place is kept by null.
    """
    if isinstance(value, list):
        return [redacted(item, fields) for item in value]
    if not isinstance(value, Mapping):
        return value
    if value.get("name") in fields and "data" in value:
        return {**{key: item for key, item in value.items() if key != "parameters"}, "data": OUT}
    kept = {key: OUT if key in fields else redacted(item, fields) for key, item in value.items()}
    columns = [at for at, name in enumerate(_names(value)) if name in fields]
    if columns:
        for key in ("ndarray", "tensor", "tftensor"):
            if key in kept:
                kept[key] = _without(kept[key], columns) if key == "ndarray" else OUT
    return kept


def _names(value: Mapping[str, Any]) -> list[Any]:
    names = value.get("names")
    return names if isinstance(names, list) else []


def _without(rows: Any, columns: Collection[int]) -> Any:
    """The rows with null in place of columns; all is taken out where rows are none."""
    if not isinstance(rows, list):
        return OUT
    if not all(isinstance(row, list) for row in rows):
        return [None if at in columns else cell for at, cell in enumerate(rows)]
    return [[None if at in columns else cell for at, cell in enumerate(row)] for row in rows]
