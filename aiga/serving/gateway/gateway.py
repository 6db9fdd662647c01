"""A gateway without its sockets: what it serves at the moment, and how that changes."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from functools import partial

from aiga.errors import UserError
from aiga.serving.gateway import backend, health
from aiga.serving.gateway.backend import Backend, Live, Make
from aiga.serving.gateway.bodies import Bodies
from aiga.serving.gateway.breaker import State
from aiga.serving.gateway.deployment import FIXED, Deployment
from aiga.serving.gateway.dispatch import Dispatcher
from aiga.serving.gateway.journal import Journal, Prediction
from aiga.serving.gateway.log import Log
from aiga.serving.gateway.metrics import Metrics
from aiga.serving.gateway.mirror import Mirror
from aiga.serving.gateway.wire import taken_apart


class Gateway:
    """Everything behind the sockets; `start` before use, `stop` after it."""

    def __init__(self, deployment: Deployment, source: str, make: Make) -> None:
        """Makes the predictors.

        Args:
            deployment: What is served.
            source: Address of the gateway, which its events name.
            make: Makes a predictor of its settings.

        Raises:
            UserError: a predictor cannot be made.
        """
        self.metrics = Metrics(deployment.name)
        self.mirror = Mirror(self.metrics, deployment.name, taken_apart)
        self.log = Log(self.metrics, source)
        self.journal = Journal()
        self.bodies = Bodies(lambda: self.deployment.bodies_bytes)
        self._make = make
        self.dispatcher = Dispatcher(
            backend.build(deployment, make, asyncio.get_running_loop().time()), self.metrics, self.mirror
        )
        self.recent: deque[Prediction] = deque(maxlen=deployment.recent)
        self.since = time.time()
        self.draining = False
        self.mistake = ""
        """Why the last change of the configuration was not taken; empty when it was."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._gauges(self.live)

    @property
    def live(self) -> Live:
        return self.dispatcher.live

    @property
    def deployment(self) -> Deployment:
        return self.live.deployment

    @property
    def ready(self) -> bool:
        """Whether a request would find somebody to answer it."""
        return not self.draining and bool(self.live.taking(asyncio.get_running_loop().time()))

    def start(self) -> None:
        self.log.configure(self.deployment)
        self.journal.settings = self.deployment.journal
        self._spawn(self.journal.keep())
        self._spawn(health.watch(lambda: self.live))

    def apply(self, deployment: Deployment) -> None:
        """Serves what a changed configuration says from the next request on; those under way end as they began.

        Raises:
            UserError: it changes what a running gateway cannot, or a predictor cannot be made; nothing has changed.
        """
        before = self.live
        for name in FIXED:
            old, new = getattr(before.deployment, name), getattr(deployment, name)
            if old != new:
                raise UserError(f"{name}: changed from {old} to {new}: a running gateway keeps it (start it again)")
        live = backend.build(deployment, self._make, asyncio.get_running_loop().time(), before)
        self.dispatcher.live = live
        self.log.configure(deployment)
        self.journal.settings = deployment.journal
        self._gauges(live)
        if deployment.recent != before.deployment.recent:
            self.recent = deque(self.recent, maxlen=deployment.recent)
        for gone in set(before.backends.values()) - set(live.backends.values()):
            self._spawn(_close_idle(gone, before.deployment.timeout))

    def answered(self, prediction: Prediction) -> None:
        """Notes a prediction for the page, and for who asks later where it came from."""
        self.recent.append(prediction)
        self.journal.add(prediction)

    async def stop(self) -> None:
        """Delivers the events that wait, drops copies for the shadow, closes the predictors."""
        await self.mirror.stop()
        await self.log.stop(self.deployment.drain)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.journal.flush()
        await asyncio.gather(*(one.close() for one in self.live.backends.values()), return_exceptions=True)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _gauges(self, live: Live) -> None:
        clock = asyncio.get_running_loop().time
        self.metrics.gauge("mirror_waiting", "Copies for the shadow that wait.", lambda: float(self.mirror.waiting))
        self.metrics.gauge(
            "config_valid", "Whether the configuration's last change was taken.", lambda: float(not self.mistake)
        )
        self.metrics.gauge("bodies_bytes", "Bytes of bodies under way.", lambda: float(self.bodies.bytes))
        for one in live.backends.values():
            for name, (text, value) in _GAUGES.items():
                self.metrics.gauge(name, text, partial(value, one, clock), predictor_name=one.name)


_Value = Callable[[Backend, Callable[[], float]], float]
_GAUGES: Mapping[str, tuple[str, _Value]] = {
    "weight": ("Share of the traffic in percent.", lambda one, clock: one.settings.weight),
    "circuit_closed": ("Whether requests go through.", lambda one, clock: one.breaker.state(clock()) is State.CLOSED),
    "circuit_openings": ("How often the circuit has opened.", lambda one, clock: one.breaker.opened),
    "predictor_ready": ("Whether it was ready when last seen.", lambda one, clock: one.healthy),
    "in_flight": ("Requests under way.", lambda one, clock: one.in_flight),
}


async def _close_idle(gone: Backend, limit: float) -> None:
    """Closes a predictor once its last request has ended."""
    end = asyncio.get_running_loop().time() + limit
    while gone.in_flight and asyncio.get_running_loop().time() < end:
        await asyncio.sleep(0.05)
    await gone.close()
