"""Digests `sha256:<hex>` of bytes, files and folders; files are streamed."""

from __future__ import annotations

import os
from pathlib import Path

from aiga.digests import content_digest, file_digest, files_digest
from aiga.errors import UserError

__all__ = ["CHUNK", "content_digest", "file_digest", "files_digest", "files_of", "path_digest", "tree_digest"]

CHUNK = 1 << 20
"""Bytes that are read at a time."""


def tree_digest(folder: Path) -> str:
    """Digest of a folder: of the sorted relative names and digests of its files. Empty folders do not count."""
    return files_digest({name: file_digest(path) for name, path in files_of(folder).items()})


def path_digest(path: Path) -> str:
    """Digest of a file or a folder."""
    return tree_digest(path) if path.is_dir() else file_digest(path)


def files_of(folder: Path) -> dict[str, Path]:
    """Files below `folder` by their relative name with `/`, sorted. Links to files count as the files.

    Raises:
        UserError: a link to a folder, a broken link, a pipe or socket is among them.
    """
    found: dict[str, Path] = {}
    for root, folders, names in os.walk(folder):
        linked = [name for name in folders if (Path(root) / name).is_symlink()]
        for path in (Path(root) / name for name in (*names, *linked)):
            if not path.is_file():
                raise UserError(
                    f"{path}: must be a file or a folder, not a link to a folder or a device (copy it there)"
                )
            found[path.relative_to(folder).as_posix()] = path
    return dict(sorted(found.items()))
