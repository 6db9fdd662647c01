"""Delivers events to one address. Whoever offers one never waits, and never hears of trouble.

What waits is bounded in number and bytes; beyond that, and beyond the folder where there is one, events are dropped and
counted by reason.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from aiga.serving.gateway.delivery import Delivery, Verdict
from aiga.serving.gateway.deployment import Sink
from aiga.serving.gateway.events import Event
from aiga.serving.gateway.spool import Segment, Spool

_log = logging.getLogger(__name__)
_SEGMENT_EVENTS, _SEGMENT_BYTES = 1000, 4 * 2**20
_HEAVY = 32 * 2**10
"""Bytes of a body from which on it is made beside the event loop."""

Prepare = Callable[[Event], Event]
"""Makes the body of an event, without what must not be logged; `ValueError` where that cannot be."""


@dataclass(eq=False, slots=True)
class _Held:
    event: Event
    segment: Segment | None = None
    before: int | None = None
    """Events that had been delivered when it was first tried."""


class Sender:
    """The queue and the deliveries of one address."""

    def __init__(
        self,
        settings: Sink,
        prepare: Prepare,
        delivered: Callable[[], None] = lambda: None,
        dropped: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self.settings, self.url = settings, _shown(str(settings.url))
        self._prepare = prepare
        self._on_delivered, self._on_dropped = delivered, dropped
        self.delivered = 0
        self.drops: Counter[str] = Counter()
        """Events not delivered, by reason."""
        self.trouble = self.disk_trouble = ""
        """What the last failure was; empty once an event is delivered, or kept, again."""
        self.bytes = 0
        """In memory."""
        self._queue: deque[_Held] = deque()
        self._loaded: deque[_Held] = deque()
        self._in_hand: set[_Held] = set()
        self._idle: deque[asyncio.Future[None]] = deque()
        self._loading = False
        self._stopping = asyncio.Event()
        self._spilling: asyncio.Task[None] | None = None
        self._workers: list[asyncio.Task[None]] = []
        self._spool: Spool | None = None
        if settings.spool is not None:
            try:
                self._spool = Spool(settings.spool, settings.spool_bytes)
            except OSError as error:
                self.disk_trouble = f"{settings.spool}: {error.strerror}"

    @property
    def waiting(self) -> int:
        """Events in memory."""
        return len(self._queue) + len(self._loaded) + len(self._in_hand)

    @property
    def spooled_bytes(self) -> int:
        return self._spool.bytes if self._spool is not None else 0

    def start(self) -> None:
        self._workers = [asyncio.create_task(self._work()) for _ in range(self.settings.concurrency)]

    def offer(self, event: Event) -> None:
        """Takes an event, or drops it; returns at once."""
        limits = self.settings
        if self._stopping.is_set():
            self._drop("stopped")
        elif event.size > limits.event_bytes:
            self._drop("oversized")
        elif self.waiting >= limits.events or self.bytes + event.size > limits.bytes:
            self._drop("full")
        else:
            self._queue.append(_Held(event))
            self.bytes += event.size
            self._wake()
            if self._crowded() and self._spool is not None and self._spilling is None:
                self._spilling = asyncio.create_task(self._spill(self._spool))

    async def stop(self, limit: float) -> None:
        """Delivers all that waits, for at most `limit` seconds; the rest goes to the folder, else it is dropped."""
        self._stopping.set()
        try:
            async with asyncio.timeout(limit):
                while self._undelivered() and not (self._spool is not None and self.trouble):
                    self._wake()
                    await asyncio.sleep(0.01)
        except TimeoutError:
            pass
        tasks = [*self._workers, *([self._spilling] if self._spilling is not None else [])]
        for task in self._workers:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        left = [held.event for held in (*self._in_hand, *self._queue) if held.segment is None]
        self._in_hand.clear()
        self._queue.clear()
        self._loaded.clear()
        self.bytes = 0
        for start in range(0, len(left), _SEGMENT_EVENTS):
            batch = left[start : start + _SEGMENT_EVENTS]
            if self._spool is None or not await self._kept(self._spool, batch):
                for _ in batch:
                    self._drop("stopped")

    def _undelivered(self) -> bool:
        on_disk = self._spool is not None and bool(self._spool.segments)
        return bool(self.waiting) or on_disk or self._loading or self._spilling is not None

    def _crowded(self) -> bool:
        return len(self._queue) * 2 > self.settings.events or self.bytes * 2 > self.settings.bytes

    def _drop(self, reason: str) -> None:
        self.drops[reason] += 1
        self._on_dropped(reason)

    def _wake(self) -> None:
        while self._idle:
            idle = self._idle.popleft()
            if not idle.done():
                idle.set_result(None)
                return

    async def _work(self) -> None:
        settings = self.settings
        delivery = Delivery(str(settings.url), settings.timeout, settings.longest_wait, self._stopping, self._hear)
        try:
            while True:
                held = await self._next()
                self._in_hand.add(held)
                done = await self._deliver(held, delivery)
                self._in_hand.discard(held)
                if done:
                    await self._settle(held)
                else:
                    self._queue.append(held)
        finally:
            delivery.close()

    async def _deliver(self, held: _Held, delivery: Delivery) -> bool:
        """Whether an event is done with: delivered, or dropped for a reason."""
        event = held.event
        try:
            heavy = event.size > _HEAVY
            ready = await asyncio.to_thread(self._prepare, event) if heavy else self._prepare(event)
        except Exception:
            self._drop("unreadable")
            return True
        before = self.delivered if held.before is None else held.before
        try:
            verdict = await delivery.bring(ready.content(), ready.headers())
        except Exception:
            _log.exception("an event to %s", self.url)
            self._drop("fault")
            return True
        if verdict is Verdict.DELIVERED:
            self.delivered += 1
            self._on_delivered()
        elif verdict is Verdict.REFUSED:
            self._drop("refused")
        elif self.delivered > before:
            self._drop("failing")
        else:
            held.before = before
            return False
        return True

    async def _settle(self, held: _Held) -> None:
        self.bytes -= held.event.size
        if held.segment is not None and self._spool is not None:
            held.segment.left -= 1
            if not held.segment.left:
                await asyncio.to_thread(self._spool.remove, held.segment)

    def _hear(self, trouble: str) -> None:
        self.trouble = trouble

    async def _next(self) -> _Held:
        """The next event: what is on disk is older than what is in memory."""
        while True:
            if self._loaded:
                return self._loaded.popleft()
            if self._spool is not None and self._spool.segments and not self._loading:
                await self._load(self._spool)
            elif self._queue:
                return self._queue.popleft()
            else:
                idle = asyncio.get_running_loop().create_future()
                self._idle.append(idle)
                await idle

    async def _load(self, spool: Spool) -> None:
        self._loading = True
        try:
            segment, events = await asyncio.to_thread(spool.read)
        except OSError as error:
            self.disk_trouble = f"{self.settings.spool}: {error.strerror}"
            self._drop("disk")
        else:
            self._loaded.extend(_Held(event, segment) for event in events)
            self.bytes += sum(event.size for event in events)
        finally:
            self._loading = False

    async def _spill(self, spool: Spool) -> None:
        """Moves the oldest events to disk until memory has room again, or the folder has none."""
        most = min(_SEGMENT_EVENTS, 1 + self.settings.events // 4)
        try:
            while self._queue and self._crowded() and not self._stopping.is_set():
                batch: list[_Held] = []
                size = 0
                while self._queue and len(batch) < most and size < _SEGMENT_BYTES:
                    batch.append(self._queue.popleft())
                    size += batch[-1].event.size
                if not await self._kept(spool, [held.event for held in batch]):
                    self._queue.extendleft(reversed(batch))
                    await asyncio.sleep(1)
                    continue
                for held in batch:
                    await self._settle(held)
        finally:
            self._spilling = None
            self._wake()

    async def _kept(self, spool: Spool, events: list[Event]) -> bool:
        """Whether the folder has taken the events."""
        if not spool.has_room(sum(event.size for event in events)):
            return False
        ready, unreadable = [], 0
        for event in events:
            try:
                ready.append(self._prepare(event))
            except Exception:
                unreadable += 1
        try:
            await asyncio.to_thread(spool.write, ready)
        except OSError as error:
            self.disk_trouble = f"{self.settings.spool}: {error.strerror}"
            return False
        self.disk_trouble = ""
        for _ in range(unreadable):
            self._drop("unreadable")
        return True


def _shown(url: str) -> str:
    """The address without the name and password that it may hold."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
