"""`aiga serve` as a process of a test: its ports, and when it is ready."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

STEPS = """
from pathlib import Path

def train(model: Path, more: int) -> None:
    model.write_text(str(more))
"""
"""Of a project whose model is a number."""
READY = b"Ctrl-C ends it"
"""Said when it serves, and a signal ends it in order."""
PATIENCE = 180.0
"""Seconds, for an environment may have to be installed first."""


def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def member(process: subprocess.Popen[str], part: str) -> psutil.Process:
    """The child of `aiga serve` whose command has a part."""
    (found,) = [one for one in psutil.Process(process.pid).children() if part in " ".join(one.cmdline())]
    return found


def until_ready(process: subprocess.Popen[str], patience: float = PATIENCE) -> str:
    """What it printed until it serves; skips the test where the servers' packages cannot be had.

    It reads the pipe itself, for `communicate` would miss what Python had buffered of it.
    """
    assert process.stdout is not None
    pipe, printed, deadline = process.stdout.fileno(), b"", time.monotonic() + patience
    while READY not in printed:
        ready, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"it is not ready: {printed.decode()}"
        part = os.read(pipe, 1 << 16)
        if not part and b"package index could not be reached" in printed:
            pytest.skip("the model server's environment needs a package index: aiga serve where there is one")
        assert part, printed.decode()
        printed += part
    return printed.decode()


@contextmanager
def serving(process: subprocess.Popen[str], patience: float = PATIENCE) -> Iterator[str]:
    """What `aiga serve` printed until it served; it ends with the block, unless it has ended."""
    try:
        yield until_ready(process, patience)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        print(process.communicate(timeout=60)[0])
