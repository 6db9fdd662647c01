"""`aiga serve` as a process of a test: its ports, and when it is ready."""

from __future__ import annotations

import socket
import subprocess
import time

import psutil
import pytest
import requests

STEPS = """
from pathlib import Path

def train(model: Path, more: int) -> None:
    model.write_text(str(more))
"""
"""Of a project whose model is a number."""
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


def until_ready(process: subprocess.Popen[str], http: int, patience: float = PATIENCE) -> None:
    """Waits until the gateway answers; skips the test where the servers' packages cannot be had."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if process.poll() is not None:
            output, _ = process.communicate()
            if "package index could not be reached" in output:
                pytest.skip("the model server's environment needs a package index: aiga serve where there is one")
            raise AssertionError(output)
        try:
            if requests.get(f"http://127.0.0.1:{http}/ready", timeout=1).ok:
                return
        except requests.RequestException:
            time.sleep(0.2)
    raise AssertionError("it is not ready")
