"""The source of a project as a run found it: kept in the store, and had back to run it again."""

from __future__ import annotations

import hashlib
from pathlib import Path

from aiga.errors import UserError
from aiga.runner import code, layout
from aiga.runner.place import Place
from aiga.store.digest import file_digest


def digest(folder: Path) -> str:
    """Digest of all source files of a project, their names and contents."""
    lines = [f"{f.relative_to(folder).as_posix()}\0{file_digest(f)}" for f in code.of_project(folder)]
    return "sha256:" + hashlib.sha256("\n".join(lines).encode()).hexdigest()


def keep(place: Place, folder: Path) -> str:
    """Keeps the source; its digest."""
    found = digest(folder)
    prefix = layout.code(place.project, found)
    for file in code.of_project(folder):
        key = f"{prefix}/{file.relative_to(folder).as_posix()}"
        if not place.store.exists(key):
            place.store.upload(file, key)
    return found


def restore(place: Place, found: str, folder: Path) -> None:
    """Puts the source with this digest into a folder.

    Raises:
        UserError: the store does not have it.
    """
    prefix = f"{layout.code(place.project, found)}/"
    items = list(place.store.list(prefix))
    if not items:
        raise UserError(f"{place.project}: its source {found[:19]} is not in {place.store.address}")
    for item in items:
        place.store.download(item.key, folder / item.key.removeprefix(prefix))
