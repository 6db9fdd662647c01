"""Artefacts of runs, datasets and models under keys, the same in a directory and in S3."""

from __future__ import annotations

from pathlib import Path

from aiga.errors import UserError
from aiga.store.base import Item, Store
from aiga.store.errors import Blocked, Corrupt, Missing
from aiga.store.progress import Progress

__all__ = ["Blocked", "Corrupt", "Item", "Missing", "Progress", "Store", "open_store"]


def open_store(address: str) -> Store:
    """The store at an address: a folder, `file:///folder`, or `s3://bucket/prefix?endpoint=…&region=…&path_style=…`.

    Raises:
        UserError: it is no such address. Whether the place can be reached shows with the first use.
    """
    scheme, separator, rest = address.partition("://")
    if scheme == "s3" and separator:
        from aiga.store.s3 import S3Store
        from aiga.store.s3_address import parse

        return S3Store(parse(address))
    if separator and scheme != "file":
        raise UserError(f"store {address}: must be a folder or s3://bucket/prefix")
    if not (rest if separator else address).strip():
        raise UserError("store: must be a folder or s3://bucket/prefix, got nothing")
    from aiga.store.directory import DirectoryStore

    return DirectoryStore(Path(rest if separator else address))
