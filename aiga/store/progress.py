"""How far a transfer is: a callback, and a bar for a terminal that is one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.progress import Progress as Bars


class Progress(Protocol):
    """Told of every advance, from any thread, one at a time."""

    def __call__(self, done: int, total: int, /) -> None:
        """`done` of `total` bytes are transferred."""


class Meter:
    """Adds up bytes that several threads transfer, and tells a callback."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        if self._progress is None:
            return
        with self._lock:
            self._done = min(self._done + count, self._total)
            self._progress(self._done, self._total)


@contextmanager
def bar(label: str, console: Console | None = None) -> Iterator[Progress]:
    """A progress bar on standard error while the context lasts; nothing where that is no terminal."""
    screen = console or Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bars:
        task = bars.add_task(label, total=None)

        def advance(done: int, total: int, /) -> None:
            bars.update(task, completed=done, total=total)

        yield advance
