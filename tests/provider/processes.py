"""The engine that a test started, and the plugins below it."""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import dataclass


@dataclass(frozen=True)
class Process:
    """One running process."""

    pid: int
    parent: int
    command: str

    def send(self, number: signal.Signals) -> None:
        """Send a signal; none when it has ended meanwhile."""
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return


def engine_of(operation: str) -> Process | None:
    """The `pulumi` that this process runs for an operation."""
    for process in _all():
        words = process.command.split()
        if process.parent == os.getpid() and words[0].endswith("pulumi") and operation in words:
            return process
    return None


def plugins_of(engine: Process) -> list[Process]:
    """What the engine started: resource plugins."""
    return [process for process in _all() if process.parent == engine.pid]


def runs(process: Process) -> bool:
    """Whether it has not ended."""
    return any(other.pid == process.pid for other in _all())


def _all() -> list[Process]:
    table = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,ppid=,stat=,args="], capture_output=True, text=True, check=True
    ).stdout
    rows = (line.split(None, 3) for line in table.splitlines())
    ended = "Z"
    return [Process(int(row[0]), int(row[1]), row[3]) for row in rows if len(row) == 4 and not row[2].startswith(ended)]
