"""Digests of files and folders, read in pieces."""

from __future__ import annotations

import os
from pathlib import Path

from aiga.digests import file_digest, files_digest


def digest(path: Path) -> str:
    """`sha256:` and the digest of a file's content, or of a folder.

    A folder's is that of its lines `<relative posix name>\\0<hex digest of the file>\\n`, sorted by name.

    Raises:
        OSError: it is not there, or cannot be read.
    """
    if not path.is_dir():
        return file_digest(path)
    return files_digest({name: file_digest(path / name) for name in files(path)})


def files(root: Path) -> list[str]:
    """Posix names of all files below a folder, relative to it."""
    found = []
    for folder, _, names in os.walk(root):
        found += [(Path(folder) / name).relative_to(root).as_posix() for name in names]
    return found
