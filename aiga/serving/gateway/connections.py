"""Connections of clients: as many as the system lets a process have, and idle ones go before that many are reached.

Beyond it the system would reset new connections without a word, and let none be opened to model servers either.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

ENOUGH = 2**16
"""Descriptors, where the system has no limit of its own."""
OWN = 512
"""Most descriptors that are kept for model servers, events and files; a quarter where there are few."""
_BATCH = 20
"""What part of all connections is closed at a time."""
_QUIET = 10.0
"""Seconds between two lines of the log."""

_log = logging.getLogger(__name__)


def raise_limit() -> int:
    """Lets this process have as many descriptors as it may; how many that are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH if hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    now = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return ENOUGH if now == resource.RLIM_INFINITY else now


class Connections(web.Server):
    """aiohttp's server, which makes room for a new connection by closing idle ones."""

    def __init__(self, handler: Any, limit: int, refused: Callable[[], None], **more: Any) -> None:
        """Makes it.

        Args:
            handler: answers requests.
            limit: descriptors that the process may have.
            refused: called for each connection that there was no room for.
            more: for aiohttp.
        """
        super().__init__(handler, **more)
        self.most = limit - min(OWN, limit // 4)
        """Connections at once."""
        self._refused = refused
        self._told = 0.0

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        if len(self._connections) > self.most:
            self._make_room(handler)

    def _make_room(self, newest: RequestHandler) -> None:
        """Closes those that have been idle for longest; the newest, where none is."""
        idle = [one for one in self._connections if one._waiter is not None and not one._waiter.done()]
        idle.sort(key=lambda one: one._next_keepalive_close_time)
        closing = idle[: max(1, self.most // _BATCH)]
        now = time.monotonic()
        if now > self._told + _QUIET:
            self._told = now
            what = f"the {len(closing)} idle for longest are closed" if closing else "none is idle: new ones are closed"
            _log.warning("%d connections, more than the %d that `ulimit -n` has room for: %s", *self._count(), what)
        for one in closing:
            one.force_close()
        if not closing:
            newest.force_close()
            self._refused()

    def _count(self) -> tuple[int, int]:
        return len(self._connections), self.most
