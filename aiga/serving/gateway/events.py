"""Predictions as CloudEvents 1.0, in binary HTTP mode, as the request logger of Seldon's executor sends them.

`executor/logger/worker.go` of Seldon Core 1.17.1 is the model: the same attributes, an id of its own for each event,
the body as the client sent or got it. Where the executor sends bytes that are no JSON (gRPC, v2's binary extension),
these are the same message in its protocol's JSON, so that whoever listens need read one form only.
"""

from __future__ import annotations

import json
import uuid
import zlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from aiga.serving.gateway.redact import redacted
from aiga.serving.gateway.tracing import Trace

SKIP = "seldon-skip-logging"
"""Header by which a client keeps its request out of the log."""
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Event:
    """One event."""

    type: str
    source: str
    """Address of the gateway that sends it."""
    time: float
    """Seconds since 1970."""
    body: bytes | Callable[[], bytes]
    """JSON, or what makes it where that is work that no client should wait for."""
    size: int
    """Bytes of the body, estimated where it has yet to be made."""
    request: str
    model: str
    """Name of the model, or of the graph's root node."""
    deployment: str
    namespace: str
    endpoint: str
    """Name of the predictor."""
    protocol: str
    trace: Trace
    id: str

    def headers(self) -> dict[str, str]:
        """Of the HTTP request that carries it."""
        return {
            "Content-Type": JSON,
            "ce-specversion": "1.0",
            "ce-type": self.type,
            "ce-id": self.id,
            "ce-source": self.source,
            "ce-time": datetime.fromtimestamp(self.time, UTC).isoformat().replace("+00:00", "Z"),
            "ce-requestid": self.request,
            "ce-modelid": self.model,
            "ce-inferenceservicename": self.deployment,
            "ce-namespace": self.namespace,
            "ce-endpoint": self.endpoint,
            "ce-protocol": self.protocol,
            **self.trace.headers(),
        }

    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else self.body()


def new_id() -> str:
    return str(uuid.uuid4())


def sampled(request: str, share: float) -> bool:
    """Whether a request is logged: the same for its response, and for the same request sent again."""
    return share >= 1 or zlib.crc32(request.encode()) < share * 2**32


def skipped(headers: Mapping[str, str]) -> bool:
    """Whether the client has asked that its request be kept out of the log."""
    return headers.get(SKIP, "").lower() in ("true", "on", "1")


def without(event: Event, fields: Collection[str]) -> Event:
    """The event with its body made, and these fields left out of it.

    Raises:
        ValueError: fields are to be left out of what is no JSON; it must not be sent.
    """
    if isinstance(event.body, bytes) and not fields:
        return event
    content = event.content()
    if fields:
        try:
            content = json.dumps(redacted(json.loads(content), fields), separators=(",", ":")).encode()
        except RecursionError:
            raise ValueError("it is nested too deep") from None
    return replace(event, body=content, size=len(content))
