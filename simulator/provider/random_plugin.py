"""The stand-in for Pulumi's random plugin: values made once and kept in the state, replaced when an input changes."""

# ruff: noqa: N802 - the methods bear the names of the protocol

from __future__ import annotations

from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import provider_pb2

from simulator.provider import random_values
from simulator.provider.diff import Kind
from simulator.provider.plugin import Base, guarded, serve
from simulator.provider.wire import UNKNOWN, Unknown, decode, encode, holds, plain


class Random(Base):
    """Serves one engine."""

    package = "random"

    @guarded
    def DiffConfig(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    @guarded
    def Check(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.CheckResponse:
        given = decode(request.news)
        missing = [name for name in random_values.maker(_kind(request.urn)).required if given.get(name) is None]
        failures = [
            provider_pb2.CheckFailure(property=name, reason=f"missing required property {name}") for name in missing
        ]
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    @guarded
    def Diff(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        kind = _kind(request.urn)
        old = random_values.complete(kind, plain(decode(request.old_inputs)))
        new = random_values.complete(kind, plain(decode(request.news)))
        changed = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
        changed = [key for key in changed if key not in request.ignoreChanges]
        response = provider_pb2.DiffResponse
        return response(
            changes=response.DIFF_SOME if changed else response.DIFF_NONE,
            replaces=changed,
            detailedDiff={key: provider_pb2.PropertyDiff(kind=_change(key, old, new)) for key in changed},  # type: ignore[arg-type]
            hasDetailedDiff=True,
        )

    @guarded
    def Create(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.CreateResponse:
        kind, given = _kind(request.urn), decode(request.properties)
        inputs = random_values.complete(kind, given)
        if request.preview or holds(inputs, Unknown):
            unknown = dict.fromkeys(random_values.maker(kind).computed, UNKNOWN)
            return provider_pb2.CreateResponse(properties=encode(random_values.hide(kind, {**inputs, **unknown})))
        made = random_values.maker(kind).make(plain(inputs))
        outputs = random_values.hide(kind, {**inputs, **made.outputs})
        return provider_pb2.CreateResponse(id=made.identity, properties=encode(outputs))

    @guarded
    def Update(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.UpdateResponse:
        return provider_pb2.UpdateResponse(properties=request.olds)

    @guarded
    def Read(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.ReadResponse:
        if request.HasField("properties") and request.properties.fields:
            return provider_pb2.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)
        return _imported(_kind(request.urn), request.id)

    @guarded
    def Delete(self, request: Any, context: grpc.ServicerContext) -> Empty:
        return Empty()


def _imported(kind: str, value: str) -> provider_pb2.ReadResponse:
    if kind not in ("RandomPassword", "RandomString"):
        raise ValueError(f"the stand-in random plugin imports RandomPassword and RandomString, not {kind}")
    inputs = random_values.complete(kind, {"length": len(value)})
    outputs = random_values.hide(kind, {**inputs, "result": value})
    identity = "none" if kind == "RandomPassword" else value
    return provider_pb2.ReadResponse(id=identity, properties=encode(outputs), inputs=encode(inputs))


def _kind(urn: str) -> str:
    return urn.rpartition("::")[0].rpartition(":")[2]


def _change(key: str, old: dict[str, Any], new: dict[str, Any]) -> Kind:
    if key not in old:
        return Kind.ADD_REPLACE
    return Kind.UPDATE_REPLACE if key in new else Kind.DELETE_REPLACE


def main() -> None:
    """Serve the engine that started this process."""
    serve(Random())
