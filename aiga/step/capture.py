"""What a step prints: passed on, kept in a file, its last lines remembered, records among it logged."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Callable
from pathlib import Path

from aiga.step.records import Record, printed

LINE = 64 * 1024
"""Bytes of the longest line that may be a record; the rest of a longer one is only passed on and kept."""
KEPT = 64 * 1024 * 1024
"""Bytes that are kept of everything printed."""
TAIL = 50
SHOWN = 2000
"""Characters that are remembered of a line."""
MASK = b"***"
_SHORTEST_SECRET = 4


class Output:
    """Where all that is printed goes: the file, and the last lines.

    Failing to write the file does not end the step: `trouble` says so afterwards.
    """

    def __init__(self, file: Path, secrets: tuple[str, ...] = ()) -> None:
        self.trouble = ""
        self._masked = sorted((s.encode() for s in secrets if len(s) >= _SHORTEST_SECRET), key=len, reverse=True)
        self._tail: deque[str] = deque(maxlen=TAIL)
        self._left = KEPT
        self._file = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)

    @property
    def tail(self) -> list[str]:
        return list(self._tail)

    def masked(self, text: bytes) -> bytes:
        for secret in self._masked:
            text = text.replace(secret, MASK)
        return text

    def masked_text(self, text: str) -> str:
        return self.masked(text.encode("utf-8", "replace")).decode("utf-8", "replace")

    def keep(self, data: bytes) -> None:
        """Adds to the file, up to its bound."""
        if self._left <= 0:
            return
        kept, self._left = data[: self._left], self._left - len(data)
        if self._left <= 0:
            self.trouble = f"printed more than {KEPT} bytes: output.txt holds the first of them"
        try:
            while kept:
                kept = kept[os.write(self._file, kept) :]
        except OSError as error:
            self._left, self.trouble = 0, f"output.txt cannot be written: {error.strerror}"

    def remember(self, line: bytes) -> None:
        """Adds to the last lines. Of a progress bar, which returns to the line's begin, only the last state."""
        text = line.rstrip(b"\r\n").rpartition(b"\r")[2].decode("utf-8", "replace")
        self._tail.append(text if len(text) <= SHOWN else text[:SHOWN] + "…")

    def close(self) -> None:
        os.close(self._file)


class Stream:
    """Standard output or error of the step."""

    def __init__(self, output: Output, passed_to: int, found: Callable[[Record], None] | None = None) -> None:
        self._output, self._to, self._found = output, passed_to, found
        self._line = b""
        self._long = False

    def feed(self, data: bytes) -> None:
        """Takes what was just printed; what has no line's end yet waits for it."""
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            self._take(line + b"\n", ended=True)
        returned, _, rest = self._line.rpartition(b"\r")
        if len(self._line) > LINE:
            self._take(self._line, ended=False)
            self._line = b""
        elif returned:
            self._take(returned + b"\r", ended=False)
            self._line = rest

    def end(self) -> None:
        """Takes what never got its line's end."""
        if self._line:
            self._take(self._line, ended=True)
        self._line = b""

    def _take(self, data: bytes, *, ended: bool) -> None:
        whole = ended and not self._long
        if whole and self._found is not None and len(data) <= LINE and (record := printed(data)) is not None:
            self._found(record)
        data = self._output.masked(data)
        _write(self._to, data)
        self._output.keep(data)
        if not self._long and (ended or len(data) > LINE):
            self._output.remember(data)
        self._long = not ended and (self._long or len(data) > LINE)


def _write(file: int, data: bytes) -> None:
    """Writes to whoever reads our own output; that nobody does any more is no failure of the step."""
    with contextlib.suppress(OSError):
        while data:
            data = data[os.write(file, data) :]
