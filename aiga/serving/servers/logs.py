"""What a server's log says of why it ended."""

from __future__ import annotations

import re
import signal
from pathlib import Path

FAILED = "aiga: "
"""Begins the line in which a server of ours tells it."""
_TAIL = 64 * 1024
_EXCEPTION = re.compile(r"(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Exit|Fault|NotFound)\b.*")
_LONGEST = 500


def last_words(log: Path, code: int | None) -> str:
    """One line: the server's own, or that of the last exception, or how it ended; and where to read more.

    Args:
        log: of the server; only its end is read.
        code: it ended with; negative is a signal, None while it runs.
    """
    lines = [line.strip() for line in _tail(log).splitlines() if line.strip()]
    own = next((line.removeprefix(FAILED) for line in reversed(lines) if line.startswith(FAILED)), None)
    if own is not None:
        return _short(own)
    if code is not None and code < 0:
        return f"it was ended by {signal.Signals(-code).name} (see {log})"
    exception = next((line for line in reversed(lines) if _EXCEPTION.match(line)), None)
    said = exception or (lines[-1] if lines else "it said nothing")
    ended = "it runs" if code is None else f"it ended with exit code {code}"
    return f"{ended}: {_short(said)} (see {log})"


def _tail(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _TAIL))
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def _short(line: str) -> str:
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."
