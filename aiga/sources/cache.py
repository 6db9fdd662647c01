"""Data on this machine by digest, so that nothing is fetched twice; it may be deleted at any time."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from aiga.store.digest import path_digest

_READ_ONLY = 0o444
_STALE = 7 * 24 * 3600
"""Seconds after which the unfinished work of a dead process is removed."""


class Cache:
    """A folder: `data/<hex>/<name>` what was fetched, `last/` what each source was last, `unfinished/`, `links/`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()

    @contextmanager
    def unfinished(self) -> Iterator[Path]:
        """A folder for what is being fetched; removed afterwards."""
        parent = self.folder / "unfinished"
        parent.mkdir(parents=True, exist_ok=True)
        for old in parent.iterdir():
            with suppress(OSError):
                if time.time() - old.stat().st_mtime > _STALE:
                    shutil.rmtree(old)
        path = parent / secrets.token_hex(8)
        path.mkdir()
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def put(self, path: Path, digest: str, name: str) -> Path:
        """Move a file or folder with this digest in; where it is now. It is read-only from then on."""
        target = self.place(digest, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        for file in [path] if path.is_file() else (each for each in path.rglob("*") if each.is_file()):
            file.chmod(_READ_ONLY)
        if self.get(digest, name) is None:
            with self.unfinished() as damaged:
                with suppress(FileNotFoundError):
                    os.rename(target, damaged / name)
                with suppress(OSError):  # another process was quicker: the same bytes
                    os.rename(path, target)
        return target

    def get(self, digest: str, name: str) -> Path | None:
        """Where this data is, or None where it is not, or not any more what it was."""
        path = self.place(digest, name)
        return path if path.exists() and path_digest(path) == digest else None

    def place(self, digest: str, name: str) -> Path:
        """Where data with this digest belongs."""
        return self.folder / "data" / digest.removeprefix("sha256:") / name

    def links(self, files: Mapping[str, Path]) -> Path:
        """A folder with a link for each name to its file; the same one for the same links."""
        listing = json.dumps([(name, str(path)) for name, path in sorted(files.items())])
        target = self.folder / "links" / sha256(listing.encode()).hexdigest()
        if not target.is_dir():
            target.parent.mkdir(parents=True, exist_ok=True)
            with self.unfinished() as folder, suppress(OSError):  # another process was quicker: the same links
                for name, path in files.items():
                    link = folder / "files" / name
                    link.parent.mkdir(parents=True, exist_ok=True)
                    link.symlink_to(path)
                os.rename(folder / "files", target)
        return target

    def last(self, source: str) -> dict[str, Any] | None:
        """Evidence of the last read of what `source` describes."""
        with suppress(OSError, ValueError):
            found = json.loads(self._note(source).read_text())
            return found if isinstance(found, dict) else None
        return None

    def remember(self, source: str, evidence: Mapping[str, Any]) -> None:
        """Keep the evidence of a read for `last`."""
        note = self._note(source)
        note.parent.mkdir(parents=True, exist_ok=True)
        with self.unfinished() as folder:
            (folder / "note").write_text(json.dumps(evidence))
            os.replace(folder / "note", note)

    def _note(self, source: str) -> Path:
        return self.folder / "last" / f"{sha256(source.encode()).hexdigest()}.json"
