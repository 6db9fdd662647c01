"""Gives the shadow a copy of the traffic, compares its answers with the main's, and drops them.

Nobody waits for a copy: it is queued within bounds, or counted as dropped.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from aiga.serving.gateway.backend import Backend
from aiga.serving.gateway.call import Answer, Call
from aiga.serving.gateway.compare import agreement
from aiga.serving.gateway.deployment import Deployment
from aiga.serving.gateway.exchange import Exchange, Outcome
from aiga.serving.gateway.metrics import Metrics
from aiga.serving.messages import Message, ServingError

Read = Callable[[Answer], Message]
"""Takes a v2 answer apart."""


@dataclass(frozen=True, slots=True)
class _Copy:
    shadow: Backend
    exchange: Exchange
    main: Outcome | None
    deployment: Deployment

    @property
    def size(self) -> int:
        """Bytes that it keeps in memory."""
        return self.exchange.size + (self.main.size if self.main is not None else 0)


class Mirror:
    """The copies that wait, and those under way."""

    def __init__(self, metrics: Metrics, deployment: str, read: Read) -> None:
        self._metrics, self._deployment, self._read = metrics, deployment, read
        self._waiting: deque[_Copy] = deque()
        self._bytes = 0
        self._under_way: set[asyncio.Task[None]] = set()
        self._stopped = False
        self.counts: dict[str, int] = {}
        """Copies by what became of them, and rows that agree."""

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def offer(self, shadow: Backend, exchange: Exchange, main: Outcome | None, deployment: Deployment) -> None:
        """Takes a copy of a request; returns at once.

        Args:
            shadow: Who gets it.
            exchange: The request.
            main: The answer that its client has got, if any.
            deployment: As of the request.
        """
        limits = deployment.mirror
        copy = _Copy(shadow, exchange, main, deployment)
        if self._stopped:
            self._count(shadow, "stopped")
        elif not shadow.healthy:
            self._count(shadow, "not_ready")
        elif len(self._waiting) >= limits.waiting or self._bytes + copy.size > limits.waiting_bytes:
            self._count(shadow, "full")
        else:
            self._waiting.append(copy)
            self._bytes += copy.size
            if len(self._under_way) < limits.concurrency:
                task = asyncio.create_task(self._work())
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)

    async def stop(self) -> None:
        """Drops what waits and what is under way."""
        self._stopped = True
        for copy in self._waiting:
            self._count(copy.shadow, "stopped")
        self._waiting.clear()
        self._bytes = 0
        under_way = list(self._under_way)
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    async def _work(self) -> None:
        while self._waiting:
            copy = self._waiting.popleft()
            self._bytes -= copy.size
            self._count(copy.shadow, await self._send(copy))

    async def _send(self, copy: _Copy) -> str:
        """What becomes of a copy."""
        shadow, exchange, limit = copy.shadow, copy.exchange, copy.deployment.timeout
        loop = asyncio.get_running_loop()
        begun = loop.time()
        call = replace(exchange.call, deadline=begun + limit)
        status = 500
        try:
            async with asyncio.timeout(limit):
                answer = await self._ask(shadow, exchange, call)
            status = answer.status if isinstance(answer, Answer) else 200
            if status >= 400:
                return "error"
            self._metrics.wrapped(shadow, answer)
            self._compare(copy, answer)
        except TimeoutError:
            status = 504
            return "timeout"
        except ServingError as error:
            status = error.status
            return "error"
        except Exception:
            return "error"
        finally:
            took = loop.time() - begun
            shadow.window.add(loop.time(), took, status >= 500)
            self._metrics.asked(shadow, exchange, status, took)
        return "answered"

    async def _ask(self, shadow: Backend, exchange: Exchange, call: Call) -> Answer | Message:
        if shadow.forward is not None and exchange.raw is not None:
            return await shadow.forward(exchange.raw, exchange.headers, call)
        return await shadow.predictor.infer(exchange.message(), call)

    def _compare(self, copy: _Copy, answer: Answer | Message) -> None:
        if copy.main is None:
            return
        ours = self._taken_apart(copy.main.answer)
        if ours is None:
            return
        theirs = self._taken_apart(answer)
        agreed, rows = (0, 1) if theirs is None else agreement(ours, theirs, copy.deployment.mirror.tolerance)
        for agree, number in (("yes", agreed), ("no", rows - agreed)):
            self._metrics.rows.labels(self._deployment, copy.shadow.name, agree).inc(number)
            self.counts[f"agree_{agree}"] = self.counts.get(f"agree_{agree}", 0) + number

    def _taken_apart(self, answer: Answer | Message) -> Message | None:
        if isinstance(answer, Message):
            return answer
        try:
            return self._read(answer) if answer.status < 400 else None
        except ServingError:
            return None

    def _count(self, shadow: Backend, outcome: str) -> None:
        self.counts[outcome] = self.counts.get(outcome, 0) + 1
        self._metrics.mirrored.labels(self._deployment, shadow.name, outcome).inc()
