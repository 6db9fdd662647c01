"""What went wrong in a step, for its metadata and for whoever reads what it printed."""

from __future__ import annotations

import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from aiga.errors import AigaError

_OURS = Path(__file__).parent
_FRAMES = 20
_LONGEST = 4000


@dataclass(frozen=True)
class Failure:
    """What went wrong."""

    type: str
    """Class of the exception, or a word for it."""
    message: str
    frames: tuple[str, ...] = ()
    """The last frames, of user code and what it calls, the innermost last: `file:line in function: code`."""


def failure(error: BaseException, source: Path) -> Failure:
    """An exception as a failure. Files within the project's folder are named relative to it."""
    frames = traceback.extract_tb(_users(error.__traceback__))[-_FRAMES:]
    told = tuple(f"{_short(each.filename, source)}:{each.lineno} in {each.name}: {each.line or ''}" for each in frames)
    return Failure(type(error).__name__, _message(error), () if isinstance(error, AigaError) else told)


def show(error: BaseException) -> None:
    """Prints an exception of user code: with its own frames, or the message alone where that is all there is to say."""
    if isinstance(error, AigaError):
        print(f"aiga: {error}", file=sys.stderr)
    elif isinstance(error, SystemExit):
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
    else:
        traceback.print_exception(type(error), error, _users(error.__traceback__))


def _users(trace: TracebackType | None) -> TracebackType | None:
    """The traceback from where it leaves this package."""
    while trace is not None and Path(trace.tb_frame.f_code.co_filename).parent == _OURS:
        trace = trace.tb_next
    return trace


def _short(file: str, source: Path) -> str:
    path = Path(file)
    return str(path.relative_to(source)) if path.is_relative_to(source) else file


def _message(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception as broken:  # whatever the user's __str__ raises
        text = f"its message cannot be told: {type(broken).__name__}"
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
