"""Files of this machine: one, a folder, or all that a glob matches.

Steps get a copy, so that who writes to the files in mid-run changes no input. What is too large to be copied is used
where it is, and its mark tells whether it is still what was read.
"""

from __future__ import annotations

import difflib
import glob
import os
import shutil
from pathlib import Path

from aiga.errors import TransientError, UserError
from aiga.sources import tables
from aiga.sources.context import Context
from aiga.sources.marks import mark
from aiga.sources.version import SNAPSHOT, Version, now
from aiga.spec.sources import FilesSource
from aiga.store.digest import file_digest, files_digest, files_of, path_digest

COPIED = 1 << 30
"""Bytes up to which a source is copied; the store's snapshot of a larger one is its only copy."""


def read(name: str, source: FilesSource, context: Context) -> Version:
    """The file, the folder, or a folder of all that the glob matches, named from its first wildcard on.

    Raises:
        TransientError: it is written just now.
    """
    what = f"source {name}"
    found = find(what, source.path, context.folder)
    live = context.cache.links(found) if isinstance(found, dict) else found
    if live.is_dir() and context.cache.folder.resolve().is_relative_to(live.resolve()):
        raise UserError(f"{what}: path {source.path!r}: holds the folder of aiga itself: name a folder of data in it")
    seen, sizes = mark(found), _sizes(live)
    digest = path_digest(live)
    copied = sum(sizes) <= COPIED
    path = _copy(what, live, name if isinstance(found, dict) else live.name, digest, context) if copied else live
    origin = {
        "path": source.path,
        "files": len(sizes),
        "fingerprint": seen,
        SNAPSHOT: context.snapshot(what, path, digest),
        "read": now(),
    }
    return Version(name, digest, path, source.kind, origin, tables.count(path), mark="" if copied else seen)


def _sizes(path: Path) -> list[int]:
    return [each.stat().st_size for each in (files_of(path).values() if path.is_dir() else (path,))]


def _copy(what: str, live: Path, name: str, digest: str, context: Context) -> Path:
    """A copy in the cache with this digest."""
    if here := context.cache.get(digest, name):
        return here
    with context.cache.unfinished() as folder:
        copy = folder / name
        for each, file in (files_of(live) if live.is_dir() else {"": live}).items():
            target = copy / each
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
        if path_digest(copy) != digest:
            raise TransientError(f"{what}: {live.name} changed while it was read: try again when it is finished")
        return context.cache.put(copy, digest, name)


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


def changed(source: FilesSource, last: Version, folder: Path) -> str | None:
    """Why it is another version than `last`. The files are read only if their sizes or times differ."""
    what = f"source {last.name}"
    try:
        found = find(what, source.path, folder)
    except UserError:
        return f"{what}: {source.path} is gone"
    if mark(found) == last.origin.get("fingerprint"):
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
