"""What an update would change, field by field, and what somebody changed behind the program's back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from typing import Any

from simulator.provider.immutable import Pattern, touches
from simulator.provider.wire import UNKNOWN

Path = tuple[str | int, ...]


class Kind(IntEnum):
    """The engine's kinds of change; the replacing one follows the plain one."""

    ADD = 0
    ADD_REPLACE = 1
    DELETE = 2
    DELETE_REPLACE = 3
    UPDATE = 4
    UPDATE_REPLACE = 5


@dataclass(frozen=True)
class Change:
    """One changed field."""

    path: Path
    kind: Kind
    value: Any = None


def prune(source: Any, shape: Any) -> Any:
    """`source` without what `shape` has not: what the server and other managers added falls away."""
    if isinstance(source, dict) and isinstance(shape, dict):
        return {key: prune(value, shape[key]) for key, value in source.items() if key in shape}
    if isinstance(source, list) and isinstance(shape, list):
        return [prune(value, below) for value, below in zip(source, shape, strict=False)]
    return source


def drift(inputs: Any, before: Any, now: Any) -> Any:
    """The inputs that would explain what is there now: as they were, but for what changed since `before`."""
    if before == now:
        return inputs
    if isinstance(inputs, dict) and isinstance(before, dict) and isinstance(now, dict):
        return dict(_drifted_keys(inputs, before, now))
    if isinstance(inputs, list) and isinstance(before, list) and isinstance(now, list):
        kept = [drift(old, was, new) for old, was, new in zip(inputs, before, now, strict=False)]
        added = [prune(new, old) for old, new in list(zip(inputs, now, strict=False))[len(before) :]]
        return kept + added
    return prune(now, inputs)


def _drifted_keys(inputs: dict[str, Any], before: dict[str, Any], now: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in inputs.items():
        if key in now:
            yield key, drift(value, before[key], now[key]) if key in before else prune(now[key], value)
        elif key not in before:
            yield key, value


class Comparison:
    """Compares the live object, cut to the shape of the old inputs, with the new inputs."""

    def __init__(self, immutable: Sequence[Pattern], old_inputs: Any, *, canonical: bool) -> None:
        self._immutable = immutable
        self._old_inputs = old_inputs
        self._canonical = canonical
        self._found: list[Change] = []

    def run(self, live: dict[str, Any], new: dict[str, Any]) -> list[Change]:
        """Every change, in the order of the new inputs."""
        self._maps((), live, new, self._old_inputs)
        return self._found

    def _maps(self, path: Path, live: dict[str, Any], new: dict[str, Any], old: Any) -> None:
        before = old if isinstance(old, dict) else {}
        for key, value in new.items():
            if key in live:
                self._values((*path, key), live[key], value, before.get(key))
            elif value is not None and not (self._canonical and key in before and _empty(value)):
                self._add((*path, key), Kind.ADD, value)
        for key in live:
            if key not in new:
                self._add((*path, key), Kind.DELETE)

    def _lists(self, path: Path, live: list[Any], new: list[Any], old: Any) -> None:
        before = old if isinstance(old, list) else []
        for index, value in enumerate(new):
            below = before[index] if index < len(before) else None
            if index < len(live):
                self._values((*path, index), live[index], value, below)
            else:
                self._add((*path, index), Kind.ADD, value)
        for index in range(len(new), len(live)):
            self._add((*path, index), Kind.DELETE)

    def _values(self, path: Path, live: Any, new: Any, old: Any) -> None:
        if new is UNKNOWN:
            self._add(path, Kind.UPDATE, new)
        elif isinstance(live, dict) and isinstance(new, dict):
            self._maps(path, live, new, old)
        elif isinstance(live, list) and isinstance(new, list):
            self._lists(path, live, new, old)
        elif not (_same(live, new) or (self._canonical and self._same_to_server(path, live, new, old))):
            self._add(path, Kind.UPDATE, new)

    def _same_to_server(self, path: Path, live: Any, new: Any, old: Any) -> bool:
        if live is None and _empty(new):
            return True
        return (new == "" and old == "") or (_measures(path) and _quantity(live) == _quantity(new) is not None)

    def _add(self, path: Path, kind: Kind, value: Any = None) -> None:
        if any(touches(path, value, pattern) for pattern in self._immutable):
            kind = Kind(kind + 1)
        self._found.append(Change(path, kind, value))


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _empty(value: Any) -> bool:
    return not value


_QUANTITIES = (
    *("requests", "limits", "hard", "capacity", "overhead", "storage", "sizeLimit", "divisor", "averageValue", "value"),
    *("max", "min", "default", "defaultRequest", "maxLimitRequestRatio"),
)
"""Fields that hold quantities, at or below them."""
_SUFFIXES = {
    "": Fraction(1),
    **{suffix: Fraction(1000) ** power for power, suffix in enumerate(("n", "u", "m"), start=-3)},
    **{suffix: Fraction(1000) ** power for power, suffix in enumerate(("k", "M", "G", "T", "P", "E"), start=1)},
    **{suffix: Fraction(1024) ** power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)},
}
_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:[eE]([+-]?\d{1,2})|([numkMGTPE]i?|Ki)?)")


def _measures(path: Path) -> bool:
    return any(step in _QUANTITIES for step in path)


def _quantity(value: Any) -> Fraction | None:
    match = _QUANTITY.fullmatch(str(value)) if isinstance(value, str | int | float) else None
    if match is None or (match[3] or "") not in _SUFFIXES:
        return None
    return Fraction(match[1]) * Fraction(10) ** int(match[2] or 0) * _SUFFIXES[match[3] or ""]


def shown(path: Path) -> str:
    """The path as the engine spells it: `spec.containers[0]["a.b"]`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif re.search(r'[."\[\]]', step):
            quoted = step.replace('"', '\\"')
            text += f'["{quoted}"]'
        else:
            text += f".{step}" if text else step
    return text


def parsed(text: str) -> Path:
    """The inverse of `shown`, as found in ignoreChanges; `*` stays a step."""
    steps: list[str | int] = []
    for match in re.finditer(r'\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|\[(\*)\]|([^.\[\]]+)', text):
        if match[1] is not None:
            steps.append(match[1].replace('\\"', '"'))
        elif match[2] is not None:
            steps.append(int(match[2]))
        else:
            steps.append(match[3] or match[4])
    return tuple(steps)


def ignored(path: Path, patterns: Sequence[Path]) -> bool:
    """Whether one of the ignored paths contains this one."""
    return any(
        len(pattern) <= len(path) and all(wanted in (step, "*") for step, wanted in zip(path, pattern, strict=False))
        for pattern in patterns
    )
