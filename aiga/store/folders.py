"""Folders of a store: their files first, a manifest with names and digests last.

A file of a folder is never replaced. One whose name holds other bytes, from an upload that was killed or one that runs
at the same time, goes under the spare name of its digest, and the manifest says so: whichever manifest is written last,
all that it names is there and is right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import Field, ValidationError, field_validator

from aiga.errors import UserError
from aiga.spec.base import Model
from aiga.store.digest import file_digest, files_digest, files_of
from aiga.store.errors import Blocked, Corrupt, Missing
from aiga.store.keys import MANIFEST, SPARE, check_key, check_name
from aiga.store.progress import Meter, Progress

if TYPE_CHECKING:
    from aiga.store.base import Store

T = TypeVar("T")
R = TypeVar("R")


class File(Model):
    """One file of a folder."""

    size: int = Field(ge=0)
    """Bytes."""
    digest: str
    spare: bool = False
    """Whether it is under its spare name."""

    def key(self, folder: str, name: str) -> str:
        return f"{folder}/{SPARE}/{self.digest.removeprefix('sha256:')}" if self.spare else f"{folder}/{name}"


class Manifest(Model):
    """What a folder consists of."""

    digest: str
    files: dict[str, File]

    @field_validator("files")
    @classmethod
    def _safe(cls, files: dict[str, File]) -> dict[str, File]:
        try:
            for name in files:
                check_name(name)
        except UserError as error:
            raise ValueError(str(error)) from error
        return files


def upload(store: Store, folder: Path, key: str, progress: Progress | None) -> str:
    """Store the files of `folder`, then its manifest; the folder's digest."""
    paths = files_of(folder)
    for name in paths:
        check_key(f"{key}/{check_name(name)}")
    sizes = {name: path.stat().st_size for name, path in paths.items()}
    digests = dict(zip(paths, _each(store, file_digest, paths.values()), strict=True))
    meter = Meter(progress, sum(sizes.values()))

    def place(name: str) -> File:
        for spare in (False, True):
            file = File(size=sizes[name], digest=digests[name], spare=spare)
            with suppress(Blocked):
                if _place(store, paths[name], file, file.key(key, name), meter):
                    return file
        raise Corrupt(f"{store.address}: {file.key(key, name)} is damaged (delete {key}, then store it again)")

    files = dict(zip(paths, _each(store, place, paths), strict=True))
    manifest = Manifest(digest=files_digest(digests), files=files)
    store.write(f"{key}/{MANIFEST}", manifest.model_dump_json(indent=1).encode())
    return manifest.digest


def _place(store: Store, path: Path, file: File, key: str, meter: Meter) -> bool:
    held = store._digest(key)
    if held is None and store._send(path, key, file.digest, meter, replace=False):
        return True
    if (held or store._digest(key)) != file.digest:
        return False
    meter.add(file.size)
    return True


def download(store: Store, key: str, path: Path, progress: Progress | None) -> str:
    """Fetch the files of a folder to `path`; the folder's digest. Raises Missing without a manifest."""
    manifest = read_manifest(store, key)
    meter = Meter(progress, sum(file.size for file in manifest.files.values()))
    path.mkdir()

    def fetch(name: str) -> str:
        file, target = manifest.files[name], path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        found = store._fetch(file.key(key, name), target, meter)
        if found != file.digest:
            raise Corrupt(
                f"{store.address}: {file.key(key, name)} is damaged: it is {found}, was stored as {file.digest} "
                f"(delete {key}, then store it again)"
            )
        return found

    digest = files_digest(dict(zip(manifest.files, _each(store, fetch, manifest.files), strict=True)))
    if digest != manifest.digest:
        raise Corrupt(f"{store.address}: {key}/{MANIFEST} is damaged: its files are {digest}, not {manifest.digest}")
    return digest


def read_manifest(store: Store, key: str) -> Manifest:
    try:
        return Manifest.model_validate_json(store.read(f"{key}/{MANIFEST}"))
    except Missing:
        raise store._missing(key) from None
    except ValidationError as error:
        raise Corrupt(f"{store.address}: {key}/{MANIFEST} is damaged: {error.errors()[0]['msg']}") from error


def _each(store: Store, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    if store.parallel == 1:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(store.parallel) as pool:
        yield from pool.map(work, items)
