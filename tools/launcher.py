"""`pulumi-resource-pulumi-python`: what the engine starts for a dynamic resource, and which not every CLI brings."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tools import catalogue
from tools.errors import ToolError
from tools.store import cache, digest

NAME = "pulumi-resource-pulumi-python"


def dynamic_plugin(pulumi: Path) -> Path:
    """The launcher that goes with this CLI: beside it, else on PATH, else one written into the cache.

    Put its folder on the engine's PATH. Ours runs $AIGA_PYTHON, else $PULUMI_PYTHON_CMD, else python3.
    """
    beside = pulumi.resolve().parent / NAME
    if os.access(beside, os.X_OK):
        return beside
    there = shutil.which(NAME)
    return Path(there) if there else _written()


def _written() -> Path:
    go = catalogue.default().get("pulumi").go
    assert go is not None
    text = go.beside[NAME]
    file = cache() / "tools" / "launcher" / digest(text) / NAME
    if file.exists() and file.read_text() == text:
        return file
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_name(f".{NAME}.{os.getpid()}")
        fresh.write_text(text)
        fresh.chmod(0o755)
        fresh.rename(file)
    except OSError as error:
        raise ToolError(f"{file} cannot be written ({error.strerror}); name another cache with AIGA_CACHE") from error
    return file
