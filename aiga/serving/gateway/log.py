"""The request log: of each prediction one event of its request and one of its response, to all addresses."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from functools import partial

from aiga.serving.gateway.backend import Backend
from aiga.serving.gateway.call import Call
from aiga.serving.gateway.deployment import Deployment, Sink
from aiga.serving.gateway.events import Event, new_id, sampled, skipped, without
from aiga.serving.gateway.exchange import Content
from aiga.serving.gateway.metrics import Metrics
from aiga.serving.gateway.sender import Sender

_log = logging.getLogger(__name__)


class Log:
    """Where predictions are told of."""

    def __init__(self, metrics: Metrics, source: str) -> None:
        self.senders: dict[Sink, Sender] = {}
        self._metrics, self._source = metrics, source
        self._deployment: Deployment | None = None
        self.accounts: list[str] = []
        """A line for each address, once it is stopped."""
        self._leaving: set[asyncio.Task[str]] = set()

    def configure(self, deployment: Deployment) -> None:
        """Takes what the configuration says; addresses that it no longer has get what waits for them, and no more."""
        before, self._deployment = self._deployment, deployment
        again = before is not None and before.log != deployment.log
        for sink in list(self.senders):
            if again or sink not in deployment.sinks:
                task = asyncio.create_task(_end(self.senders.pop(sink), deployment.drain))
                self._leaving.add(task)
                task.add_done_callback(self._leaving.discard)
        for sink in deployment.sinks:
            if sink not in self.senders:
                self._add(sink, deployment)

    def wants(self, call: Call, headers: Mapping[str, str]) -> bool:
        """Whether a request is logged."""
        deployment = self._deployment
        if not self.senders or deployment is None or skipped(headers):
            return False
        return sampled(call.request_id, deployment.log.sample)

    def tell(self, kind: str, call: Call, backend: Backend, body: Content, size: int) -> None:
        """Sends an event of now: a request's, a response's or a feedback's."""
        event = Event(
            type=kind,
            source=self._source,
            time=time.time(),
            body=body,
            size=size,
            request=call.request_id,
            model=backend.settings.node,
            deployment=call.deployment,
            namespace=call.namespace,
            endpoint=backend.name,
            protocol=call.protocol,
            trace=call.trace,
            id=new_id(),
        )
        for sink, sender in self.senders.items():
            if not sink.types or kind in sink.types:
                sender.offer(event)

    async def stop(self, limit: float) -> None:
        """Delivers what waits, within a limit in seconds; says of each address what became of its events."""
        ends = [_end(sender, limit) for sender in self.senders.values()]
        self.accounts = list(await asyncio.gather(*ends, *self._leaving))

    def _add(self, sink: Sink, deployment: Deployment) -> None:
        metrics = self._metrics
        prepare = partial(without, fields=frozenset(deployment.log.redact))
        sender = Sender(
            sink,
            prepare,
            delivered=lambda: metrics.events.labels(deployment.name, sender.url).inc(),
            dropped=lambda reason: metrics.dropped.labels(deployment.name, sender.url, reason).inc(),
        )
        url = sender.url
        metrics.gauge("events_waiting", "Events in memory.", lambda: float(sender.waiting), sink=url)
        metrics.gauge("events_waiting_bytes", "Bytes of events in memory.", lambda: float(sender.bytes), sink=url)
        metrics.gauge("events_spooled_bytes", "Bytes of events on disk.", lambda: float(sender.spooled_bytes), sink=url)
        sender.start()
        self.senders[sink] = sender


async def _end(sender: Sender, limit: float) -> str:
    """Delivers what waits for an address, within a limit in seconds; a line that says what became of its events."""
    await sender.stop(limit)
    line = account(sender)
    _log.log(logging.WARNING if sender.drops else logging.INFO, "%s", line)
    return line


def account(sender: Sender) -> str:
    """What became of an address' events: a line."""
    parts = [f"{sender.delivered} delivered"]
    if sender.spooled_bytes:
        parts.append(f"{sender.spooled_bytes} bytes on disk for the next start ({sender.settings.spool})")
    dropped = f"{sender.drops.total()} dropped"
    if sender.drops:
        reasons = [f"{number} {reason}" for reason, number in sorted(sender.drops.items())]
        trouble = [text for text in (sender.trouble, sender.disk_trouble) if text]
        dropped += f" ({'; '.join([', '.join(reasons), *trouble])})"
    return f"events to {sender.url}: {', '.join([*parts, dropped])}"
