"""Files of this machine: one, a folder, or all that a glob matches. They are used where they are, and snapshotted."""

from __future__ import annotations

import difflib
import glob
import json
import os
from hashlib import sha256
from pathlib import Path

from aiga.errors import UserError
from aiga.sources import tables
from aiga.sources.context import Context
from aiga.sources.version import SNAPSHOT, Version, now
from aiga.spec.sources import FilesSource
from aiga.store.digest import file_digest, files_digest, files_of, path_digest


def read(name: str, source: FilesSource, context: Context) -> Version:
    """The file, the folder, or a folder of links to what the glob matches, named from its first wildcard on."""
    what = f"source {name}"
    found = find(what, source.path, context.folder)
    path = context.cache.links(found) if isinstance(found, dict) else found
    if path.is_dir() and context.cache.folder.resolve().is_relative_to(path.resolve()):
        raise UserError(f"{what}: path {source.path!r}: holds the folder of aiga itself: name a folder of data in it")
    mark = fingerprint(found)
    digest = path_digest(path)
    return Version(
        name,
        digest,
        path,
        source.kind,
        {
            "path": source.path,
            "files": len(files_of(path)) if path.is_dir() else 1,
            "fingerprint": mark,
            SNAPSHOT: context.snapshot(what, path, digest),
            "read": now(),
        },
        tables.count(path),
    )


def find(what: str, path: str, folder: Path) -> Path | dict[str, Path]:
    """The file or folder, or for a glob its files by name.

    Raises:
        UserError: there is none, or an empty folder.
    """
    whole = folder / os.path.expanduser(path)
    if whole.exists():
        if whole.is_dir() and not files_of(whole):
            raise UserError(f"{what}: path {path!r}: the folder is empty")
        return whole.absolute()
    if glob.has_magic(path):
        base = Path(*_before_magic(whole))
        names = sorted(glob.glob(str(whole.relative_to(base)), root_dir=base, recursive=True))
        if found := {Path(each).as_posix(): (base / each).absolute() for each in names if (base / each).is_file()}:
            return found
        raise UserError(f"{what}: path {path!r}: matches no file (it is relative to the project's folder)")
    siblings = os.listdir(whole.parent) if whole.parent.is_dir() else []
    near = difflib.get_close_matches(whole.name, siblings, 1)
    hint = f"did you mean {near[0]!r}?" if near else "it is relative to the project's folder"
    raise UserError(f"{what}: path {path!r}: there is no such file or folder ({hint})")


def fingerprint(found: Path | dict[str, Path]) -> str:
    """What changes when a file is written, without reading any: names, sizes, times."""
    files = found if isinstance(found, dict) else files_of(found) if found.is_dir() else {found.name: found}
    state = [(name, path.stat().st_size, path.stat().st_mtime_ns) for name, path in sorted(files.items())]
    return sha256(json.dumps(state).encode()).hexdigest()


def changed(source: FilesSource, last: Version, folder: Path) -> str | None:
    """Why it is another version than `last`. The files are read only if their sizes or times differ."""
    what = f"source {last.name}"
    try:
        found = find(what, source.path, folder)
    except UserError:
        return f"{what}: {source.path} is gone"
    if fingerprint(found) == last.origin.get("fingerprint"):
        return None
    count = len(found) if isinstance(found, dict) else len(files_of(found)) if found.is_dir() else 1
    if count != last.origin.get("files"):
        return f"{what}: {source.path}: {count} files, were {last.origin.get('files')}"
    return None if _digest(found) == last.digest else f"{what}: {source.path}: other content"


def _digest(found: Path | dict[str, Path]) -> str:
    if not isinstance(found, dict):
        return path_digest(found)
    return files_digest({name: file_digest(path) for name, path in found.items()})


def _before_magic(path: Path) -> tuple[str, ...]:
    parts = path.parts
    return parts[: next(place for place, part in enumerate(parts) if glob.has_magic(part))]
