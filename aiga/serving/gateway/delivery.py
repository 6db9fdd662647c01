"""Brings one event after another to an address, with as much patience as each deserves."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import Enum, auto

from aiga.serving.gateway.channel import Channel

FIRST_WAIT = 0.1
"""Seconds before the second try; doubled with each until an event is delivered."""
STOPPING_WAIT = 0.2
"""Longest pause while the gateway stops."""
TRIES = 5
"""Answers of an error after which another event has its turn."""
_AGAIN = frozenset({408, 425, 429})


class Verdict(Enum):
    """What came of bringing an event."""

    DELIVERED = auto()
    REFUSED = auto()
    """The receiver will never take it."""
    FAILING = auto()
    """It may take it another time."""


class Delivery:
    """One connection, over which events are tried one after another."""

    def __init__(
        self, url: str, timeout: float, longest_wait: float, stopping: asyncio.Event, told: Callable[[str], None]
    ) -> None:
        """Makes it; `told` hears of every trouble, and of its end as an empty text."""
        self._channel = Channel(url)
        self._timeout, self._longest, self._stopping, self._told = timeout, longest_wait, stopping, told
        self._wait = FIRST_WAIT

    async def bring(self, content: bytes, headers: Mapping[str, str]) -> Verdict:
        """Tries an event until it is there, is refused, or has been answered by errors for long enough."""
        tries = 0
        while True:
            status = await self._post(content, headers)
            if status is not None and status < 300:
                self._wait = FIRST_WAIT
                self._told("")
                return Verdict.DELIVERED
            if status is not None and status < 500 and status not in _AGAIN:
                return Verdict.REFUSED
            tries += status is not None
            await self._pause()
            if tries >= TRIES:
                return Verdict.FAILING

    def close(self) -> None:
        self._channel.close()

    async def _post(self, content: bytes, headers: Mapping[str, str]) -> int | None:
        """The status of one try; None where there was no answer."""
        try:
            status = await self._channel.post(content, headers, self._timeout)
        except TimeoutError:
            self._told(f"no answer within {self._timeout:g} s")
            return None
        except OSError as error:
            self._told(os.strerror(error.errno) if error.errno else str(error) or type(error).__name__)
            return None
        if status >= 300:
            self._told(f"answers {status}")
        return status

    async def _pause(self) -> None:
        """Waits longer with each failure, only for a little once the gateway stops."""
        wait = min(self._wait, self._longest)
        self._wait = wait * 2 * random.uniform(0.8, 1.2)
        if self._stopping.is_set():
            await asyncio.sleep(min(wait, STOPPING_WAIT))
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self._stopping.wait()
