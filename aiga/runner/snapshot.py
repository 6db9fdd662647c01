"""The source of a project as a run found it: kept in the store, and had back to run it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aiga.errors import TransientError, UserError
from aiga.runner import code, layout
from aiga.runner.place import Place
from aiga.spec.project import Project
from aiga.store.digest import content_digest, file_digest
from aiga.store.keys import LONGEST_PART, check_key


@dataclass(frozen=True)
class Source:
    """All source files of a project at one moment."""

    files: Mapping[str, Path]
    """By name relative to the project's folder."""
    digests: Mapping[str, str]
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Names of files that are not kept, and why."""

    @classmethod
    def of(cls, project: Project, folder: Path) -> Source:
        kept, large = code.sorted_out(project, folder)
        found = {*kept, *code.of_steps(project, folder)}
        named = {file.relative_to(folder).as_posix(): file for file in sorted(found)}
        files = {name: file for name, file in named.items() if _is_key(name)}
        left = dict.fromkeys(named.keys() - files.keys(), "its name cannot be one in a store")
        for file in large:
            if file not in found:
                left[file.relative_to(folder).as_posix()] = (
                    f"it is above {code.LARGEST >> 20} MiB, and Git does not track it (what steps read is a source)"
                )
        return cls(files, {name: file_digest(file) for name, file in files.items()}, left)

    @property
    def digest(self) -> str:
        """Of names and contents."""
        return content_digest("\n".join(f"{name}\0{digest}" for name, digest in self.digests.items()).encode())

    def keep(self, place: Place) -> None:
        """Puts it into the store, which may have it already.

        Raises:
            TransientError: a file was written meanwhile.
        """
        prefix = layout.code(place.project, self.digest)
        there = {item.key for item in place.store.list(f"{prefix}/")}
        for name, file in self.files.items():
            key = f"{prefix}/{name}"
            if key not in there and place.store.upload(file, key) != self.digests[name]:
                place.store.delete(key)
                raise TransientError(f"{file}: was written while the source was kept (run again)")


def _is_key(name: str) -> bool:
    try:
        check_key(f"{'p' * LONGEST_PART}/{name}")
    except UserError:
        return False
    return True


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
        path = folder / item.key.removeprefix(prefix)
        place.store.download(item.key, path)
        with path.open("rb") as file:
            if file.read(2) == b"#!":  # the store keeps no modes
                path.chmod(0o755)
