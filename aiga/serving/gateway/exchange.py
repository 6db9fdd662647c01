"""One prediction between its request and its answer, whatever protocol the client speaks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from aiga.serving.gateway.backend import Backend
from aiga.serving.gateway.call import Answer, Call
from aiga.serving.messages import Message, ServingError


@dataclass(slots=True)
class Exchange:
    """A request as the gateway's inside sees it."""

    call: Call
    read: Callable[[], Message]
    """Takes the body apart; `BadRequest` where that cannot be."""
    size: int
    """Bytes of the body."""
    service: str
    """What a server behind is asked, as Seldon's metrics name it: the path of its own."""
    body: bytes | None = None
    """A v2 body that may be handed on as it is; None where it must be taken apart."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """That tell how to read such a body."""
    variant: str | None = None
    key: str | None = None
    _message: Message | None = None

    def message(self) -> Message:
        """The request, taken apart once."""
        if self._message is None:
            self._message = self.read()
        return self._message


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of it."""

    backend: Backend
    answer: Answer | Message
    tries: int = 1


class Failed(ServingError):
    """No prediction: what the client is told, and who failed."""

    def __init__(self, status: int, reason: str, backend: Backend | None = None, retry_after: float | None = None) -> None:
        super().__init__(status, reason)
        self.backend, self.retry_after = backend, retry_after
        """Seconds after which another request may fare better."""
