"""The child in which user code runs, watched until it and all that it started are gone.

Three processes: this one, which captures and bounds; the child; and a guard. Guard and child share a process group. The
guard reads from a pipe that only this process holds open, so that when this one is killed, even by kill -9, the guard
kills the group at once: a step never goes on beside the try that replaces it, writing the same checkpoint.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, TextIO

from aiga.step.capture import Stream
from aiga.step.exits import status_of
from aiga.step.order import Limits

Send = Callable[[Mapping[str, Any]], None]
"""Tells the parent how the child ended, once."""

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


class Signals:
    """Requests to stop, as they come in from `install` on. They interrupt nothing, so that metadata can be written."""

    asked = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

    def __init__(self) -> None:
        self.received: list[int] = []
        self.wake, self._waking = os.pipe()
        for end in (self.wake, self._waking):
            os.set_blocking(end, False)

    def install(self) -> None:
        signal.set_wakeup_fd(self._waking, warn_on_full_buffer=False)
        for each in self.asked:
            signal.signal(each, lambda number, _: self.received.append(number))
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def close(self) -> None:
        signal.set_wakeup_fd(-1)
        os.close(self.wake)
        os.close(self._waking)

    @classmethod
    def restore(cls) -> None:
        """What a child finds: the defaults, and a SIGTERM that lets `finally` blocks of Python run."""
        for each in (*cls.asked, signal.SIGCHLD):
            signal.signal(each, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, _leave_politely)


def _leave_politely(number: int, _: object) -> NoReturn:
    signal.signal(number, signal.SIG_IGN)
    raise SystemExit(128 + number)


@dataclass
class Child:
    """A running child with its group, and the ends of its pipes."""

    pid: int
    group: int
    lifeline: int
    output: int
    error: int
    report: int

    @classmethod
    def start(cls, body: Callable[[Send], int], signals: Signals) -> Child:
        """Forks the guard and the child; the child runs `body` and ends with the code that it returns."""
        sys.stdout.flush()
        sys.stderr.flush()
        watched, lifeline = os.pipe()
        group = os.fork()
        if group == 0:
            _guard(watched, lifeline)
        os.close(watched)
        _join(group, group)
        pipes = [os.pipe() for _ in range(3)]
        pid = os.fork()
        if pid == 0:
            signals.close()
            for end in (lifeline, *(read for read, _ in pipes)):
                os.close(end)
            _child(body, group, *(write for _, write in pipes))
        _join(pid, group)
        for _, write in pipes:
            os.close(write)
        return cls(pid, group, lifeline, *(read for read, _ in pipes))

    def signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.group, number)

    def gone(self) -> tuple[int, Mapping[str, float]] | None:
        """Its status and usage once it has ended."""
        pid, waited, used = os.wait4(self.pid, os.WNOHANG)
        if not pid:
            return None
        peak = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return status_of(waited), {"cpu_seconds": round(used.ru_utime + used.ru_stime, 3), "peak_memory": peak}

    def clear(self) -> None:
        """Kills what is left of the group, the guard last of all."""
        self.signal(signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.group, 0)
        for end in (self.lifeline, self.output, self.error, self.report):
            os.close(end)


def _join(pid: int, group: int) -> None:
    """Both sides put the child into its group, for either may come first."""
    with contextlib.suppress(OSError):
        os.setpgid(pid, group)


def _guard(watched: int, lifeline: int) -> NoReturn:
    os.close(lifeline)
    _join(0, 0)
    for each in Signals.asked:
        signal.signal(each, signal.SIG_IGN)
    os.read(watched, 1)
    os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _child(body: Callable[[Send], int], group: int, output: int, error: int, report: int) -> NoReturn:
    code = 1
    try:
        _join(0, group)
        Signals.restore()
        with open(os.devnull, "rb") as nothing:
            os.dup2(nothing.fileno(), 0)
        os.dup2(output, 1)
        os.dup2(error, 2)
        os.close(output)
        os.close(error)
        sys.stdout = _text(1)  # anew: what was made for a terminal or a file does not suit a pipe
        sys.stderr = _text(2)

        def send(told: Mapping[str, Any]) -> None:
            data = json.dumps(told).encode()
            while data:
                data = data[os.write(report, data) :]

        code = body(send)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        _leave(code)


def _text(file: int) -> TextIO:
    return open(file, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)


def _leave(code: int) -> NoReturn:
    """Ends a forked process as the interpreter ends: threads awaited, exit handlers run, streams flushed."""
    import atexit
    import threading

    try:
        threading._shutdown()  # type: ignore[attr-defined]  # as multiprocessing does in its children
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


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
