"""A project's folder, orders of its steps, and real processes that run them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiga.step.metadata import Metadata
from aiga.step.order import Limits, Order
from aiga.step.records import Record, read

ROOT = Path(__file__).parents[2]
TAG = "20260101t000000-abcdef"
PATIENCE = 20.0


@dataclass(frozen=True)
class Ran:
    """One finished process."""

    code: int
    printed: str
    errors: str
    metadata: Metadata
    order: Order

    @property
    def outputs(self) -> Path:
        return self.order.work / "outputs"


class World:
    """The folder of one test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source = folder / "project"
        self.source.mkdir()
        self.tries = 0

    def code(self, text: str, name: str = "steps.py") -> None:
        (self.source / name).write_text(textwrap.dedent(text))

    def data(self, text: str = "1,2\n", name: str = "data.csv") -> Path:
        file = self.folder / name
        file.write_text(text)
        return file

    def order(self, call: str = "steps:step", **changes: Any) -> Order:
        self.tries += 1
        grace = changes.pop("grace", 5.0)
        limits = {name: changes.pop(name) for name in ("cpu", "memory", "timeout") if name in changes}
        given: dict[str, Any] = {
            "project": "iris",
            "run": TAG,
            "step": "train",
            "call": call,
            "source": self.source,
            "work": self.folder / f"work-{self.tries}",
            "checkpoint": self.folder / "checkpoint",
            "limits": Limits(grace=grace, **limits),
        }
        return Order(**{**given, **changes})

    def start(self, order: Order, **environment: str) -> subprocess.Popen[str]:
        file = self.folder / f"order-{self.tries}.json"
        order.write(file)
        return subprocess.Popen(
            [sys.executable, "-m", "aiga.step", str(file)],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )

    def ended(self, process: subprocess.Popen[str], order: Order) -> Ran:
        printed, errors = process.communicate(timeout=PATIENCE)
        return Ran(process.returncode, printed, errors, Metadata.read(order.work / "metadata.yaml"), order)

    def run(self, call: str = "steps:step", environment: dict[str, str] | None = None, **changes: Any) -> Ran:
        """Runs a step to its end."""
        order = self.order(call, **changes)
        return self.ended(self.start(order, **(environment or {})), order)

    def stopped(self, order: Order, when: Path, number: signal.Signals) -> Ran:
        """Starts a step, waits for a file that it writes, sends the signal to the process that wraps it."""
        process = self.start(order)
        await_file(when)
        process.send_signal(number)
        return self.ended(process, order)


def await_file(file: Path) -> None:
    eventually(file.exists, f"{file.name} was never written")


def eventually(holds: Callable[[], bool], otherwise: str) -> None:
    until = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < until, otherwise
        time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in ("Z", "X")


def records(order: Order) -> list[Record]:
    return [line for line in read(order.work / "metrics.jsonl") if line is not None]


def parameters(ran: Ran) -> Any:
    return json.loads((ran.order.work / "parameters.json").read_text())
