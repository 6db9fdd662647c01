"""The three protocols on REST, as the gateway uses them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from aiga.serving.gateway.call import Answer, Call
from aiga.serving.messages import Message
from aiga.serving.protocols import seldon, tensorflow, v2
from aiga.serving.protocols.body import Body, Request
from aiga.serving.protocols.metadata import TensorSpec

Read = Callable[[bytes, Mapping[str, str], Sequence[TensorSpec], int], Request[Any]]
"""Takes a body apart: the body, its headers, what the model takes, and the longest body in bytes."""


@dataclass(frozen=True)
class Wire:
    """One protocol."""

    read: Read
    write: Callable[[Message, Any], Body]
    """The body of an answer, in the form that the request has chosen."""
    error: Callable[[int, str], Body]
    """The body that tells a status and its reason."""
    service: str
    """The path that a server behind is asked, `{}` where its model's name stands, as Seldon's metrics name it."""
    typed: bool
    """Whether its requests say themselves of which types they are."""


_REASONS = {404: "NOT_FOUND", 413: "TOO_LARGE", 503: "UNAVAILABLE", 504: "TIMEOUT"}


def _seldon_error(status: int, reason: str) -> Body:
    code = "MICROSERVICE_BAD_DATA" if status == 400 else _REASONS.get(status, "MICROSERVICE_INTERNAL_ERROR")
    return seldon.error(reason, status, code)


WIRES: Mapping[str, Wire] = {
    "v2": Wire(
        lambda body, headers, inputs, limit: v2.read_request(body, headers, limit=limit),
        v2.write_response,
        lambda status, reason: v2.error(reason),
        "/v2/models/{}/infer",
        typed=True,
    ),
    "tensorflow": Wire(
        lambda body, headers, inputs, limit: tensorflow.read_request(body, headers, inputs=inputs, limit=limit),
        tensorflow.write_response,
        lambda status, reason: tensorflow.error(reason),
        "/v1/models/{}:predict",
        typed=False,
    ),
    "seldon": Wire(
        lambda body, headers, inputs, limit: seldon.read_request(body, headers, inputs=inputs, limit=limit),
        seldon.write_response,
        _seldon_error,
        "/predict",
        typed=False,
    ),
}
"""By name."""


def taken_apart(answer: Answer) -> Message:
    """A v2 answer that was not.

    Raises:
        ServingError: 502, the server wrote it wrong.
    """
    return v2.read_response(answer.body, answer.headers)


def completed(message: Message, asked: Message, call: Call, model: str, version: str) -> Message:
    """An answer with what every answer carries: the request's id, and who gave it."""
    return replace(
        message,
        id=asked.id or call.request_id,
        model=message.model or model,
        version=message.version or version,
    )


def loggable(body: bytes, headers: Mapping[str, str], response: bool) -> bytes | Callable[[], bytes]:
    """A body as an event carries it: as it is where it is JSON, else (v2's binary extension) what makes JSON of it."""
    if all(name.lower() != _BINARY for name in headers):
        return body
    return partial(_response_json if response else _request_json, body, dict(headers))


_BINARY = v2.HEADER_LENGTH.lower()


def _request_json(body: bytes, headers: Mapping[str, str]) -> bytes:
    return v2.write_request(v2.read_request(body, headers).message).content


def _response_json(body: bytes, headers: Mapping[str, str]) -> bytes:
    return v2.write_response(v2.read_response(body, headers), v2.Outputs()).content
