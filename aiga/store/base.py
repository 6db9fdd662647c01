"""What a store is: objects and folders under keys, the same on disk and in S3."""

from __future__ import annotations

import os
import secrets
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, ClassVar

from aiga.errors import UserError
from aiga.store import folders
from aiga.store.digest import file_digest
from aiga.store.errors import Blocked, Corrupt, Missing, local
from aiga.store.keys import MANIFEST, check_key
from aiga.store.progress import Meter, Progress


@dataclass(frozen=True)
class Item:
    """One object of a listing; `size` in bytes."""

    key: str
    size: int


class Store(ABC):
    """Objects under keys. Every change of one is atomic: a reader sees the old bytes or the new, never some of each.

    A key holds an object or an uploaded folder. All methods may be called from any thread, and by many processes.
    Every method raises UserError where credentials, permissions or the address are wrong, TransientError where the
    store cannot be reached.
    """

    address: str
    """What `open_store` takes to open it again."""
    parallel: ClassVar[int] = 1
    """Files of a folder that are transferred at the same time."""

    @abstractmethod
    def read(self, key: str) -> bytes:
        """Bytes of an object. Raises Missing."""

    @abstractmethod
    def write(self, key: str, data: bytes) -> None:
        """Make or replace an object."""

    @abstractmethod
    def create(self, key: str, data: bytes) -> bool:
        """Make an object where there is none. Of many that try at once, one is told True.

        Whoever must know to have been the one puts something of its own into `data`: a repeated request whose first
        answer was lost is recognised by its bytes.
        """

    @abstractmethod
    def compare_and_set(self, key: str, data: bytes, version: str | None) -> bool:
        """Replace an object if `version(key)` is still `version`; None stands for no object."""

    @abstractmethod
    def version(self, key: str) -> str | None:
        """What changes when an object's bytes do; None where there is none. Means nothing to another store."""

    @abstractmethod
    def list(self, prefix: str = "") -> Iterator[Item]:
        """Objects whose keys begin with `prefix`, in byte order of the keys."""

    @abstractmethod
    def children(self, folder: str = "") -> tuple[str, ...]:
        """Names of the objects and folders directly below `folder`, sorted; empty where there is no such folder."""

    @abstractmethod
    def _size(self, key: str) -> int | None:
        """Bytes of an object, None where there is none."""

    @abstractmethod
    def _digest(self, key: str) -> str | None:
        """Digest of an object, None where there is none or it is not known."""

    @abstractmethod
    def _send(self, path: Path, key: str, digest: str, meter: Meter, *, replace: bool) -> bool:
        """Make an object of a file with this digest, and record it. False if not `replace` and there is an object."""

    @abstractmethod
    def _receive(self, key: str, target: BinaryIO, meter: Meter) -> tuple[str, str | None]:
        """Write an object's bytes; their digest, and the one that was recorded. Raises Missing."""

    @abstractmethod
    def _remove(self, key: str) -> None:
        """Remove an object, if there is one."""

    def exists(self, key: str) -> bool:
        """Whether the key holds an object or a complete folder."""
        return self._size(check_key(key)) is not None or self._size(f"{key}/{MANIFEST}") is not None

    def delete(self, key: str) -> None:
        """Remove an object, or an uploaded folder with all below it. Nothing happens where there is none."""
        self._remove(check_key(key))
        if self._size(f"{key}/{MANIFEST}") is not None:
            self._remove(f"{key}/{MANIFEST}")
            for item in [*self.list(f"{key}/")]:
                self._remove(item.key)

    def upload(self, path: Path, key: str, progress: Progress | None = None) -> str:
        """Store a file as an object, or a folder with its files; its digest.

        A killed upload leaves nothing that `exists` or `download` would find; a repeated one sends what is missing.

        Raises:
            UserError: there is no such file or folder, or it changed meanwhile.
            Blocked: the key holds a folder, and this is a file, or the other way round.
        """
        check_key(key)
        if path.is_dir():
            if self._size(key) is not None:
                raise Blocked(f"{self.address}: {key} is a file: a folder cannot be stored there (delete it first)")
            with local(path):
                return folders.upload(self, path, key, progress)
        if not path.is_file():
            raise UserError(f"{path}: there is no such file or folder to store as {key}")
        if self._size(f"{key}/{MANIFEST}") is not None:
            raise Blocked(f"{self.address}: {key} is a folder: a file cannot be stored there (delete it first)")
        with local(path):
            digest = file_digest(path)
            self._send(path, key, digest, Meter(progress, path.stat().st_size), replace=True)
        return digest

    def download(self, key: str, path: Path, digest: str | None = None, progress: Progress | None = None) -> str:
        """Fetch an object or a folder to `path`, replacing what is there; its digest, which was verified.

        Raises:
            Missing: the key holds nothing that is complete.
            Corrupt: it is not what was recorded when it was stored, or not `digest`; `path` is untouched.
        """
        size = self._size(check_key(key))
        with local(path), _beside(path) as temporary:
            if size is None:
                found = folders.download(self, key, temporary, progress)
            else:
                found = self._fetch(key, temporary, Meter(progress, size))
            if digest is not None and digest != found:
                raise Corrupt(f"{self.address}: {key} is {found}, expected {digest} (it was replaced or damaged)")
            _replace(temporary, path)
        return found

    def _fetch(self, key: str, path: Path, meter: Meter) -> str:
        with path.open("xb") as target:
            found, recorded = self._receive(key, target, meter)
        if recorded is not None and recorded != found:
            raise Corrupt(f"{self.address}: {key} is damaged: it is {found}, was stored as {recorded} (store it again)")
        return found

    def _missing(self, key: str) -> Missing:
        return Missing(f"{self.address}: there is no {key}")


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A name in the folder of `path` for what is not yet complete; whatever is there afterwards is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        yield temporary
    finally:
        _clear(temporary)


def _replace(source: Path, target: Path) -> None:
    if source.is_dir() or target.is_dir():
        with _beside(target) as old:
            if target.exists():
                os.rename(target, old)
            os.rename(source, target)
    else:
        os.replace(source, target)


def _clear(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
