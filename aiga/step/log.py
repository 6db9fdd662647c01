"""`aiga.log` and `aiga.output`: what user code tells of itself, one JSON line each, in the file that $AIGA_LOG names.

A call is one `write` of one whole line to a file opened for appending. So lines of threads, forked workers and other
processes do not mix, and what was logged before a kill -9 is in the file. That costs a few µs; a
buffer would need a thread, a lock and a hook for each way in which a process may end.
"""

from __future__ import annotations

import json
import math
import os
import re
import time
from collections.abc import Mapping
from numbers import Number
from pathlib import Path
from typing import Any

from aiga.errors import TransientError, UserError
from aiga.names import LOG

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.@/-]{0,99}")
"""What a metric may be called; `aiga.spec.base.MetricName` says the same of the project file."""
STEPS = ("step", "epoch", "iteration")
"""Keys that say how far training is, not how good: the first of them that is there orders the records."""

_encode = json.JSONEncoder().encode
_known: set[str] = set()


def log(step: float | None = None, **metrics: Any) -> None:
    """Records metrics of this step; outside of a run it only checks its arguments.

    Args:
        step: how far training is; `epoch` or `iteration` among the metrics when left out.
        metrics: name to number. Scalars of NumPy and the like are taken; NaN and infinity are recorded and flagged.

    Raises:
        UserError: a name or value that cannot be recorded.
        TransientError: the file cannot be written, for instance on a full disk.
    """
    at, values = record(metrics if step is None else {"step": step, **metrics}, "aiga.log")
    if (file := _current()) is not None:
        file.metrics(values, at)


def output(**values: Any) -> None:
    """Gives values that the project file names under `returns`; outside of a run it only checks its arguments.

    Raises:
        UserError: a value that is not a number, a boolean or a text.
        TransientError: the file cannot be written, for instance on a full disk.
    """
    wrong = [
        f"aiga.output: {name}: must be a number, a boolean or a text, got {_told(value)}"
        for name, value in values.items()
        if not isinstance(scalar(value), bool | int | float | str)
    ]
    if wrong:
        raise UserError("\n".join(wrong))
    if (file := _current()) is not None:
        file.outputs({name: scalar(value) for name, value in values.items()})


def record(values: Mapping[str, Any], by: str) -> tuple[float | None, dict[str, float]]:
    """The step and the metrics of what was logged.

    Raises:
        UserError: all names and values that cannot be recorded, as told by `by`.
    """
    metrics: dict[str, float] = {}
    wrong = []
    for name, value in values.items():
        if name not in _known:
            if not NAME.fullmatch(name):
                wrong.append(
                    f"{by}: metric {name[:120]!r}: a name must begin with a letter and have letters, digits, "
                    "_ . @ / - only, at most 100"
                )
                continue
            _known.add(name)
        kind = type(value)
        number = value if kind is float or kind is int else scalar(value)
        if isinstance(number, bool) or not isinstance(number, int | float):
            wrong.append(f"{by}: metric {name}: must be a number, got {_told(value)}")
        else:
            metrics[name] = number
    step = next((metrics.pop(key) for key in STEPS if key in metrics), None)
    if isinstance(step, float) and not math.isfinite(step):
        wrong.append(f"{by}: step: must be finite, got {step}")
    if wrong:
        raise UserError("\n".join(wrong))
    return step, metrics


def scalar(value: Any) -> Any:
    """The plain value of a scalar of NumPy or a one-element tensor; anything else as it is."""
    if isinstance(value, bool | int | str) or value is None:
        return value
    if isinstance(value, float):
        return float(value)
    if callable(item := getattr(value, "item", None)):
        try:
            return item()
        except (TypeError, ValueError, RuntimeError):
            return value
    return float(value) if isinstance(value, Number) and hasattr(value, "__float__") else value


def _told(value: Any) -> str:
    return f"{str(value)[:60]!r} ({type(value).__name__})"


class LogFile:
    """The file, open for appending."""

    def __init__(self, path: Path | str) -> None:
        self.path, self.pid = str(path), os.getpid()
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def metrics(self, values: Mapping[str, float], step: float | None = None) -> None:
        self._append({"time": time.time(), "step": step, "metrics": values})

    def outputs(self, values: Mapping[str, Any]) -> None:
        self._append({"time": time.time(), "outputs": values})

    def close(self) -> None:
        os.close(self._file)

    def _append(self, line: Mapping[str, Any]) -> None:
        data = (_encode(line) + "\n").encode()
        try:
            written = os.write(self._file, data)
            while written < len(data):
                written += os.write(self._file, data[written:])
        except OSError as error:
            raise TransientError(f"{self.path}: cannot be written: {error.strerror}") from error


_file: LogFile | None = None


def _current() -> LogFile | None:
    """The file that the environment names; a forked process opens its own, for it may have closed what it got."""
    global _file  # noqa: PLW0603 - one process has one log
    path = os.environ.get(LOG)
    if not path:
        return None
    if _file is None or _file.path != path or _file.pid != os.getpid():
        try:
            _file = LogFile(path)
        except OSError as error:
            raise TransientError(f"{path}: cannot be opened: {error.strerror}") from error
    return _file
