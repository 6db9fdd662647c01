"""Where a project's files are on this machine: its store, its working folders, its copies of artefacts."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aiga.names import HOME, STORE
from aiga.store import Store, open_store


@dataclass(frozen=True)
class Place:
    """One project's folders. Everything below `home` is generated, and ignored by Git."""

    project: str
    home: Path
    store: Store

    def work(self, tag: str, step: str) -> Path:
        """Where one step of one run works."""
        return self.home / "work" / self.project / tag / step

    @contextmanager
    def checkpoint(self, key: str, tag: str) -> Iterator[Path]:
        """Where a step keeps what its next try goes on with, by its fingerprint: it outlives the run.

        A second run that does the same step at the same time gets one of its own.
        """
        folder = self.home / "work" / self.project / "checkpoints"
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / f"{key[:24]}.lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                name = key[:24]
            except BlockingIOError:
                name = f"{key[:24]}-{tag}"
            yield folder / name

    def artefact(self, key: str, digest: str) -> Path:
        """A verified copy of what is in the store under `key`."""
        path = self.home / "artefacts" / digest.removeprefix("sha256:")[:24] / Path(key).name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            self.store.download(key, path, digest)
        return path

    @property
    def predictions(self) -> Path:
        """Where it is kept which version answered which request."""
        return self.home / "predictions" / self.project

    def tidy(self, tag: str) -> None:
        """Removes a finished run's working folders; what it made is in the store."""
        shutil.rmtree(self.home / "work" / self.project / tag, ignore_errors=True)


def of(folder: Path, project: str, store: str | None = None) -> Place:
    """The place of the project in `folder`: $AIGA_HOME and $AIGA_STORE, else `.aiga` of its Git repository.

    Args:
        folder: the project's.
        project: its name.
        store: address, in place of $AIGA_STORE.
    """
    home = Path(os.environ[HOME]).resolve() if os.environ.get(HOME) else _root(folder) / ".aiga"
    return beside(home, project, store or os.environ.get(STORE))


def beside(home: Path, project: str, store: str | None = None) -> Place:
    """The place whose generated files are in `home`, the store among them unless it is elsewhere."""
    home.mkdir(parents=True, exist_ok=True)
    ignore = home / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n")
    return Place(project, home, open_store(store or str(home / "store")))


def _root(folder: Path) -> Path:
    """The repository that the project is in, so that its projects share a store; its own folder where there is none."""
    folder = folder.resolve()
    return next((p for p in (folder, *folder.parents) if (p / ".git").exists()), folder)
