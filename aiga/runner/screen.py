"""What a person sees of a run: a table that lives on a terminal, plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from aiga.store import Progress

MARKS = {
    "waiting": ("·", "dim"),
    "running": ("▶", "cyan"),
    "done": ("✓", "green"),
    "reused": ("=", "green"),
    "failed": ("✗", "red"),
    "skipped": ("-", "yellow"),
}
SELDOM = 10.0
"""Seconds between two lines about one transfer, where there is no terminal."""
LEADERS = 8
"""Trials that the leaderboard shows."""


@dataclass
class _Row:
    state: str = "waiting"
    detail: str = ""
    began: float | None = None
    seconds: float | None = None


@dataclass
class _Trial:
    parameters: str
    value: float | None = None
    state: str = "running"
    reports: int = 0


class Screen:
    """Told of every change; safe to be told from several threads. Use it as a context while a run goes on."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._rows: dict[str, _Row] = {}
        self._trials: dict[int, _Trial] = {}
        self._transfers: dict[str, str] = {}
        self._goal = "max"
        self._metric = ""
        self._lock = threading.RLock()
        self._live: Live | None = None

    def __enter__(self) -> Screen:
        if self.console.is_terminal:
            self._live = Live(console=self.console, get_renderable=self._drawn, refresh_per_second=8, transient=False)
            self._live.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self.rest()

    def rest(self) -> None:
        """Draws the table for the last time, so that a person can be asked something below it."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def say(self, text: str) -> None:
        """Prints one line, above the table."""
        self.console.print(text, markup=False, emoji=False, highlight=False, soft_wrap=True)

    def expect(self, steps: list[str]) -> None:
        """Shows the steps that there are to do."""
        with self._lock:
            self._rows = {step: _Row() for step in steps}

    def step(self, name: str, state: str, detail: str = "") -> None:
        """Tells that a step is `running`, `done`, `reused`, `failed` or `skipped`."""
        with self._lock:
            row = self._rows.setdefault(name, _Row())
            if state == "running" and row.began is None:
                row.began = time.monotonic()
            if state != "running" and row.began is not None:
                row.seconds = time.monotonic() - row.began
            row.state, row.detail = state, detail or row.detail
        if self._live is None:
            took = f" in {row.seconds:.1f} s" if row.seconds is not None else ""
            self.say(f"{name}: {state}{took}{f' ({detail})' if detail else ''}")

    def transfer(self, what: str) -> Progress:
        """How far a transfer is: a line below the table; elsewhere a line now and then for one that takes long."""
        told = time.monotonic()

        def advance(done: int, total: int, /) -> None:
            nonlocal told
            text = f"{what}: {done / 1e6:.0f} of {total / 1e6:.0f} MB"
            with self._lock:
                self._transfers[what] = text
                if done >= total:
                    del self._transfers[what]
            if self._live is None and time.monotonic() - told > SELDOM:
                told = time.monotonic()
                self.say(text)

        return advance

    def search(self, metric: str, goal: str) -> None:
        """Begins a leaderboard of a metric that is to be `max` or `min`."""
        with self._lock:
            self._metric, self._goal, self._trials = metric, goal, {}

    def trial(
        self,
        number: int,
        parameters: Mapping[str, Any],
        *,
        state: str = "running",
        value: float | None = None,
        reason: str = "",
    ) -> None:
        """Tells of a trial: `running`, `complete`, `pruned` or `failed`, with the reason of a failure."""
        with self._lock:
            text = ", ".join(f"{name}={_short(item)}" for name, item in parameters.items())
            trial = self._trials.setdefault(number, _Trial(text))
            trial.reports += state == "running" and value is not None
            trial.state, trial.value = state, value if value is not None else trial.value
        if self._live is None and state != "running":
            told = reason if state == "failed" else f"{self._metric} {_short(trial.value)}"
            self.say(f"  trial {number}: {state}, {told} ({text})")

    def _drawn(self) -> Group:
        with self._lock:
            parts: list[Any] = [self._steps()]
            if self._trials:
                parts.append(self._leaders())
            parts += [Text(text, style="dim") for text in self._transfers.values()]
        return Group(*parts)

    def _steps(self) -> Table:
        table = Table(box=None, pad_edge=False, show_header=False)
        for name, row in self._rows.items():
            mark, style = MARKS[row.state]
            seconds = row.seconds
            if row.state == "running" and row.began is not None:
                seconds = time.monotonic() - row.began
            took = f"{seconds:.1f} s" if seconds is not None else ""
            table.add_row(Text(mark, style=style), Text(name), Text(took, style="dim"), Text(row.detail, style="dim"))
        return table

    def _leaders(self) -> Table:
        sign = -1 if self._goal == "max" else 1
        known = [t for t in self._trials.items() if t[1].value is not None]
        ranked = sorted(known, key=lambda t: sign * (t[1].value or 0.0))
        running = sum(t.state == "running" for t in self._trials.values())
        table = Table(title=f"{len(self._trials)} trials, {running} running", title_justify="left", box=None)
        for heading in ("", "trial", self._metric, "state", "parameters"):
            table.add_column(Text(heading))
        for place, (number, trial) in enumerate(ranked[:LEADERS], 1):
            told = (str(place), str(number), _short(trial.value), trial.state, trial.parameters)
            table.add_row(*map(Text, told))
        return table


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "none" if value is None else str(value)
