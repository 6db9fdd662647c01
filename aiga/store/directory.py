"""A store in a directory of this machine, or of a file system that several share.

Objects are plain files at their keys. `.store/` beside them holds the store's own: `tmp/` what is not yet complete,
`locks/` a fixed number of lock files that keys share, `digests/` what uploaded files were when they were stored.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import BinaryIO

from aiga.errors import TransientError, UserError
from aiga.store.base import Item, Store
from aiga.store.digest import CHUNK, file_digest
from aiga.store.errors import Blocked, explained
from aiga.store.keys import INTERNAL, check_key, check_prefix
from aiga.store.progress import Meter

STALE = 24 * 3600
"""Seconds since a file in `tmp/` was last written, after which its writer is taken for dead."""


class DirectoryStore(Store):
    """A store whose root is a folder; it is made when the first object is."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().absolute()
        self.address = str(self.root)
        self._clean()

    def read(self, key: str) -> bytes:
        with self._explained(key):
            try:
                return self._path(key).read_bytes()
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                raise self._missing(key) from None

    def write(self, key: str, data: bytes) -> None:
        with self._explained(key), self._complete(key, io.BytesIO(data)) as (temporary, _), self._locked(key):
            self._install(temporary, key)

    def create(self, key: str, data: bytes) -> bool:
        with self._explained(key):
            if self._path(key).is_file():
                return False
            with self._complete(key, io.BytesIO(data)) as (temporary, _), self._locked(key):
                return self._install(temporary, key, replace=False)

    def compare_and_set(self, key: str, data: bytes, version: str | None) -> bool:
        if version is None:
            return self.create(key, data)
        with self._explained(key), self._complete(key, io.BytesIO(data)) as (temporary, _), self._locked(key):
            return self.version(key) == version and self._install(temporary, key)

    def version(self, key: str) -> str | None:
        return self._digest(key)

    def list(self, prefix: str = "") -> Iterator[Item]:
        check_prefix(prefix)
        folder = prefix.rpartition("/")[0]
        with self._explained(prefix):
            for key, entry in self._walk(folder):
                if key.startswith(prefix):
                    with suppress(FileNotFoundError):
                        yield Item(key, entry.stat().st_size)

    def children(self, folder: str = "") -> tuple[str, ...]:
        check_prefix(folder)
        base = folder.removesuffix("/")
        with self._explained(folder):
            entries = _entries(self.root / base, hidden=() if base else (INTERNAL,))
            return tuple(
                entry.name
                for entry in sorted(entries, key=lambda entry: entry.name.encode())
                if entry.is_file() or next(self._walk(f"{base}/{entry.name}".lstrip("/")), None) is not None
            )

    def _walk(self, folder: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
        """Files below a folder with their keys, in byte order of the keys."""
        entries = _entries(self.root / folder, hidden=() if folder else (INTERNAL,))
        for entry in sorted(entries, key=lambda entry: (entry.name + "/" * entry.is_dir()).encode()):
            key = f"{folder}/{entry.name}".lstrip("/")
            if entry.is_dir():
                yield from self._walk(key)
            elif entry.is_file():
                yield key, entry

    def _size(self, key: str) -> int | None:
        path = self._path(key)
        with suppress(FileNotFoundError, NotADirectoryError):
            return path.stat().st_size if path.is_file() else None
        return None

    def _digest(self, key: str) -> str | None:
        with self._explained(key):
            try:
                return file_digest(self._path(key))
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                return None

    def _send(self, path: Path, key: str, digest: str, meter: Meter, *, replace: bool) -> bool:
        with self._explained(key), path.open("rb") as source, self._complete(key, source, meter) as (temporary, found):
            if found != digest:
                raise UserError(f"{path}: it changed while it was stored as {key} (store it when it is finished)")
            with self._locked(key):
                if not self._install(temporary, key, replace=replace):
                    return False
                if replace:
                    self._record(key).parent.mkdir(parents=True, exist_ok=True)
                    self._record(key).write_text(digest)
        return True

    def _receive(self, key: str, target: BinaryIO, meter: Meter) -> tuple[str, str | None]:
        with self._explained(key):
            try:
                with self._locked(key) if os.access(self.root, os.W_OK) else nullcontext():
                    source = self._path(key).open("rb")
                    recorded = self._record(key).read_text() if self._record(key).is_file() else None
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                raise self._missing(key) from None
            with source:
                return _copy(source, target, meter), recorded or None

    def _remove(self, key: str) -> None:
        path = self._path(key)
        with self._explained(key):
            if path.is_file():
                with self._locked(key):
                    self._record(key).unlink(missing_ok=True)
                    path.unlink(missing_ok=True)
            for folder in path.parents:
                if folder == self.root or not _removed_empty(folder):
                    break

    def _path(self, key: str) -> Path:
        return self.root / check_key(key)

    def _record(self, key: str) -> Path:
        name = hashlib.sha256(key.encode()).hexdigest()
        return self.root / INTERNAL / "digests" / name[:2] / name

    def _install(self, temporary: Path, key: str, *, replace: bool = True) -> bool:
        """Give a complete file its key, whose lock is held. What was recorded of another is forgotten first."""
        target = self._path(key)
        for _ in range(10):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                if not replace:
                    os.link(temporary, target)
                self._record(key).unlink(missing_ok=True)
                if replace:
                    os.replace(temporary, target)
            except FileExistsError:
                if target.is_dir():
                    raise
                return False
            except FileNotFoundError:
                continue  # the folder was empty, and its last object's removal took it away
            return True
        raise TransientError(f"{self.address}: {key} cannot be written: its folder is removed again and again")

    @contextmanager
    def _complete(self, key: str, source: BinaryIO, meter: Meter | None = None) -> Iterator[tuple[Path, str]]:
        """A file under `tmp/` with all bytes of `source`, safe on disk, and its digest."""
        folder = self.root / INTERNAL / "tmp"
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / secrets.token_hex(8)
        try:
            with temporary.open("xb") as file:
                found = _copy(source, file, meter)
                file.flush()
                os.fsync(file.fileno())
            yield temporary, found
        finally:
            temporary.unlink(missing_ok=True)

    @contextmanager
    def _locked(self, key: str) -> Iterator[None]:
        """Keeps other writers of this key waiting, in this process and others. Never take two."""
        folder = self.root / INTERNAL / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / hashlib.sha256(key.encode()).hexdigest()[:2]).open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _clean(self) -> None:
        with suppress(OSError):
            for entry in _entries(self.root / INTERNAL / "tmp"):
                if time.time() - entry.stat().st_mtime > STALE:
                    os.unlink(entry.path)

    @contextmanager
    def _explained(self, key: str) -> Iterator[None]:
        try:
            yield
        except (NotADirectoryError, IsADirectoryError, FileExistsError) as error:
            if not self.root.is_dir():
                raise UserError(
                    f"{self.address}: {key} cannot be stored: the store is no folder "
                    "(move away what is there, or name another store)"
                ) from error
            raise Blocked(
                f"{self.address}: {key} cannot be stored: it, or a part of it, is a file where a folder is needed, "
                "or a folder (choose another key)"
            ) from error
        except OSError as error:
            raise explained(f"{self.address}: {key or 'listing'}", error) from error


def _copy(source: BinaryIO, target: BinaryIO, meter: Meter | None) -> str:
    sha = hashlib.sha256()
    while chunk := source.read(CHUNK):
        target.write(chunk)
        sha.update(chunk)
        if meter is not None:
            meter.add(len(chunk))
    return f"sha256:{sha.hexdigest()}"


def _entries(folder: Path, hidden: tuple[str, ...] = ()) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if entry.name not in hidden]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _removed_empty(folder: Path) -> bool:
    try:
        folder.rmdir()
    except OSError:
        return False
    return True
