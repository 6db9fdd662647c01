"""What every kind of source is read with, and what they share: the snapshot, repetition of what may pass."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from aiga.errors import TransientError, UserError
from aiga.sources.cache import Cache
from aiga.store.base import Store
from aiga.store.progress import Progress

ATTEMPTS = 5
FIRST_PAUSE = 0.5
"""Seconds; each further pause is twice as long."""
T = TypeVar("T")


@dataclass(frozen=True)
class Context:
    """The project that reads, and where data goes."""

    project: str
    folder: Path
    """The project's folder, which paths are relative to."""
    store: Store
    cache: Cache
    secrets: Callable[[str], str] | None = None
    """Name of a secret to its value."""
    progress: Progress | None = None
    pause: Callable[[float], None] = time.sleep

    def secret(self, what: str, name: str | None) -> str | None:
        """The value of a secret; None where the source names none."""
        if name is None:
            return None
        if self.secrets is None:
            raise UserError(f"{what}: needs the secret {name!r}, and no secrets can be had here")
        return self.secrets(name)

    def snapshot(self, what: str, path: Path, digest: str) -> str:
        """Keep the bytes in the store, unless it has them; their key.

        Raises:
            TransientError: they changed since `digest` was taken of them.
        """
        key = snapshot_key(self.project, digest)
        if not self.store.exists(key):
            stored = self.store.upload(path, key, self.progress)
            if stored != digest:
                self.store.delete(key)
                raise TransientError(f"{what}: {path.name} changed while it was read: try again when it is finished")
        return key

    def fetch(self, key: str, digest: str, name: str) -> Path:
        """The file or folder that the store has under `key`, from the cache where it is there too.

        Raises:
            Missing: the store has it no more.
            Corrupt: it is not what was recorded.
        """
        path = self.cache.get(digest, name)
        if path is not None:
            return path
        with self.cache.unfinished() as folder:
            self.store.download(key, folder / name, digest, self.progress)
            return self.cache.put(folder / name, digest, name)


def snapshot_key(project: str, digest: str) -> str:
    """Where a project's store keeps data with this digest."""
    return f"{project}/data/{digest.removeprefix('sha256:')}"


def repeated(work: Callable[[], T], pause: Callable[[float], None]) -> T:
    """What `work` gives, tried again with growing pauses while it raises TransientError."""
    for attempt in range(ATTEMPTS - 1):
        try:
            return work()
        except TransientError:
            pause(FIRST_PAUSE * 2**attempt)
    return work()
