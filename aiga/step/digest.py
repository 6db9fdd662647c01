"""Digests of files and folders, read in pieces."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def digest(path: Path) -> str:
    """`sha256:` and the digest of a file's content, or of a folder.

    A folder's is that of its lines `<relative posix name>\\0<hex digest of the file>\\n`, sorted by name.

    Raises:
        OSError: it is not there, or cannot be read.
    """
    return f"sha256:{_folder(path) if path.is_dir() else _file(path)}"


def _file(path: Path) -> str:
    with open(path, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _folder(root: Path) -> str:
    lines = hashlib.sha256()
    for name in sorted(files(root)):
        lines.update(os.fsencode(name) + b"\0" + _file(root / name).encode() + b"\n")
    return lines.hexdigest()


def files(root: Path) -> list[str]:
    """Posix names of all files below a folder, relative to it."""
    found = []
    for folder, _, names in os.walk(root):
        found += [(Path(folder) / name).relative_to(root).as_posix() for name in names]
    return found
