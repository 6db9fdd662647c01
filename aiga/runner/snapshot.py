"""The source of a project as a run found it: kept in the store, and had back to run it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aiga.errors import UserError
from aiga.runner import code, layout
from aiga.runner.place import Place
from aiga.store.digest import content_digest, file_digest


@dataclass(frozen=True)
class Source:
    """All source files of a project at one moment."""

    files: Mapping[str, Path]
    """By name relative to the project's folder."""
    digest: str
    """Of their names and contents."""

    @classmethod
    def of(cls, folder: Path) -> Source:
        files = {file.relative_to(folder).as_posix(): file for file in code.of_project(folder)}
        lines = "\n".join(f"{name}\0{file_digest(file)}" for name, file in files.items())
        return cls(files, content_digest(lines.encode()))

    def keep(self, place: Place) -> None:
        """Puts it into the store, which may have it already."""
        prefix = layout.code(place.project, self.digest)
        for name, file in self.files.items():
            if not place.store.exists(f"{prefix}/{name}"):
                place.store.upload(file, f"{prefix}/{name}")


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
