"""Takes a prediction to a predictor: choice, time limits, further tries, circuits."""

from __future__ import annotations

import asyncio
import logging
import time

from aiohttp import ClientError

from aiga.errors import TransientError
from aiga.serving.gateway.backend import Backend, Live
from aiga.serving.gateway.breaker import State
from aiga.serving.gateway.call import Answer
from aiga.serving.gateway.exchange import Exchange, Failed, Outcome
from aiga.serving.gateway.metrics import Metrics
from aiga.serving.gateway.mirror import Mirror
from aiga.serving.messages import GONE, BadRequest, Message, ServingError

_log = logging.getLogger(__name__)
_NOT_IMPLEMENTED = 501


def is_failure(status: int) -> bool:
    """Whether an answer speaks against the predictor, so that another one may do better."""
    return status >= 500 and status != _NOT_IMPLEMENTED


class Dispatcher:
    """Answers predictions."""

    def __init__(self, live: Live, metrics: Metrics, mirror: Mirror) -> None:
        self.live = live
        """As of now; replaced as a whole."""
        self._metrics, self._mirror = metrics, mirror

    async def predict(self, exchange: Exchange) -> Outcome:
        """The answer of one predictor, or of another one where the first has failed.

        Raises:
            Failed: there is none; it holds why, and the predictor that was asked last.
        """
        live = self.live
        outcome: Outcome | None = None
        status = GONE
        try:
            outcome = await self._predict(live, exchange)
            status = _status(outcome.answer)
            return outcome
        except Failed as failed:
            status = failed.status
            raise
        finally:
            if live.shadow is not None and (status < 400 or status >= GONE):
                self._mirror.offer(live.shadow, exchange, outcome, live.deployment)

    async def _predict(self, live: Live, exchange: Exchange) -> Outcome:
        clock = asyncio.get_running_loop().time
        tried: list[str] = []
        last: Outcome | Failed | None = None
        for attempt in range(1 + live.deployment.retries):
            now = clock()
            if attempt and now >= exchange.call.deadline:
                break
            backend = _choose(live, exchange, tried, now)
            if backend is None:
                break
            if attempt:
                self._metrics.retried(backend.name)
            tried.append(backend.name)
            limit = _limit(live, exchange, tried, live.deployment.retries - attempt, now)
            last = await self._try(live, backend, exchange, attempt + 1, limit)
            if not isinstance(last, Failed):
                if not is_failure(_status(last.answer)):
                    break
            elif last.of_model or not is_failure(last.status):
                break
        if last is None:
            now = clock()
            raise Failed(503, _closed(live, now), retry_after=live.wait(now))
        if isinstance(last, Failed):
            raise last
        return last

    async def _try(
        self, live: Live, backend: Backend, exchange: Exchange, number: int, limit: float
    ) -> Outcome | Failed:
        """One try with one predictor, until the event loop's time `limit`."""
        forward = backend.forward if exchange.raw is not None else None
        try:
            message = exchange.message() if forward is None else None
        except BadRequest as wrong:
            return Failed(wrong.status, wrong.reason, backend)
        now = asyncio.get_running_loop().time()
        status, well = GONE, False
        answer: Answer | Message | None = None
        trial = backend.breaker.begin(now)
        backend.in_flight += 1
        begun = time.perf_counter()
        try:
            async with asyncio.timeout_at(limit):
                if forward is not None and exchange.raw is not None:
                    answer = await forward(exchange.raw, exchange.headers, exchange.call)
                elif message is not None:
                    answer = await backend.predictor.infer(message, exchange.call)
            status = _status(answer)
            well = not is_failure(status)
        except Exception as error:
            whole = limit >= exchange.call.deadline
            failed = _failed(error, backend, live.deployment.timeout if whole else limit - now)
            status, well = failed.status, failed.of_model or not is_failure(failed.status)
            return failed
        finally:
            took = time.perf_counter() - begun
            backend.in_flight -= 1
            end = asyncio.get_running_loop().time()
            self._note(backend, trial, end, status, well)
            backend.window.add(end, took, status >= 500)
            self._metrics.asked(backend, exchange, status, took)
        assert answer is not None
        self._metrics.wrapped(backend, answer)
        return Outcome(backend, answer, number)

    def _note(self, backend: Backend, trial: bool, now: float, status: int, well: bool) -> None:
        """Tells the circuit of a try's end, and people of what that does to the circuit."""
        breaker = backend.breaker
        opened = breaker.opened
        breaker.end(trial, now, None if status == GONE else well)
        if well:
            backend.answered = now
        if breaker.opened > opened:
            _log.warning("%s fails (%s): no requests for %g s", backend.name, status, breaker.settings.open)
        elif trial and breaker.state(now) is State.CLOSED:
            _log.info("%s answers again", backend.name)


def _choose(live: Live, exchange: Exchange, tried: list[str], now: float) -> Backend | None:
    """A predictor that has not been tried, else one that has."""
    closed = [name for name, one in live.backends.items() if not one.allows(now)]
    if exchange.pinned and exchange.variant is not None:
        return live.backends[exchange.variant] if exchange.variant not in closed else None
    name = live.router.choose(exchange.variant, exchange.key, closed + tried)
    if name is None and tried:
        name = live.router.choose(exchange.variant, exchange.key, closed)
    return live.backends[name] if name is not None else None


def _limit(live: Live, exchange: Exchange, tried: list[str], left: int, now: float) -> float:
    """The event loop's time by which a try must end: a hung predictor leaves time for those to be tried after it."""
    deadline = exchange.call.deadline
    if live.deployment.try_timeout is not None:
        return min(deadline, now + live.deployment.try_timeout)
    if exchange.pinned:
        return deadline
    others = sum(one.name not in tried for one in live.taking(now))
    tries = 1 + min(left, others)
    return now + (deadline - now) / tries if tries > 1 else deadline


def _status(answer: Answer | Message | None) -> int:
    return answer.status if isinstance(answer, Answer) else 200


def _failed(error: Exception, backend: Backend, limit: float) -> Failed:
    """What a client is told of an exception; `limit` is what the try had, in seconds."""
    if isinstance(error, TimeoutError):
        return Failed(504, f"{backend.name} gave no answer in time (timeout {limit:.3g} s)", backend)
    if isinstance(error, ServingError):
        return Failed(error.status, error.reason, backend, of_model=error.of_model)
    reason = f"{backend.name}: {type(error).__name__}: {error}".rstrip(": ")
    if isinstance(error, OSError | ClientError | TransientError | EOFError):
        return Failed(502, reason, backend)
    return Failed(500, reason, backend)


def _closed(live: Live, now: float) -> str:
    """Why there is nobody to answer."""
    reasons = [
        f"{one.name} {'is ' + one.breaker.state(now).value if one.healthy else 'is not ready'}"
        for one in live.backends.values()
        if one.settings.weight > 0
    ]
    return f"no predictor of {live.deployment.name} takes requests: {', '.join(reasons)}"
