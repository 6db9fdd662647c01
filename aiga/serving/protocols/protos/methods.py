"""Methods of the three services on gRPC, by their full names: bytes in, bytes out.

The modules grpc_v2, grpc_tensorflow and grpc_seldon read and write the bytes, so that a message that is none gets the
same answer as any other mistake of a client.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import grpc
from google.protobuf.message import DecodeError

from aiga.serving.messages import BadRequest

V2, TENSORFLOW, SELDON = (
    "inference.GRPCInferenceService",
    "tensorflow.serving.PredictionService",
    "seldon.protos.Seldon",
)
SERVICES: Mapping[str, tuple[str, ...]] = {
    V2: ("ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata", "ModelInfer"),
    TENSORFLOW: ("Predict", "GetModelMetadata"),
    SELDON: ("Predict", "SendFeedback"),
}

M = TypeVar("M")
Answer = Callable[[bytes, Any], Awaitable[bytes]]


def handlers(service: str, answers: Mapping[str, Answer]) -> grpc.GenericRpcHandler:
    """What a server is given for a service: a function of the request's bytes and the context for each method.

    Raises:
        ValueError: the service has no such method.
    """
    unknown = answers.keys() - set(SERVICES[service])
    if unknown:
        raise ValueError(f"{service} has no {', '.join(sorted(unknown))}")
    return grpc.method_handlers_generic_handler(
        service, {method: grpc.unary_unary_rpc_method_handler(answer) for method, answer in answers.items()}
    )


def call(channel: Any, service: str, method: str) -> Any:
    """What calls a method over a channel, of grpc or of grpc.aio: takes the request's bytes, gives the response's."""
    return channel.unary_unary(f"/{service}/{method}")


def parse(kind: Callable[[], M], content: bytes) -> M:
    """The message in `content`.

    Raises:
        BadRequest: it is none of that kind.
    """
    message: Any = kind()
    try:
        message.ParseFromString(content)
    except DecodeError:
        raise BadRequest(f"the message is no {message.DESCRIPTOR.name}") from None
    return message  # type: ignore[no-any-return]
