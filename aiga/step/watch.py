"""Watching the child: what it prints and reports is taken, and it is ended when it must be."""

from __future__ import annotations

import json
import os
import selectors
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiga.step.capture import Stream
from aiga.step.order import Limits
from aiga.step.process import Child, Signals

_CHUNK = 1 << 16
_LOOK = 0.5
"""Seconds between looks at whether the runner is there."""
_LINGER = 1.0
"""Seconds that what the child started may go on printing after the child itself has ended."""


@dataclass(frozen=True)
class Ended:
    """How the child ended."""

    status: int
    """Exit status; negative for the signal that ended it."""
    report: Mapping[str, Any] | None
    """What it sent."""
    stopped: str = ""
    """Why the step was asked to stop from outside."""
    timed_out: bool = False
    usage: Mapping[str, float] = field(default_factory=dict)
    """Seconds of processor time and bytes of memory at the peak, of the child and what it waited for."""


def watch(child: Child, limits: Limits, signals: Signals, streams: tuple[Stream, Stream], runner: int | None) -> Ended:
    """Captures what the child prints and ends it when it must be; returns when it and its group are gone."""
    return _Watch(child, limits, signals, streams, runner).until_gone()


class _Watch:
    def __init__(
        self, child: Child, limits: Limits, signals: Signals, streams: tuple[Stream, Stream], runner: int | None
    ) -> None:
        self.child, self.limits, self.signals, self.runner = child, limits, signals, runner
        self.streams = {child.output: streams[0], child.error: streams[1]}
        self.report = b""
        self.stopped, self.timed_out = "", False
        self.deadline = None if limits.timeout is None else time.monotonic() + limits.timeout
        self.kill_at: float | None = None
        self.selector = selectors.DefaultSelector()
        for end in (*self.streams, child.report, signals.wake):
            os.set_blocking(end, False)
            self.selector.register(end, selectors.EVENT_READ)

    def until_gone(self) -> Ended:
        while (gone := self.child.gone()) is None:
            self._look()
            self._read(self._pause())
        status, usage = gone
        last = time.monotonic() + _LINGER
        while len(self.selector.get_map()) > 1 and (left := last - time.monotonic()) > 0:
            self._read(left)
        for stream in self.streams.values():
            stream.end()
        self.selector.close()
        self.child.clear()
        report = json.loads(self.report) if self.report.endswith(b"}") else None
        return Ended(status, report, self.stopped, self.timed_out, usage)

    def _pause(self) -> float | None:
        ends = [at for at in (self.deadline, self.kill_at) if at is not None]
        pauses = [max(0.0, at - time.monotonic()) for at in ends]
        return min([*pauses, _LOOK] if self.runner is not None else pauses, default=None)

    def _look(self) -> None:
        """Ends the child if anything asks for it."""
        now = time.monotonic()
        for number in self.signals.received:
            self._end(number, stopped=f"stopped by {signal.Signals(number).name}")
        self.signals.received.clear()
        if self.runner is not None and os.getppid() != self.runner:
            self.runner = None
            self._end(signal.SIGTERM, stopped="stopped, for the process that ran it is gone")
        if self.deadline is not None and now >= self.deadline:
            self.deadline, self.timed_out = None, True
            self._end(signal.SIGTERM)
        if self.kill_at is not None and now >= self.kill_at:
            self.kill_at = None
            self.child.signal(signal.SIGKILL)

    def _end(self, number: int, stopped: str = "") -> None:
        """The first time politely; asked again, at once."""
        self.stopped = self.stopped or stopped
        if self.kill_at is None:
            self.deadline, self.kill_at = None, time.monotonic() + self.limits.grace
            self.child.signal(number)
        else:
            self.child.signal(signal.SIGKILL)

    def _read(self, pause: float | None) -> None:
        for key, _ in self.selector.select(pause):
            try:
                data = os.read(key.fd, _CHUNK)
            except BlockingIOError:
                continue
            if key.fd == self.signals.wake:
                continue
            if not data:
                self.selector.unregister(key.fd)
            elif key.fd == self.child.report:
                self.report += data
            else:
                self.streams[key.fd].feed(data)
