"""The HTTP server: all of Seldon's paths, the metrics, and a page."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from importlib import resources

from aiohttp import web
from aiohttp.web_request import BaseRequest
from prometheus_client import CONTENT_TYPE_LATEST

from aiga.names import PREDICTOR_HEADER
from aiga.serving.gateway import about, intake, status
from aiga.serving.gateway.backend import Backend
from aiga.serving.gateway.bodies import Crowded, Hold
from aiga.serving.gateway.call import Answer
from aiga.serving.gateway.codes import POST
from aiga.serving.gateway.connections import Connections, raise_limit
from aiga.serving.gateway.events import JSON
from aiga.serving.gateway.exchange import Exchange, Failed, Outcome
from aiga.serving.gateway.gateway import Gateway
from aiga.serving.gateway.predictions import Predictions, Served
from aiga.serving.gateway.wire import WIRES, Wire, completed, loggable
from aiga.serving.messages import GONE, ServingError
from aiga.serving.protocols import seldon, v2
from aiga.serving.protocols.body import Body, written
from aiga.serving.protocols.paths import Target, parse

IDLE = 75.0
"""Seconds after which an idle connection is closed."""
_LINGER = 2.0
"""Seconds that what is left of a refused body is read for, so that its sender sees the answer."""
_LENGTH = v2.HEADER_LENGTH.lower()
_HANDED_ON = ("content-type", _LENGTH)
_CLOSING = frozenset({408, 413})
"""Statuses after which the rest of a body may be on its way."""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'"
_NOSNIFF = {"X-Content-Type-Options": "nosniff"}

_log = logging.getLogger(__name__)
_parsed = lru_cache(maxsize=1024)(parse)


class Server:
    """Answers HTTP requests for a gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._predictions = Predictions(gateway)
        self.active = 0
        """Requests under way."""
        page = resources.files("aiga.serving.gateway").joinpath("page.html").read_bytes()
        self._pages: Mapping[str, Callable[[], web.Response]] = {
            "/": partial(_page, page),
            "/status.json": self._status,
            "/metrics": self._metrics,
            "/prometheus": self._metrics,
        }

    def runner(self) -> web.ServerRunner:
        """What listens on sockets, yet to be set up."""
        refused = self._gateway.metrics.refused.labels(self._gateway.deployment.name, "connection")
        server = Connections(
            self.handle,
            raise_limit(),
            refused.inc,
            handler_cancellation=True,
            access_log=None,
            keepalive_timeout=IDLE,
            lingering_time=_LINGER,
            read_bufsize=2**20,
        )
        return web.ServerRunner(server, shutdown_timeout=1.0)

    async def handle(self, request: BaseRequest) -> web.StreamResponse:
        """The answer to any request."""
        self.active += 1
        try:
            path = request.raw_path.partition("?")[0]
            page = self._pages.get(path)
            if page is not None:
                response = page() if request.method in ("GET", "HEAD") else _not_allowed("GET")
            else:
                response = await self._protocol(request, path)
            if self._gateway.draining:
                response.force_close()
            return response
        except Exception as fault:
            _log.exception("%s %s", request.method, request.raw_path[:200])
            return self._refused("v2", ServingError(500, f"the gateway failed: {type(fault).__name__}: {fault}"))
        finally:
            self.active -= 1

    async def _protocol(self, request: BaseRequest, path: str) -> web.Response:
        target = _parsed(path)
        if target is None:
            return self._refused("v2", ServingError(404, f"{path[:200]} is no path of this gateway"))
        try:
            self._predictions.check(target.namespace, target.deployment)
        except ServingError as error:
            return self._refused(target.protocol, error)
        if request.method != target.method and (request.method, target.method) != ("HEAD", "GET"):
            return _not_allowed(target.method)
        if target.verb in ("infer", "feedback"):
            with self._gateway.bodies.held() as hold:
                if target.verb == "infer":
                    return await self._infer(request, target, hold)
                return await self._feedback(request, hold)
        begun = time.perf_counter()
        try:
            code, body = await about.tell(target, self._predictions)
            response = web.Response(body=body.content, status=code, headers={**_NOSNIFF, **body.headers})
        except ServingError as error:
            response = self._refused(target.protocol, error)
        service = "metadata" if target.verb.endswith("metadata") else "status"
        self._gateway.metrics.answered(None, service, "get", str(response.status), time.perf_counter() - begun)
        return response

    async def _infer(self, request: BaseRequest, target: Target, hold: Hold) -> web.Response:
        headers, wire = request.headers, WIRES[target.protocol]
        served = self._predictions.begin(headers, target.protocol, "predictions", POST)
        exchange: Exchange | None = None
        outcome: Outcome | None = None
        backend: Backend | None = None
        code = 500
        try:
            exchange = await self._exchange(request, target, served, hold)
            self._predictions.address(exchange, headers)
            outcome = await self._gateway.dispatcher.predict(exchange)
            backend = outcome.backend
            code, body = _written(wire, exchange, outcome)
            served.log_request(backend, exchange, code)
            if code < 400:
                served.log_response(backend, loggable(body.content, body.headers, response=True), len(body.content))
            return _answer(code, body, served, backend)
        except ServingError as error:
            code = error.status
            backend = error.backend if isinstance(error, Failed) else backend
            if exchange is not None and backend is not None:
                served.log_request(backend, exchange, code)
            return self._refused(target.protocol, error, served, backend)
        except asyncio.CancelledError:
            code = GONE
            raise
        finally:
            served.end(outcome, str(code), backend)

    async def _exchange(self, request: BaseRequest, target: Target, served: Served, hold: Hold) -> Exchange:
        """The request with its body."""
        headers, limits, wire = request.headers, served.live.deployment, WIRES[target.protocol]
        content = await intake.read(request, limits.body_bytes, limits.timeout, hold)
        handed_on = {name: headers[name] for name in _HANDED_ON if name in headers}
        if _LENGTH not in handed_on:  # MLServer refuses JSON that says to be something else, as `curl -d` has it
            handed_on["content-type"] = JSON
        inputs = () if wire.typed else await self._predictions.inputs()
        return Exchange(
            served.call,
            partial(wire.read, content, handed_on, inputs, limits.body_bytes),
            loggable(content, handed_on, response=False),
            len(content),
            wire.service.format(target.model or limits.name),
            model=target.model,
            version=target.version,
            raw=content if wire.typed else None,
            headers=handed_on,
        )

    async def _feedback(self, request: BaseRequest, hold: Hold) -> web.Response:
        headers = request.headers
        served = self._predictions.begin(headers, "seldon", "feedback", POST)
        limits, code, backend = served.live.deployment, 500, None
        try:
            content = await intake.read(request, limits.body_bytes, limits.timeout, hold)
            feedback = seldon.read_feedback(content, inputs=await self._predictions.inputs(), limit=limits.body_bytes)
            backend, answer = await self._predictions.feedback(served, headers, feedback)
            code = 200
            served.log_feedback(backend, content, len(content))
            body = seldon.write_response(answer, "ndarray") if answer.tensors else written({"meta": dict(answer.meta)})
            return _answer(code, body, served, backend)
        except ServingError as error:
            code = error.status
            return self._refused("seldon", error, served)
        finally:
            served.end(None, str(code), backend, shown=False)

    def _refused(
        self, protocol: str, error: ServingError, served: Served | None = None, backend: Backend | None = None
    ) -> web.Response:
        """The answer that says why there is no other, as the protocol has it."""
        if backend is None:
            self._gateway.metrics.refused.labels(self._gateway.deployment.name, str(error.status)).inc()
        response = _answer(error.status, WIRES[protocol].error(error.status, error.reason), served, backend)
        retry_after = error.retry_after if isinstance(error, Failed) else None
        if retry_after is not None:
            response.headers["Retry-After"] = str(max(1, math.ceil(retry_after)))
        if error.status in _CLOSING or isinstance(error, Crowded):
            response.force_close()
        return response

    def _metrics(self) -> web.Response:
        return web.Response(body=self._gateway.metrics.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    def _status(self) -> web.Response:
        body = json.dumps(status.of(self._gateway), allow_nan=False).encode()
        return web.Response(body=body, headers={"Content-Type": "application/json", "Cache-Control": "no-store"})


def _written(wire: Wire, exchange: Exchange, outcome: Outcome) -> tuple[int, Body]:
    """Status and body of an answer, in the client's protocol and form."""
    answer, settings = outcome.answer, outcome.backend.settings
    if isinstance(answer, Answer):
        return answer.status, Body(answer.body, answer.headers)
    request = exchange.request()
    message = completed(answer, request.message, exchange.call, settings.node, settings.version)
    return 200, wire.write(message, request.form)


def _answer(code: int, body: Body, served: Served | None, backend: Backend | None) -> web.Response:
    headers = {**body.headers, **_NOSNIFF}
    if served is not None:
        headers.update(served.call.headers())
    if backend is not None:
        headers[PREDICTOR_HEADER] = backend.name
    return web.Response(body=body.content, status=code, headers=headers)


def _not_allowed(method: str) -> web.Response:
    body = v2.error(f"this path takes {method}")
    return web.Response(body=body.content, status=405, headers={**body.headers, **_NOSNIFF, "Allow": method})


def _page(content: bytes) -> web.Response:
    headers = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": _POLICY, **_NOSNIFF}
    return web.Response(body=content, headers=headers)
