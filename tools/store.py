"""The cache outside the tree: one folder per tool and version, whole or not there at all.

`<cache>/tools/<tool>/<version>-<digest>/`: the digest covers what made it, so a bump or another pin makes a new folder.
A folder is filled under a temporary name and renamed; a lock per tool keeps two runs apart; what a killed run left
behind is removed by the next one that holds the lock.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, NamedTuple

from tools.errors import ToolError

_UNFINISHED = ".new-"
_RECORD = "made.json"


def cache() -> Path:
    """$AIGA_CACHE, else $XDG_CACHE_HOME/aiga, else ~/.cache/aiga."""
    chosen = os.environ.get("AIGA_CACHE")
    if chosen:
        return Path(chosen).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache").absolute() / "aiga"


def digest(*parts: Any) -> str:
    """Twelve hex digits over anything JSON can hold."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


class Slot(NamedTuple):
    """The place of one tool in one version, made in one way."""

    root: Path
    tool: str
    key: str

    @property
    def folder(self) -> Path:
        return self.root / "tools" / self.tool / self.key

    @property
    def executable(self) -> Path:
        return self.folder / self.tool

    def there(self) -> bool:
        return os.access(self.executable, os.X_OK)

    def record(self) -> dict[str, Any]:
        """How it was made, as `fill` wrote it down."""
        try:
            record: dict[str, Any] = json.loads((self.folder / _RECORD).read_text())
            return record
        except (OSError, ValueError):
            return {}

    def fill(self, make: Callable[[Path], dict[str, Any]], waiting: Callable[[], None]) -> bool:
        """Let `make` fill a folder that becomes this slot. False when another run had done it meanwhile."""
        with self._lock() as handle:
            _take(handle, waiting)
            if self.there():
                return False
            self._fill(make)
            return True

    def _lock(self) -> IO[str]:
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            return (self.folder.parent / ".lock").open("a")
        except OSError as error:
            why = f"cannot be written ({error.strerror}: {error.filename})"
            raise ToolError(f"cache {self.root}: {why}; name another with AIGA_CACHE") from error

    def _fill(self, make: Callable[[Path], dict[str, Any]]) -> None:
        for leftover in self.folder.parent.glob(f"{_UNFINISHED}*"):
            shutil.rmtree(leftover, ignore_errors=True)
        fresh = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=self.folder.parent))
        try:
            record = make(fresh)
            (fresh / _RECORD).write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")
            fresh.chmod(0o755)
            _flush(fresh / self.tool)
            shutil.rmtree(self.folder, ignore_errors=True)
            fresh.rename(self.folder)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)


def _flush(file: Path) -> None:
    """A power cut after the rename must not leave an empty executable."""
    with file.open("rb") as handle:
        os.fsync(handle.fileno())


def _take(lock: IO[str], waiting: Callable[[], None]) -> None:
    """The kernel lets go of the lock when its process dies, however it dies."""
    told = False
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if not told:
                waiting()
                told = True
            time.sleep(0.2)
