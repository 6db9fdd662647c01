"""What a server's log says of why it ended."""

from __future__ import annotations

import re
import signal
from pathlib import Path

from aiga.serving.runtimes.names import FAILED

_TAIL = 64 * 1024
_EXCEPTION = re.compile(r"(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Exit|Fault|NotFound)\b.*")
_LONGEST = 500
MOST = 20 * 2**20
"""Bytes after which a log is put aside before a server is started again."""


def begin(log: Path) -> int:
    """Where in the log what is said next will stand; a long log becomes `<log>.1`."""
    size = log.stat().st_size if log.exists() else 0
    if size <= MOST:
        return size
    log.replace(log.with_name(f"{log.name}.1"))
    return 0


def last_words(log: Path, code: int | None, start: int = 0) -> str:
    """One line: the server's own, or that of the last exception, or how it ended; and where to read more.

    Args:
        log: of the server; only its end is read.
        code: it ended with; negative is a signal, None while it runs.
        start: where in the log it began.
    """
    lines = [line.strip() for line in _tail(log, start).splitlines() if line.strip()]
    own = next((line.removeprefix(FAILED) for line in reversed(lines) if line.startswith(FAILED)), None)
    if own is not None:
        return _short(own)
    if code is not None and code < 0:
        return f"it was ended by {signal.Signals(-code).name} (see {log})"
    exception = next((line for line in reversed(lines) if _EXCEPTION.match(line)), None)
    said = exception or (lines[-1] if lines else "it said nothing")
    ended = "it runs" if code is None else f"it ended with exit code {code}"
    return f"{ended}: {_short(said)} (see {log})"


def _tail(log: Path, start: int) -> str:
    try:
        with log.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(start, file.tell() - _TAIL))
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def _short(line: str) -> str:
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."
