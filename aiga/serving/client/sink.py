"""An address on this machine that takes CloudEvents and counts them by type: for demonstrations and tests."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from aiohttp import web


@dataclass
class Sink:
    """What came."""

    url: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    """Events by type."""

    async def take(self, request: web.Request) -> web.Response:
        await request.read()
        self.counts[request.headers.get("ce-type", "no event")] += 1
        return web.Response(status=202)


@contextlib.asynccontextmanager
async def listening() -> AsyncIterator[Sink]:
    """A sink on a free port, until the end of the block."""
    sink = Sink()
    application = web.Application()
    application.router.add_post("/", sink.take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        sink.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        yield sink
    finally:
        await runner.cleanup()
