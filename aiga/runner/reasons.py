"""Why a try of a step ended as it did, in the words of a person."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from aiga.errors import TransientError, UserError
from aiga.names import METADATA
from aiga.runner import documents
from aiga.runner.attempt import Ended


def of(folder: Path, ended: Ended) -> str:
    """From what it left in its folder."""
    if ended.cause:
        return ended.cause
    error = metadata(folder).get("error") or {}
    if error:
        frames = error.get("frames") or []
        own = [frame for frame in frames if not frame.startswith("/")]
        place = f"\n    {(own or frames)[-1]}" if frames else ""
        kind = error.get("type", "error")
        told = "" if kind in (UserError.__name__, TransientError.__name__) else f"{kind}: "
        return f"{told}{error.get('message', '')}{place}"
    log = folder / "process.log"
    last = log.read_text(errors="replace").strip().splitlines()[-1:] if log.is_file() else []
    if ended.code < 0:
        return f"it was ended by signal {-ended.code} (out of memory, if nobody sent one)"
    return f"exit code {ended.code}{f': {last[0]}' if last else ''}"


def metadata(folder: Path) -> dict[str, Any]:
    """What a try wrote of itself; nothing where it could not."""
    try:
        return dict(documents.load((folder / METADATA).read_text()))
    except (OSError, TypeError, yaml.YAMLError):
        return {}
