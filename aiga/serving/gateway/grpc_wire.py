"""The three protocols on gRPC, as the gateway uses them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from aiga.serving.messages import Message
from aiga.serving.protocols import grpc_seldon, grpc_tensorflow, grpc_v2, seldon, tensorflow, v2
from aiga.serving.protocols.body import Request
from aiga.serving.protocols.metadata import TensorSpec
from aiga.serving.protocols.protos.methods import SELDON, TENSORFLOW, V2

Read = Callable[[bytes, Sequence[TensorSpec], int], Request[Any]]
"""Takes a message apart: its bytes, what the model takes, and the longest message in bytes."""


@dataclass(frozen=True)
class Wire:
    """One protocol."""

    protocol: str
    service: str
    method: str
    """The one that predicts."""
    read: Read
    write: Callable[[Message, Any], bytes]
    """The bytes of an answer, in the form that the request has chosen."""
    request_json: Callable[[Message, Any], bytes]
    """A request as the same protocol has it on REST."""
    response_json: Callable[[Message, Any], bytes]
    typed: bool
    """Whether its requests say themselves of which types they are."""


WIRES: Sequence[Wire] = (
    Wire(
        "v2",
        V2,
        "ModelInfer",
        lambda content, inputs, limit: grpc_v2.read_request(content, limit=limit),
        grpc_v2.write_response,
        lambda message, form: v2.write_request(message).content,
        lambda message, form: v2.write_response(message, v2.Outputs()).content,
        typed=True,
    ),
    Wire(
        "tensorflow",
        TENSORFLOW,
        "Predict",
        lambda content, inputs, limit: grpc_tensorflow.read_request(content, limit=limit),
        grpc_tensorflow.write_response,
        lambda message, form: tensorflow.write_request(message, "column").content,
        lambda message, form: tensorflow.write_response(message, "column").content,
        typed=True,
    ),
    Wire(
        "seldon",
        SELDON,
        "Predict",
        lambda content, inputs, limit: grpc_seldon.read_request(content, inputs=inputs, limit=limit),
        grpc_seldon.write_response,
        lambda message, form: seldon.write_request(message, form).content,
        lambda message, form: seldon.write_response(message, form).content,
        typed=False,
    ),
)


def size(message: Message) -> int:
    """Bytes that a message's JSON may take, for an estimate."""
    return sum(tensor.data.size * 8 + 64 for tensor in message.tensors)
