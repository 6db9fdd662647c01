"""What a value must be like, as a mask over a column: True where it fulfils the rule. Nulls are no concern here."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Literal

import numpy as np
import pandas as pd
from pandas.api import types

from aiga.errors import UserError
from aiga.spec.base import Scalar
from aiga.spec.expect import Column

Kind = Literal["integer", "number", "text", "boolean", "datetime"]
Mask = Callable[["pd.Series[Any]"], "pd.Series[bool]"]
_NAMED = {
    "integer": "an integer",
    "number": "a number",
    "text": "text",
    "boolean": "true or false",
    "datetime": "a date or time in ISO 8601",
}


def rules(column: Column, text: bool) -> dict[str, Mask]:
    """Rule in words, to the mask of the values that fulfil it.

    Args:
        text: Whether all values are text that stands for another type, as in CSV.

    Raises:
        UserError: the rules cannot hold together.
    """
    kind = column.type or _implied(column)
    found: dict[str, Mask] = {}
    if kind:
        found[f"must be {_NAMED[kind]}"] = lambda values: of_kind(values, kind, text)
    if column.min is not None or column.max is not None:
        if kind not in ("integer", "number"):
            raise UserError(f"min and max need type integer or number, got {kind}")
        if column.min is not None:
            found[f"must be at least {column.min:g}"] = _bound(kind, text, least=column.min)
        if column.max is not None:
            found[f"must be at most {column.max:g}"] = _bound(kind, text, most=column.max)
    if column.values is not None:
        allowed = column.values
        named = ", ".join(map(str, allowed[:8])) + (", …" if len(allowed) > 8 else "")
        found[f"must be one of {named}"] = lambda values: (
            ~of_kind(values, kind, text) | _among(values, allowed, kind, text)
        )
    if column.pattern is not None:
        found[f"must match {column.pattern}"] = _pattern(column.pattern)
    return found


def of_kind(values: pd.Series[Any], kind: Kind | None, text: bool) -> pd.Series[bool]:
    """Where a value is of this kind. Whole floats count as integers: that is what integers beside nulls become."""
    if kind in ("integer", "number"):
        found = numbers(values, text)
        return found.notna() if kind == "number" else found.notna() & (found % 1 == 0)
    if kind == "boolean":
        return values.str.lower().isin(["true", "false"]) if text else _each(values, _is_boolean)
    if kind == "datetime":
        return _is_time(values)
    if kind == "text" and not text:
        return _each(values, lambda value: isinstance(value, str))
    return pd.Series(True, index=values.index)


def numbers(values: pd.Series[Any], text: bool) -> pd.Series[Any]:
    """As numbers; null where a value is none."""
    if types.is_bool_dtype(values.dtype):
        return pd.Series(np.nan, index=values.index)
    if types.is_numeric_dtype(values.dtype):
        return values.astype(float) if types.is_extension_array_dtype(values.dtype) else values
    if text:
        return pd.to_numeric(values, errors="coerce")
    return pd.Series([float(value) if _is_number(value) else np.nan for value in values], values.index, dtype=float)


def _implied(column: Column) -> Kind | None:
    """The type that the other rules take for granted."""
    if column.min is not None or column.max is not None:
        return "number"
    if column.pattern is not None:
        return "text"
    kinds: set[type] = {type(value) for value in column.values or ()}
    if kinds == {bool}:
        return "boolean"
    if kinds == {str}:
        return "text"
    return "number" if kinds and kinds <= {int, float} else None


def _bound(kind: Kind, text: bool, least: float = -np.inf, most: float = np.inf) -> Mask:
    """What is of another kind passes: that is told by the rule about the kind."""

    def mask(values: pd.Series[Any]) -> pd.Series[bool]:
        found = numbers(values, text)
        return found.between(least, most) | ~of_kind(values, kind, text)

    return mask


def _among(values: pd.Series[Any], allowed: Sequence[Scalar], kind: Kind | None, text: bool) -> pd.Series[bool]:
    if kind in ("integer", "number"):
        return numbers(values, text).isin([float(each) for each in allowed])
    if kind == "boolean":
        return values.astype(str).str.lower().isin([str(each).lower() for each in allowed])
    return values.isin([str(each) for each in allowed] if text else list(allowed))


def _pattern(pattern: str) -> Mask:
    compiled = re.compile(pattern)
    return lambda values: _each(
        values, lambda value: not isinstance(value, str) or compiled.fullmatch(value) is not None
    )


def _each(values: pd.Series[Any], holds: Callable[[Any], bool]) -> pd.Series[bool]:
    return pd.Series([holds(value) for value in values], index=values.index, dtype=bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal | np.number) and not isinstance(value, bool)


def _is_boolean(value: Any) -> bool:
    return isinstance(value, bool | np.bool_)


def _is_time(values: pd.Series[Any]) -> pd.Series[bool]:
    if types.is_datetime64_any_dtype(values.dtype):
        return pd.Series(True, index=values.index)
    dates = _each(values, lambda value: isinstance(value, date | np.datetime64))
    words = _each(values, lambda value: isinstance(value, str))
    parsed = pd.to_datetime(values.where(words), format="ISO8601", errors="coerce", utc=True)
    return dates | parsed.notna()
