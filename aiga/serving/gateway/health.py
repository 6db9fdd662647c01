"""Looks at predictors from time to time, so that requests keep away from those that cannot answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from aiga.serving.gateway.backend import Backend, Live

_log = logging.getLogger(__name__)
MISSES = 2
"""Looks in a row that must fail. One that ends without a word fails only if no request has been answered meanwhile: a
server may be too busy to say that it is ready."""
LONGEST = 5.0
"""Seconds that a predictor has to say that it is ready."""


async def watch(live: Callable[[], Live]) -> None:
    """Looks at the predictors of the moment, for ever."""
    while True:
        await look(live().backends.values())
        await asyncio.sleep(live().deployment.health_period)


async def look(backends: Iterable[Backend]) -> None:
    """Looks once at each."""
    await asyncio.gather(*(_look(backend) for backend in backends))


async def _look(backend: Backend) -> None:
    begun = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(LONGEST):
            ready = await backend.predictor.ready()
    except Exception:
        ready = backend.answered >= begun
    backend.missed = 0 if ready else backend.missed + 1
    healthy = ready or (backend.healthy and backend.missed < MISSES)
    if healthy is not backend.healthy:
        backend.healthy = healthy
        _log.log(logging.INFO if healthy else logging.WARNING, "%s is%s ready", backend.name, "" if healthy else " not")
