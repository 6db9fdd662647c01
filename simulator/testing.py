"""For tests of any part: a simulator of their own, and waiting for what comes soon."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from simulator.cluster import Running, down, up

_PREFIX = "aiga-sim-"
_Found = TypeVar("_Found")


@contextmanager
def fresh(*, nodes: int = 3) -> Iterator[Running]:
    """A new simulator, gone at the end; what a killed test run left behind goes first."""
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
    try:
        yield up(folder / "sim", nodes=nodes, progress=_silent)
    finally:
        down(folder / "sim", _silent)
        shutil.rmtree(folder, ignore_errors=True)


def eventually(look: Callable[[], _Found | None], what: str, timeout: float = 15.0) -> _Found:
    """The first answer that is not None or False."""
    deadline = time.monotonic() + timeout
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {timeout:.0f} s, last seen {found!r}")
        time.sleep(0.05)


def _sweep() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        owner = folder.name.removeprefix(_PREFIX).split("-")[0]
        if owner.isdigit() and not _alive(int(owner)):
            down(folder / "sim", _silent)
            shutil.rmtree(folder, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _silent(_: str) -> None:
    return None
