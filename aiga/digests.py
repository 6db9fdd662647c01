"""What a digest of files is, the same for what a step made and for what a store holds. Needs no other package."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path


def content_digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def file_digest(path: Path) -> str:
    """`sha256:<hex>` of a file's content, read in pieces."""
    with path.open("rb") as stream:
        return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"


def files_digest(digests: Mapping[str, str]) -> str:
    """Digest of a folder, given the digests of its files by relative name: of the lines `<name>\\0<hex>\\n`, sorted."""
    lines = (f"{name}\0{digests[name].removeprefix('sha256:')}\n" for name in sorted(digests))
    return content_digest("".join(lines).encode("utf-8", "surrogateescape"))
