"""What the page shows, as JSON."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import asdict
from typing import Any

from aiga.serving.gateway.backend import Backend
from aiga.serving.gateway.gateway import Gateway
from aiga.serving.gateway.sender import Sender


def of(gateway: Gateway) -> dict[str, Any]:
    """A gateway at this moment."""
    deployment, now = gateway.deployment, asyncio.get_running_loop().time()
    return {
        "deployment": deployment.name,
        "namespace": deployment.namespace,
        "protocol": deployment.protocol,
        "pid": os.getpid(),
        "since": gateway.since,
        "now": time.time(),
        "ready": gateway.ready,
        "draining": gateway.draining,
        "mistake": gateway.mistake,
        "predictors": [_predictor(one, now) for one in gateway.live.backends.values()],
        "mirror": {"waiting": gateway.mirror.waiting, **gateway.mirror.counts},
        "sinks": [_sink(sender) for sender in gateway.log.senders.values()],
        "recent": [asdict(one) for one in reversed(gateway.recent)],
    }


def _predictor(backend: Backend, now: float) -> dict[str, Any]:
    settings = backend.settings
    return {
        "name": settings.name,
        "model": settings.node,
        "version": settings.version,
        "weight": settings.weight,
        "shadow": settings.shadow,
        "lineage": settings.lineage,
        "ready": backend.healthy,
        "circuit": backend.breaker.state(now).value,
        "opened": backend.breaker.opened,
        "inFlight": backend.in_flight,
        **asdict(backend.window.figures(now)),
    }


def _sink(sender: Sender) -> dict[str, Any]:
    return {
        "url": sender.url,
        "delivered": sender.delivered,
        "waiting": sender.waiting,
        "waitingBytes": sender.bytes,
        "spooledBytes": sender.spooled_bytes,
        "dropped": dict(sender.drops),
        "trouble": sender.disk_trouble or sender.trouble,
    }
