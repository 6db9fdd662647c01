"""Tools that are on this machine already: what is on PATH, and which version a program says it is."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tools import versions
from tools.catalogue import Tool
from tools.errors import Impossible

_PATIENCE = 20.0
"""Seconds for a program to print its version; a cold disk is slow, a hung wrapper script must not hang us."""
_QUIET = {"PULUMI_SKIP_UPDATE_CHECK": "true"}


def on_path(tool: Tool) -> Path:
    """The first on PATH whose version fits; Impossible says what was there instead."""
    misfits = []
    for file in _candidates(tool.name):
        try:
            version = version_of(tool, file)
        except Impossible as error:
            misfits.append(error.why)
            continue
        if versions.fits(version, tool.fits):
            return file
        misfits.append(f"{file} is {version}, not {tool.fits}")
    raise Impossible("; ".join(misfits) or "not there", f"put {tool.name} ({tool.fits}) on PATH")


def _candidates(name: str) -> Iterator[Path]:
    seen = set()
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        file = Path(folder or ".") / name
        if file.is_file() and os.access(file, os.X_OK) and file.resolve() not in seen:
            seen.add(file.resolve())
            yield file.absolute()


def version_of(tool: Tool, file: Path) -> str:
    """What the program says when asked for its version."""
    said = _ask([str(file), *tool.asks])
    match = re.search(tool.prints, said)
    if match is None:
        raise Impossible(f"{file} does not say its version: {' '.join(said.split())[:120]!r}")
    return match[1]


def _ask(command: list[str]) -> str:
    for tries_left in reversed(range(10)):
        try:
            answer = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=_PATIENCE,
                env=os.environ | _QUIET,
                check=False,
            )
            return answer.stdout.decode(errors="replace")
        except subprocess.TimeoutExpired as error:
            raise Impossible(f"`{' '.join(command)}` gave no answer in {_PATIENCE:.0f} s") from error
        except OSError as error:
            # A process forked by another thread can hold a fresh executable open for writing until it execs.
            if error.errno != errno.ETXTBSY or not tries_left:
                raise Impossible(f"{command[0]} does not run here: {error.strerror}") from error
            time.sleep(0.05)
    raise AssertionError("unreachable")
