"""The child in which user code runs, watched until it and all that it started are gone.

Three processes: this one, which captures and bounds; the child; and a guard. Guard and child share a process group. The
guard reads from a pipe that only this process holds open, so that when this one is killed, even by kill -9, the guard
kills the group at once: a step never goes on beside the try that replaces it, writing the same checkpoint.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, TextIO

from aiga.step.exits import status_of

Send = Callable[[Mapping[str, Any]], None]
"""Tells the parent how the child ended, once."""


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
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, Signals.asked)
        try:
            return cls._forked(body, signals, mask)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    @classmethod
    def _forked(cls, body: Callable[[Send], int], signals: Signals, mask: set[signal.Signals | int]) -> Child:
        """With signals held back until the child has its own handlers, lest one be lost to this process' ones."""
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
            _child(body, group, mask, [write for _, write in pipes])
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


def _child(body: Callable[[Send], int], group: int, mask: set[signal.Signals | int], ends: list[int]) -> NoReturn:
    code, (output, error, report) = 1, ends
    try:
        _join(0, group)
        Signals.restore()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
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
