"""What every provider plugin needs: a gRPC server for the engine, errors it understands, and a line to its screen.

The servicer is written directly on the engine's protocol: `pulumi.provider.experimental` hides the old inputs from
`diff` and a partly made resource from the state, and its marshalling costs more than the rest of an operation.
"""

# ruff: noqa: N802 - the methods bear the names of the protocol

from __future__ import annotations

import functools
import importlib.metadata
import os
import select
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn, Protocol, TypeVar

import grpc
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from kube.errors import KubeError
from simulator.provider.errors import PartialError, ProviderError
from simulator.provider.wire import encode

_CHANNEL = (("grpc.max_receive_message_length", 400 << 20), ("grpc.max_send_message_length", 400 << 20))
_WORKERS = 96
"""More than the engine's parallelism: an operation spends most of its time waiting for the API server."""

_SEVERITIES = {
    "status": engine_pb2.INFO,
    "info": engine_pb2.INFO,
    "warning": engine_pb2.WARNING,
    "error": engine_pb2.ERROR,
}
_LOOK_MILLISECONDS = 1000

Servicer = TypeVar("Servicer", bound="Base")
Handler = Callable[[Servicer, Any, grpc.ServicerContext], Any]


def guarded(handler: Handler[Servicer]) -> Handler[Servicer]:
    """Answers with an error of the engine's protocol where the operation raises one."""

    @functools.wraps(handler)
    def call(self: Servicer, request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return handler(self, request, context)
        except PartialError as error:
            _abort_partial(context, error)
        except (ProviderError, KubeError, ValueError) as error:
            context.abort(grpc.StatusCode.UNKNOWN, str(error))

    return call


def _abort_partial(context: grpc.ServicerContext, error: PartialError) -> NoReturn:
    detail = provider_pb2.ErrorResourceInitFailed(
        id=error.identity,
        properties=encode(error.state),
        reasons=error.reasons,
        inputs=None if error.inputs is None else encode(error.inputs),
    )
    packed = Packed()
    packed.Pack(detail)
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(error), details=[packed])
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(grpc.StatusCode.UNKNOWN, str(error))
    raise AssertionError("abort raises")


class Screen(Protocol):
    """Where messages for the user go."""

    def __call__(self, urn: str, severity: str, text: str) -> None: ...


class Base(provider_pb2_grpc.ResourceProviderServicer):
    """The calls that are the same for all."""

    package = ""
    screen: Screen

    def GetPluginInfo(self, request: Empty, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=version(self.package))

    def GetSchema(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.GetSchemaResponse:
        schema = f'{{"name": "{self.package}", "version": "{version(self.package)}"}}'
        return provider_pb2.GetSchemaResponse(schema=schema)

    def CheckConfig(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.CheckResponse:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_UNKNOWN)

    def Configure(self, request: Any, context: grpc.ServicerContext) -> provider_pb2.ConfigureResponse:
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, supports_autonaming_configuration=True
        )

    def Invoke(self, request: Any, context: grpc.ServicerContext) -> Any:
        context.abort(
            grpc.StatusCode.UNIMPLEMENTED, f"the stand-in {self.package} plugin has no function {request.tok}"
        )

    def Construct(self, request: Any, context: grpc.ServicerContext) -> Any:
        context.abort(
            grpc.StatusCode.UNIMPLEMENTED,
            f"the stand-in {self.package} plugin makes no {request.type}: render charts and YAML files in the program",
        )

    def Cancel(self, request: Empty, context: grpc.ServicerContext) -> Empty:
        return Empty()


def version(package: str) -> str:
    """That of the installed SDK package: the engine asks for the plugin of the same version."""
    return importlib.metadata.version(f"pulumi_{package}")


def serve(servicer: Base) -> None:
    """Serve the engine whose address is the first argument, until it stops us or is gone."""
    signal.signal(signal.SIGINT, lambda *_: os._exit(0))  # how the engine says good-bye
    addresses = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    servicer.screen = _engine_screen(addresses[0]) if addresses else _no_screen
    server = grpc.server(ThreadPoolExecutor(_WORKERS), options=_CHANNEL)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    _until_orphaned()
    os._exit(0)  # whatever is under way


def _until_orphaned() -> None:
    """An engine that is killed leaves its plugins running; one that went on writing would be in the way of the next."""
    parent = os.getppid()
    output = select.poll()
    output.register(sys.stdout.fileno(), 0)  # an error is always told: the engine's end of the pipe is closed
    while os.getppid() == parent and not output.poll(_LOOK_MILLISECONDS):
        continue


def _engine_screen(address: str) -> Screen:
    stub = engine_pb2_grpc.EngineStub(grpc.insecure_channel(address, options=_CHANNEL))

    def show(urn: str, severity: str, text: str) -> None:
        entry = engine_pb2.LogRequest(
            severity=_SEVERITIES[severity], message=text, urn=urn, ephemeral=severity == "status"
        )
        try:
            stub.Log(entry, timeout=5)
        except grpc.RpcError:
            return  # a message lost is no reason to fail

    return show


def _no_screen(urn: str, severity: str, text: str) -> None:
    return None
