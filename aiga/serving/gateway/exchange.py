"""One prediction between its request and its answer, whatever protocol the client speaks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiga.serving.gateway.backend import Backend
from aiga.serving.gateway.call import Answer, Call
from aiga.serving.gateway.codes import POST
from aiga.serving.messages import Message, ServingError
from aiga.serving.protocols.body import Request

Content = bytes | Callable[[], bytes]
"""JSON, or what makes it where that is work that no client should wait for."""


@dataclass(slots=True)
class Exchange:
    """A request as the gateway's inside sees it."""

    call: Call
    read: Callable[[], Request[Any]]
    """Takes the body apart; `BadRequest` where that cannot be."""
    body: Content
    """As the log has it."""
    size: int
    """Bytes of the body."""
    service: str
    """What a server behind is asked, as Seldon's metrics name it: the path of its own."""
    model: str = ""
    """Name that the client calls the model by; empty where it calls it none."""
    version: str = ""
    """Of the model, where the client wants no other."""
    method: str = POST
    """How metrics name the way that it came."""
    raw: bytes | None = None
    """A v2 body that may be handed on as it is; None where it must be taken apart."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """That tell how to read such a body."""
    variant: str | None = None
    """Name of the predictor that the client asks for."""
    pinned: bool = False
    """Whether no other will do."""
    key: str | None = None
    """By which the client keeps its predictor."""
    _request: Request[Any] | None = None

    def message(self) -> Message:
        """The request, taken apart once."""
        return self.request().message

    def request(self) -> Request[Any]:
        """The same with the form that the client wants its answer in."""
        if self._request is None:
            self._request = self.read()
        return self._request


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of it."""

    backend: Backend
    answer: Answer | Message
    tries: int = 1

    @property
    def size(self) -> int:
        """Bytes of the answer, about."""
        answer = self.answer
        return len(answer.body) if isinstance(answer, Answer) else answer.size


class Failed(ServingError):
    """No prediction: what the client is told, and who failed."""

    def __init__(
        self,
        status: int,
        reason: str,
        backend: Backend | None = None,
        retry_after: float | None = None,
        *,
        of_model: bool = False,
    ) -> None:
        super().__init__(status, reason, of_model=of_model)
        self.backend, self.retry_after = backend, retry_after
        """Seconds after which another request may fare better."""
