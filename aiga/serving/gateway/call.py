"""What travels beside a request, and what stands behind the gateway."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from aiga.serving.gateway.codes import POST
from aiga.serving.gateway.tracing import Trace
from aiga.serving.messages import Message


@dataclass(frozen=True, slots=True)
class Call:
    """One request's context."""

    request_id: str
    """The client's `seldon-puid` or `x-request-id`, or one made here."""
    trace: Trace
    protocol: str
    deployment: str
    namespace: str
    deadline: float
    """The event loop's time by which the answer must be there."""
    method: str = POST
    """How metrics name the way that the request came."""

    def headers(self) -> dict[str, str]:
        """What is sent on to a server, so that it knows of which request its work is part."""
        return {"seldon-puid": self.request_id, "x-request-id": self.request_id, **self.trace.headers()}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a predictor's server said, not taken apart."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    """Lower-case names; those that the client is to have: the content type, the length of the JSON before bytes."""
    metrics: tuple[Mapping[str, Any], ...] = ()
    """Of a wrapped class, as `meta.metrics` has them."""
    left_out: int = 0
    """Such metrics that its server had no room for."""


class Predictor(Protocol):
    """One version that answers requests: a model's server, or an inference graph.

    Failures are `ServingError`, `OSError` or `TransientError`; anything else is taken for a fault of the predictor's.
    It may have more than this: `forward` (see `Forwarding`), `feedback` as an inference graph has it,
    `metadata() -> ModelMetadata`, and `close()`, called after its last request; all of them coroutines.
    """

    name: str

    async def infer(self, message: Message, context: Call) -> Message: ...

    async def ready(self) -> bool: ...


@runtime_checkable
class Forwarding(Protocol):
    """A predictor that takes a v2 request as the client sent it, so that nothing need be read on the way."""

    async def forward(self, body: bytes, headers: Mapping[str, str], context: Call) -> Answer: ...
