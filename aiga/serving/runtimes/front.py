"""The quick way in: inference over REST straight from the body to our own models, everything else to MLServer.

MLServer reads a request's numbers one by one; here they go into an array at once, or come as bytes by the binary
extension, which MLServer does not have. Its counters and durations of inference are kept up the same.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from mlserver.errors import MLServerError

from aiga.serving.messages import ServingError
from aiga.serving.protocols import paths, v2, v2_bodies
from aiga.serving.protocols.body import LIMIT, Body, error
from aiga.serving.runtimes import calls
from aiga.serving.runtimes.answering import Answering
from aiga.serving.runtimes.names import FAULT_HEADER, LEFT_OUT_HEADER, METRICS_HEADER

LONGEST_METRICS = 64 * 2**10
"""Bytes of metrics that a header carries; the server's own `/prometheus` has all."""

_log = logging.getLogger("mlserver.rest")
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Front:
    """An ASGI application before MLServer's."""

    def __init__(self, app: App, plane: Any) -> None:
        self._app, self._plane = app, plane

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        target = paths.parse(scope["path"]) if scope["type"] == "http" else None
        if target is None or target.protocol != "v2" or scope["method"] != target.method:
            await self._app(scope, receive, send)
            return
        if not target.model or target.verb not in ("infer", "ready"):
            await self._app(scope, receive, send)
            return
        try:
            model = await self._plane._model_registry.get_model(target.model, target.version or None)
        except MLServerError as wrong:
            await _send(send, wrong.status_code, error(str(wrong)))
            return
        if not isinstance(model, Answering):
            await self._app(scope, receive, send)
        elif target.verb == "ready":
            ready = await model.healthy()
            await _send(send, 200 if ready else 503, v2_bodies.write_model_ready(model.name, ready))
        else:
            status, body = await self._infer(target, scope, receive)
            await _send(send, status, body)

    async def _infer(self, target: paths.Target, scope: Scope, receive: Receive) -> tuple[int, Body]:
        try:
            headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
            content = await _content(receive, headers)
            async with self._plane._infer_contextmanager(target.model, target.version or None) as model:
                return 200, await self._answer(model, content, headers)
        except ServingError as wrong:
            told = error(wrong.reason)
            return wrong.status, _with(told, {FAULT_HEADER: "model"} if wrong.of_model else {})
        except MLServerError as wrong:
            return wrong.status_code, error(str(wrong))
        except Exception as wrong:
            _log.exception("inference failed")
            return 500, error(f"{type(wrong).__name__}: {wrong}")

    async def _answer(self, model: Answering, content: bytes, headers: Mapping[str, str]) -> Body:
        request, form = v2.read_request(content, headers)
        answer = await model.answer(request)
        said = answer.with_(
            id=request.id or secrets.token_hex(16), model=model.name, version=model.version or "", requested=()
        )
        return _with(v2.write_response(calls.answered(said), form), _carried(answer.meta.get("metrics") or ()))


def _carried(metrics: Sequence[Any]) -> dict[str, str]:
    """The headers that tell metrics: as many as there is room for, and how many more there are."""
    texts: list[str] = []
    size = 0
    for metric in metrics:
        text = json.dumps(metric)
        size += len(text) + 2
        if size > LONGEST_METRICS:
            break
        texts.append(text)
    left_out = len(metrics) - len(texts)
    told = {METRICS_HEADER: f"[{', '.join(texts)}]"} if texts else {}
    return {**told, LEFT_OUT_HEADER: str(left_out)} if left_out else told


def _with(body: Body, headers: Mapping[str, str]) -> Body:
    return Body(body.content, {**body.headers, **headers}) if headers else body


async def _content(receive: Receive, headers: Mapping[str, str]) -> bytes:
    """The body. Raises ServingError where it is too long, compressed, or does not come to its end."""
    if headers.get("content-encoding", "identity") != "identity":
        raise ServingError(415, f"header Content-Encoding: is {headers['content-encoding']}; it must be left out")
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise ServingError(400, "the body did not come to its end")
        parts.append(event.get("body", b""))
        size, more = size + len(parts[-1]), event.get("more_body", False)
        if size > LIMIT:
            raise ServingError(413, f"the body has more than {LIMIT} bytes, which are the most that are read")
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def _send(send: Send, status: int, body: Body) -> None:
    headers = [(key.lower().encode(), value.encode("latin-1")) for key, value in body.headers.items()]
    headers.append((b"content-length", str(len(body.content)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body.content})
