"""Statuses of HTTP and of gRPC, one for the other, and their names in Seldon's metrics."""

from __future__ import annotations

from collections.abc import Mapping

import grpc

POST, UNARY = "post", "unary"
"""How metrics name a call by HTTP, and one by gRPC."""

_CODES: Mapping[int, grpc.StatusCode] = {
    200: grpc.StatusCode.OK,
    400: grpc.StatusCode.INVALID_ARGUMENT,
    404: grpc.StatusCode.NOT_FOUND,
    408: grpc.StatusCode.DEADLINE_EXCEEDED,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    422: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    499: grpc.StatusCode.CANCELLED,
    501: grpc.StatusCode.UNIMPLEMENTED,
    502: grpc.StatusCode.UNAVAILABLE,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}
_NAMES: Mapping[grpc.StatusCode, str] = {
    code: {"OK": "OK", "CANCELLED": "Canceled"}.get(code.name, code.name.title().replace("_", ""))
    for code in grpc.StatusCode
}
"""As Go's package `codes` spells them."""


def of_grpc(status: int) -> grpc.StatusCode:
    """What gRPC calls a status of HTTP."""
    return _CODES.get(status, grpc.StatusCode.INTERNAL)


def named(status: int, method: str) -> str:
    """The status as metrics have it."""
    return str(status) if method == POST else _NAMES[of_grpc(status)]
