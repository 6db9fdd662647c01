"""A publisher's own build: fetched, its digest checked, unpacked."""

from __future__ import annotations

import hashlib
import io
import re
import shutil
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO

from tools import network
from tools.catalogue import Asset
from tools.errors import Impossible

PINNED = "pinned"
UNVERIFIED = "unverified pin"
"""Only the publisher's own checksum file, from the same place as the download, stood against it."""

_CHUNK = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")


def install(
    asset: Asset,
    pin: str | None,
    tool: str,
    folder: Path,
    received: Callable[[int, int | None], None],
) -> dict[str, str]:
    """Put the tool into `folder` and return what was checked, and how.

    Impossible when it cannot be had or is not what it should be.
    """
    expected = pin or published(asset)
    with tempfile.TemporaryFile(dir=folder) as body:
        network.fetch(asset.url, body, received)
        got = sha256(body)
        if got != expected:
            raise Impossible(
                f"{asset.url}: refused: its sha256 is {got}, {'pinned' if pin else 'published'} is {expected}",
                "if the publisher has replaced the file, find out why before `make lock`",
            )
        _unpack(body, asset, tool, folder)
    return {"url": asset.url, "sha256": got, "checked": PINNED if pin else UNVERIFIED}


def published(asset: Asset) -> str:
    """The sha256 that the publisher names for the asset."""
    if asset.checksums is None:
        raise Impossible(
            f"{asset.url}: no sha256 is known (not in sums.txt, and the publisher has no list)",
            "run `make lock` on a machine with network",
        )
    text = io.BytesIO()
    network.fetch(asset.checksums, text)
    found = find_sum(text.getvalue().decode(errors="replace"), PurePosixPath(asset.url).name)
    if found is None:
        raise Impossible(f"{asset.checksums}: no sha256 in it for {PurePosixPath(asset.url).name}")
    return found


def find_sum(text: str, name: str) -> str | None:
    """The digest of `name` in a list as sha256sum writes it, or the only one in a file that holds nothing else."""
    lines = [line.split() for line in text.lower().splitlines() if line.strip()]
    if len(lines) == 1 and len(lines[0]) == 1 and _SHA256.fullmatch(lines[0][0]):
        return lines[0][0]
    for first, *rest in lines:
        if _SHA256.fullmatch(first) and [PurePosixPath(word.lstrip("*")).name for word in rest] == [name.lower()]:
            return first
    return None


def sha256(body: IO[bytes]) -> str:
    body.seek(0)
    total = hashlib.sha256()
    while chunk := body.read(_CHUNK):
        total.update(chunk)
    return total.hexdigest()


def _unpack(body: IO[bytes], asset: Asset, tool: str, folder: Path) -> None:
    body.seek(0)
    if asset.member is None:
        _write(body, folder / tool)
        return
    try:
        with tarfile.open(fileobj=body, mode="r:gz") as archive:
            for entry in archive:
                if not entry.isfile() or not _wanted(entry.name, asset.member):
                    continue
                content = archive.extractfile(entry)
                assert content is not None, entry.name
                _write(content, folder / PurePosixPath(entry.name).name)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise Impossible(f"{asset.url}: cannot be unpacked: {error}") from error
    if not (folder / tool).exists():
        raise Impossible(f"{asset.url}: no {asset.member} in it")


def _wanted(name: str, member: str) -> bool:
    """Files are written by their last name alone, so no archive can write elsewhere."""
    name = str(PurePosixPath(name))
    return str(PurePosixPath(name).parent) + "/" == member if member.endswith("/") else name == member


def _write(content: IO[bytes], file: Path) -> None:
    with file.open("wb") as target:
        shutil.copyfileobj(content, target, _CHUNK)
    file.chmod(0o755)
