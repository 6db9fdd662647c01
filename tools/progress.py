"""What the screen shows while tools are fetched: plain lines with the time, and on a terminal a live status as well."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.status import Status

Line = Callable[[str], None]


class Work:
    """Something under way; `detail` may change as it goes."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.detail = ""
        self.since = time.monotonic()
        self.told = self.since

    def __str__(self) -> str:
        seconds = time.monotonic() - self.since
        return f"{self.what} ({', '.join(part for part in (f'{seconds:.0f} s', self.detail) if part)})"


class Progress:
    """Says what happens; whatever takes long is mentioned again every `heartbeat` seconds."""

    def __init__(self, line: Line | None = None, heartbeat: float = 15.0) -> None:
        self._start = time.monotonic()
        self._heartbeat = heartbeat
        self._status = _terminal_status() if line is None else None
        self._line = line or self._print
        self._works: list[Work] = []
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    def say(self, text: str) -> None:
        with self._lock:
            self._line(f"tools {time.monotonic() - self._start:6.1f} s  {text}")

    @contextmanager
    def working(self, what: str) -> Iterator[Work]:
        work = Work(what)
        self._works.append(work)
        self._watch()
        try:
            yield work
        finally:
            self._works.remove(work)

    def _watch(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._beat, name="tools-progress", daemon=True)
            self._thread.start()
            if self._status:
                self._status.start()

    def _beat(self) -> None:
        while not self._done.wait(min(0.5, self._heartbeat)):
            works = list(self._works)
            if self._status:
                self._status.update("; ".join(map(str, works)) or "tools")
                continue
            for work in works:
                if time.monotonic() - work.told >= self._heartbeat:
                    work.told = time.monotonic()
                    self.say(f"still {work}")

    def _print(self, text: str) -> None:
        if self._status:
            self._status.console.print(text, markup=False, highlight=False)
        else:
            print(text, file=sys.stderr, flush=True)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._done.set()
        if self._thread:
            self._thread.join(timeout=2)
        if self._status:
            self._status.stop()


def _terminal_status() -> Status | None:
    if not sys.stderr.isatty():
        return None
    from rich.console import Console

    return Console(stderr=True).status("tools")
