"""Processes of this machine: from /proc where there is one (a slim container has no `ps`), else from `ps`."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True)
class Process:
    """One process, as far as others may see it."""

    pid: int
    parent: int
    command: str


def running() -> Iterator[Process]:
    """Yield every process that is not a zombie."""
    if (_PROC / "self" / "stat").exists():
        for entry in _PROC.iterdir():
            found = _from_proc(int(entry.name)) if entry.name.isdigit() else None
            if found:
                yield found
    else:
        yield from _from_ps()


def find(pid: int) -> Process | None:
    """Return a process by its number; None when there is none."""
    return next((process for process in running() if process.pid == pid), None)


def environment(pid: int) -> list[str]:
    """Return a process's environment as `NAME=value`; empty where it is not ours to see."""
    if (_PROC / "self" / "environ").exists():
        with suppress(OSError):
            return (_PROC / str(pid) / "environ").read_bytes().decode(errors="replace").split("\0")
        return []
    return _ps("-Eww", "-o", "command=", "-p", str(pid)).split()


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal, if there is still somebody to take it."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def await_end(pids: Sequence[int], seconds: float) -> bool:
    """Wait until none of them runs; tell whether that came in time."""
    deadline = time.monotonic() + seconds
    while any(map(find, pids)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _from_proc(pid: int) -> Process | None:
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
        command = (_PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return None
    state, parent = stat.rpartition(")")[2].split()[:2]
    return None if state == "Z" else Process(pid, int(parent), command.replace("\0", " ").strip())


def _from_ps() -> Iterator[Process]:
    for line in _ps("-axww", "-o", "pid=,ppid=,stat=,command=").splitlines():
        pid, parent, state, command = line.split(maxsplit=3)
        if not state.startswith("Z"):
            yield Process(int(pid), int(parent), command)


def _ps(*arguments: str) -> str:
    return subprocess.run(["ps", *arguments], check=False, capture_output=True, text=True).stdout
