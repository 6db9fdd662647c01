"""Follows the configuration file: what is changed in it is served at once, what is wrong in it never."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from aiga.errors import UserError
from aiga.serving.gateway.deployment import load
from aiga.serving.gateway.gateway import Gateway

PERIOD = 0.25
"""Seconds between two looks at the file."""

_log = logging.getLogger(__name__)
_Stamp = tuple[int, int, int]


class Follower:
    """Keeps a gateway to what a file says."""

    def __init__(self, gateway: Gateway, file: Path) -> None:
        self._gateway, self._file = gateway, file
        self._seen = _stamp(file)

    async def follow(self) -> None:
        """Looks at the file for ever."""
        while True:
            await asyncio.sleep(PERIOD)
            if _stamp(self._file) != self._seen:
                self.read()

    def read(self) -> None:
        """Takes what the file says now; keeps what was before, and says so, where it is wrong."""
        self._seen = _stamp(self._file)
        gateway = self._gateway
        try:
            gateway.apply(load(self._file))
            gateway.mistake = ""
        except Exception as mistake:
            gateway.mistake = str(mistake) if isinstance(mistake, UserError) else f"{type(mistake).__name__}: {mistake}"
            _log.error("%s; the configuration before it stays", gateway.mistake, exc_info=_fault(mistake))
        else:
            weights = ", ".join(f"{one.name} {one.weight:g} %" for one in gateway.deployment.predictors)
            _log.info("configuration taken: %s", weights)
        valid = "no" if gateway.mistake else "yes"
        gateway.metrics.reloads.labels(gateway.deployment.name, valid).inc()


def _fault(mistake: Exception) -> Exception | None:
    """What is nobody's mistake but a fault, to be traced."""
    return None if isinstance(mistake, UserError) else mistake


def _stamp(file: Path) -> _Stamp | None:
    try:
        stat = file.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
