"""Values that a step returns: checked against the types that the project file declares."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from typing import Any

from aiga.errors import UserError
from aiga.step.log import NAME, scalar

Scalar = bool | int | float | str


def sorted_out(result: Any, returns: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, float], list[str]]:
    """What a function's result holds: values that are declared, metrics, and remarks on what is left out.

    A dictionary gives values by name, its other numbers are metrics. Anything else is the value of the only name that
    is declared. A step that declares nothing may return what it likes.

    Raises:
        UserError: values are declared, and the result does not say which it is.
    """
    if not isinstance(result, Mapping):
        if len(returns) == 1 and result is not None:
            return {next(iter(returns)): scalar(result)}, {}, []
        if returns and result is not None:
            raise UserError(
                f"returned {_told(result)}: must be a dictionary with {', '.join(returns)}, as the step declares these"
            )
        return {}, {}, []
    values, metrics, remarks = {}, {}, []
    for name, value in result.items():
        plain = scalar(value)
        if name in returns:
            values[name] = plain
        elif NAME.fullmatch(str(name)) and isinstance(plain, int | float) and not isinstance(plain, bool):
            metrics[str(name)] = plain
        else:
            remarks.append(f"returned {name}, which is no metric and not declared under `returns`: left out")
    return values, metrics, remarks


def plainly(returned: Mapping[str, Any], returns: Mapping[str, str], step: str) -> dict[str, Scalar]:
    """The values that a function returned, as their declared types; others may be given by `aiga.output`.

    Raises:
        UserError: all that are of another type.
    """
    return typed(returned, {name: kind for name, kind in returns.items() if name in returned}, step)


def typed(given: Mapping[str, Any], returns: Mapping[str, str], step: str) -> dict[str, Scalar]:
    """The values as their declared types.

    Raises:
        UserError: all that are missing, not declared, or of another type.
    """
    undeclared = [name for name in given if name not in returns]
    wrong = [f"{step}: value {name}: not declared under `returns`{nearest(name, returns)}" for name in undeclared]
    found: dict[str, Scalar] = {}
    for name, kind in returns.items():
        if name not in given:
            wrong.append(
                f"{step}: value {name} ({kind}) is missing: return {{{name!r}: …}}, call aiga.output({name}=…), "
                f'or print {{"output": {{"{name}": …}}}}'
            )
        elif (value := _as(given[name], kind)) is None:
            wrong.append(f"{step}: value {name}: must be {_MEANS[kind]}, got {_told(given[name])}")
        else:
            found[name] = value
    if wrong:
        raise UserError("\n".join(wrong))
    return found


_MEANS = {
    "number": "a finite number",
    "integer": "a whole number",
    "boolean": "true or false",
    "text": "a text",
}


def _as(value: Any, kind: str) -> Scalar | None:
    plain = scalar(value)
    boolean = isinstance(plain, bool)
    if kind == "number" and isinstance(plain, int | float) and not boolean:
        return _finite(plain)
    if kind == "integer" and isinstance(plain, int) and not boolean:
        return plain
    if kind == "boolean" and boolean:
        return bool(plain)
    return plain if kind == "text" and isinstance(plain, str) else None


def _finite(value: float) -> float | None:
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def _told(value: Any) -> str:
    return f"{str(value)[:80]!r} ({type(value).__name__})"


def nearest(name: str, known: Mapping[str, Any] | list[str]) -> str:
    """` (nearest: …)` with the known name that is most like this one, or nothing."""
    found = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.5)
    return f" (nearest: {found[0]})" if found else ""
