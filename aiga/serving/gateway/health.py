"""Looks at predictors from time to time, so that requests keep away from those that cannot answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from aiga.serving.gateway.backend import Backend, Live

MISSES = 2
"""Looks in a row that must fail; a busy machine may miss one."""
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
    try:
        async with asyncio.timeout(LONGEST):
            ready = await backend.predictor.ready()
    except Exception:
        ready = False
    backend.missed = 0 if ready else backend.missed + 1
    backend.healthy = ready or (backend.healthy and backend.missed < MISSES)
