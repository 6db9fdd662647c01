"""How far a transfer is."""

from __future__ import annotations

import threading
from typing import Protocol


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
