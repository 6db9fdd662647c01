"""The gRPC server: v2, TensorFlow Serving's protocol and Seldon's, addressed by metadata as behind Istio."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from functools import partial
from typing import Any

import grpc

from aiga.errors import UserError
from aiga.names import PREDICTOR_HEADER
from aiga.serving.gateway import codes
from aiga.serving.gateway.about import SERVER
from aiga.serving.gateway.backend import Backend
from aiga.serving.gateway.call import Answer
from aiga.serving.gateway.codes import UNARY
from aiga.serving.gateway.exchange import Exchange, Failed, Outcome
from aiga.serving.gateway.gateway import Gateway
from aiga.serving.gateway.grpc_wire import WIRES, Wire, size
from aiga.serving.gateway.predictions import Predictions, Served
from aiga.serving.gateway.wire import completed, taken_apart
from aiga.serving.messages import GONE, BadRequest, Message, ServingError
from aiga.serving.protocols import grpc_seldon, grpc_tensorflow, grpc_v2
from aiga.serving.protocols.protos.methods import SELDON, TENSORFLOW, V2, handlers

DEPLOYMENT, NAMESPACE = "seldon", "namespace"
"""Metadata that name the deployment, by which Istio routes; both may be left out."""

_log = logging.getLogger(__name__)


class GrpcServer:
    """Answers gRPC requests for a gateway."""

    def __init__(self, gateway: Gateway) -> None:
        """Makes the server, which takes up its port at once.

        Raises:
            UserError: the port is taken.
        """
        self._gateway, self._predictions = gateway, Predictions(gateway)
        deployment = gateway.deployment
        self._server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", deployment.body_bytes),
                ("grpc.max_send_message_length", -1),
                ("grpc.so_reuseport", 0),
            ]
        )
        predict = {wire.service: {wire.method: partial(self._predict, wire)} for wire in WIRES}
        about: Mapping[str, Mapping[str, Any]] = {
            V2: {
                "ServerLive": self._server_live,
                "ServerReady": self._server_ready,
                "ModelReady": self._model_ready,
                "ServerMetadata": self._server_metadata,
                "ModelMetadata": partial(self._told, self._model_metadata),
            },
            TENSORFLOW: {"GetModelMetadata": partial(self._told, self._signature)},
            SELDON: {"SendFeedback": self._feedback},
        }
        self._server.add_generic_rpc_handlers(
            tuple(
                handlers(service, {name: partial(_guarded, method) for name, method in methods.items()})
                for service, methods in {name: {**predict[name], **about[name]} for name in predict}.items()
            )
        )
        address = f"{deployment.host}:{deployment.grpc_port or 0}"
        try:
            self.port: int = self._server.add_insecure_port(address)
        except RuntimeError:
            raise UserError(f"{address}: cannot be listened on (take another port for gRPC)") from None

    async def start(self) -> None:
        await self._server.start()

    async def stop(self, limit: float) -> None:
        """Takes no more requests, and waits for those under way, for at most `limit` seconds."""
        await self._server.stop(limit)

    async def _predict(self, wire: Wire, content: bytes, context: Any) -> bytes:
        headers = _headers(context)
        served = self._predictions.begin(headers, wire.protocol, f"/{wire.service}/{wire.method}", UNARY)
        outcome: Outcome | None = None
        exchange: Exchange | None = None
        backend: Backend | None = None
        code = 500
        try:
            self._predictions.check(headers.get(NAMESPACE, ""), headers.get(DEPLOYMENT, ""))
            with self._gateway.bodies.held() as hold:
                hold.add(len(content))
                exchange = await self._exchange(wire, content, served)
                self._predictions.address(exchange, headers)
                outcome = await self._gateway.dispatcher.predict(exchange)
            backend = outcome.backend
            answer = _message(exchange, outcome)
            written = wire.write(answer, exchange.request().form)
            code = 200
            served.log_request(backend, exchange, code)
            served.log_response(backend, partial(wire.response_json, answer, exchange.request().form), size(answer))
            await context.send_initial_metadata(_metadata(served, backend))
            return written
        except ServingError as error:
            code = error.status
            backend = error.backend if isinstance(error, Failed) else backend
            if exchange is not None and backend is not None:
                served.log_request(backend, exchange, code)
            await _abort(context, error, served)
            raise
        except asyncio.CancelledError:
            code = GONE
            raise
        finally:
            served.end(outcome, codes.named(code, UNARY), backend)

    async def _exchange(self, wire: Wire, content: bytes, served: Served) -> Exchange:
        inputs = () if wire.typed else await self._predictions.inputs()
        request = wire.read(content, inputs, served.live.deployment.body_bytes)
        message = request.message
        request = request._replace(message=message.with_(model="", version=""))
        return Exchange(
            served.call,
            lambda: request,
            partial(wire.request_json, request.message, request.form),
            len(content),
            f"/{wire.service}/{wire.method}",
            model=message.model,
            version=message.version,
            method=UNARY,
        )

    async def _feedback(self, content: bytes, context: Any) -> bytes:
        headers = _headers(context)
        served = self._predictions.begin(headers, "seldon", f"/{SELDON}/SendFeedback", UNARY)
        backend, code = None, 500
        try:
            self._predictions.check(headers.get(NAMESPACE, ""), headers.get(DEPLOYMENT, ""))
            feedback = grpc_seldon.read_feedback(content, inputs=await self._predictions.inputs())
            backend, answer = await self._predictions.feedback(served, headers, feedback)
            code = 200
            return grpc_seldon.write_response(answer, "ndarray") if answer.tensors else grpc_seldon.write_empty()
        except ServingError as error:
            code = error.status
            await _abort(context, error, served)
            raise
        finally:
            served.end(None, codes.named(code, UNARY), backend, shown=False)

    async def _server_live(self, _content: bytes, _context: Any) -> bytes:
        return grpc_v2.write_flag(True)

    async def _server_ready(self, _content: bytes, _context: Any) -> bytes:
        return grpc_v2.write_flag(self._gateway.ready)

    async def _model_ready(self, content: bytes, context: Any) -> bytes:
        try:
            model, _ = grpc_v2.read_model_name(content)
        except BadRequest as error:
            await _abort(context, error)
        return grpc_v2.write_flag(self._gateway.ready and model in self._gateway.live.models)

    async def _server_metadata(self, _content: bytes, _context: Any) -> bytes:
        return grpc_v2.write_server(SERVER)

    async def _told(self, tell: Any, content: bytes, context: Any) -> bytes:
        """What a method says of a model, or why it does not."""
        try:
            told: bytes = await tell(content)
        except ServingError as error:
            await _abort(context, error)
            raise
        return told

    async def _model_metadata(self, content: bytes) -> bytes:
        return grpc_v2.write_model(await self._predictions.metadata(*grpc_v2.read_model_name(content)))

    async def _signature(self, content: bytes) -> bytes:
        model, version = grpc_tensorflow.read_metadata_request(content)
        return grpc_tensorflow.write_metadata(await self._predictions.metadata(model, version), version)


async def _guarded(method: Any, content: bytes, context: Any) -> Any:
    """What a method answers; a fault of the gateway's is told in a line, and not as UNKNOWN."""
    try:
        return await method(content, context)
    except grpc.aio.AbortError:
        raise
    except Exception as fault:
        _log.exception("a fault of the gateway's")
        reason = " ".join(f"the gateway failed: {type(fault).__name__}: {fault}".split())
        await context.abort(grpc.StatusCode.INTERNAL, reason)


def _headers(context: Any) -> dict[str, str]:
    return {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}


def _metadata(served: Served, backend: Backend) -> tuple[tuple[str, str], ...]:
    return (*served.call.headers().items(), (PREDICTOR_HEADER, backend.name))


def _message(exchange: Exchange, outcome: Outcome) -> Message:
    answer, settings = outcome.answer, outcome.backend.settings
    message = taken_apart(answer) if isinstance(answer, Answer) else answer
    return completed(message, exchange.message(), exchange.call, settings.node, settings.version)


async def _abort(context: Any, error: ServingError, served: Served | None = None) -> None:
    """Ends a call without an answer; raises."""
    trailing = list(served.call.headers().items()) if served is not None else []
    if isinstance(error, Failed) and error.retry_after is not None:
        trailing.append(("retry-after", str(max(1, round(error.retry_after)))))
    await context.abort(codes.of_grpc(error.status), error.reason, tuple(trailing))
