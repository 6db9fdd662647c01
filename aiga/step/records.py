"""What was logged: lines of standard output that are records, and the whole log read back and summed up."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiga.errors import UserError
from aiga.step.log import record

OUTPUT = "output"
"""Key of a printed line whose object holds values that the step returns."""


@dataclass(frozen=True)
class Record:
    """One line of the log."""

    time: float
    """Seconds since 1970, UTC."""
    step: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)


def printed(line: bytes) -> Record | None:
    """The record that a line of standard output is, None for any other text.

    A record is a JSON object all of whose values are numbers, `{"loss": 0.3, "epoch": 1}`; its key `output` may hold
    an object of scalars, `{"output": {"threshold": 0.5}}`. JSON with anything else in it is some program's own.
    """
    text = line.strip()
    if not (text.startswith(b"{") and text.endswith(b"}")):
        return None
    try:
        values = json.loads(text)
        outputs = values.pop(OUTPUT, {})
        step, metrics = record(values, "")
    except (ValueError, RecursionError, UserError):
        return None
    if not isinstance(outputs, dict) or not all(
        isinstance(each, bool | int | float | str) for each in outputs.values()
    ):
        return None
    return Record(time.time(), step, metrics, outputs) if metrics or outputs else None


@dataclass
class Summary:
    """A whole log in short."""

    metrics: dict[str, float] = field(default_factory=dict)
    """Last value of each."""
    outputs: dict[str, Any] = field(default_factory=dict)
    not_finite: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Metrics that were NaN or infinite: how often (`count`), and the step (or line, from 1) of the first time."""
    spoilt: int = 0
    """Lines that are no records: cut off by a full disk."""


def read(path: Path) -> Iterator[Record | None]:
    """The records of a log, None for each line that is none; nothing where there is no log."""
    try:
        lines = open(path, "rb")  # noqa: SIM115 - closed by the with below
    except FileNotFoundError:
        return
    with lines:
        for line in lines:
            yield _record(line)


def summary(path: Path) -> Summary:
    """Sums up the log of a step."""
    found = Summary()
    for number, line in enumerate(read(path), start=1):
        if line is None:
            found.spoilt += 1
            continue
        found.metrics.update(line.metrics)
        found.outputs.update(line.outputs)
        for name, value in line.metrics.items():
            if isinstance(value, float) and not math.isfinite(value):
                where = {"line": number} if line.step is None else {"step": line.step}
                found.not_finite.setdefault(name, {"count": 0, **where})["count"] += 1
    return found


def _record(line: bytes) -> Record | None:
    try:
        data = json.loads(line)
        metrics = {name: value for name, value in data.get("metrics", {}).items() if isinstance(value, int | float)}
        return Record(float(data["time"]), data.get("step"), metrics, dict(data.get("outputs", {})))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
