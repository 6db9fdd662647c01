"""Filling sums.txt: the sha256 of every download, for every platform, as the publishers give them now."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator

from tools import download, network
from tools.catalogue import ALL_PLATFORMS, Asset, Catalogue, Platform
from tools.errors import Impossible


def lock(catalogue: Catalogue, say: Callable[[str], None]) -> bool:
    """Write sums.txt anew; False when anything failed.

    A pin that cannot be read again stays, and so does one that the publisher contradicts.
    """
    fine = True
    sums: dict[str, str] = {}
    for name, asset in _assets(catalogue):
        pin = catalogue.sums.get(asset.url)
        try:
            fresh = _sum(asset)
        except Impossible as error:
            fine = False
            say(f"{name}: {error.why}; {'the old pin stays' if pin else 'not pinned'}")
            fresh = pin or ""
        if pin and fresh != pin:
            fine = False
            say(f"{name}: {asset.url}: the publisher now gives {fresh}, not {pin}: the pin stays; to accept, remove it")
            fresh = pin
        if fresh:
            sums[asset.url] = fresh
    catalogue.sums_file.write_text("".join(f"{sums[url]}  {url}\n" for url in sorted(sums)))
    say(f"{catalogue.sums_file.name}: {len(sums)} pinned")
    return fine


def _assets(catalogue: Catalogue) -> Iterator[tuple[str, Asset]]:
    for name, tool in catalogue.tools.items():
        for where in ALL_PLATFORMS:
            asset = tool.download and tool.download.asset(tool.version, Platform(*where.split("/")))
            if asset:
                yield f"{name} {where}", asset


def _sum(asset: Asset) -> str:
    if asset.checksums:
        return download.published(asset)
    with tempfile.TemporaryFile() as body:
        network.fetch(asset.url, body)
        return download.sha256(body)
