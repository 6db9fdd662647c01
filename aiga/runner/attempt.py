"""One try of a step: a child process with its own group, watched while it runs, ended when it must be."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from aiga.environments import with_aiga
from aiga.names import LOG
from aiga.step.contract import STARTED_WITH
from aiga.step.order import Order

POLL = 0.05
PROCESS = "process.json"
"""Which process works in a folder."""
GRACE = 10.0
"""Seconds between SIGTERM and SIGKILL."""


@dataclass(frozen=True)
class Ended:
    """How a try ended. `cause` says why the runner ended it: a pruned trial. Timeouts are the step's own."""

    code: int
    cause: str = ""


class Stopped(Exception):
    """The run was asked to stop."""


def run(
    order: Order,
    *,
    python: Path,
    secrets: Mapping[str, str],
    stop: Callable[[], bool],
    metrics: Callable[[Mapping[str, Any]], str] = lambda _: "",
) -> Ended:
    """Runs one try to its end.

    Args:
        order: what to run; its folders exist.
        python: interpreter of the project's environment.
        secrets: environment variables that the step sees besides the contract's.
        stop: whether the whole run is to stop.
        metrics: is told each line the step logs; a text that it returns is the reason to end the try.

    Raises:
        Stopped: `stop` said so; the child is gone.
    """
    file = order.work / "order.json"
    order.write(file)
    watch = _Watch()
    tail = _Tail(order.work / "metrics.jsonl")
    with open(order.work / "process.log", "ab") as output:
        process = subprocess.Popen(
            [str(python), "-P", "-m", "aiga.step", str(file)],  # -P: no file of the project stands in for a module
            cwd=order.source,
            env=_environment(secrets),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    with contextlib.suppress(psutil.Error):
        created = psutil.Process(process.pid).create_time()
        (order.work / PROCESS).write_text(json.dumps({"pid": process.pid, "created": created}))
    cause = ""
    watch.of(process.pid)
    try:
        while process.poll() is None and not cause:
            watch.wait(POLL)
            cause = _told(tail, metrics)
            if stop():
                raise Stopped
    finally:
        end(process)
        watch.close()
    return Ended(process.returncode, cause or _told(tail, metrics))


def _told(tail: _Tail, metrics: Callable[[Mapping[str, Any]], str]) -> str:
    for line in tail.new():
        reason = metrics(line)
        if reason:
            return reason
    return ""


def _environment(secrets: Mapping[str, str]) -> dict[str, str]:
    """This process' own, without what belongs to a step that runs this very process."""
    inherited = {key: value for key, value in os.environ.items() if key != LOG}
    return {**with_aiga(inherited), **STARTED_WITH, **secrets}


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends the child and all that it started: politely first, for it keeps its checkpoint then."""
    if process.poll() is None:
        _signal(process, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
    _signal(process, signal.SIGKILL)
    process.wait()


def end_leftover(folder: Path) -> None:
    """Ends a try that a killed runner left at work in `folder`."""
    try:
        told = json.loads((folder / PROCESS).read_text())
        process = psutil.Process(told["pid"])
        if abs(process.create_time() - told["created"]) < 1:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(GRACE)
    except (OSError, ValueError, KeyError, psutil.Error):
        return


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


class _Watch:
    """Waits for a process to end, and wakes when it does where the system can tell (a pidfd)."""

    def __init__(self) -> None:
        self._pidfd: int | None = None

    def of(self, pid: int) -> None:
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):
                self._pidfd = os.pidfd_open(pid)

    def wait(self, seconds: float) -> None:
        if self._pidfd is None:
            time.sleep(seconds)
        else:
            select.select([self._pidfd], [], [], seconds)

    def close(self) -> None:
        if self._pidfd is not None:
            os.close(self._pidfd)


class _Tail:
    """New whole lines of a file that grows."""

    def __init__(self, file: Path) -> None:
        self._file, self._at = file, 0

    def new(self) -> list[Mapping[str, Any]]:
        try:
            with open(self._file, "rb") as lines:
                lines.seek(self._at)
                text = lines.read()
        except FileNotFoundError:
            return []
        whole = text[: text.rfind(b"\n") + 1]
        self._at += len(whole)
        found = []
        for line in whole.splitlines():
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
        return [line for line in found if isinstance(line, dict)]
