"""A gateway for tests of its clients: an aiohttp server in a thread that tells a model's inputs and notes requests."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from aiohttp import web

from aiga.names import PREDICTOR_HEADER
from aiga.serving.messages import Message, Tensor
from aiga.serving.protocols import v2, v2_bodies
from aiga.serving.protocols.metadata import ModelMetadata, TensorSpec

IMAGE = TensorSpec("input_1", "FP32", (-1, 28, 28, 1))
ROW = TensorSpec("X", "FP32", (-1, 64))
BASE = "/seldon/project-digits/digits/v2/models/digits"


def sums(message: Message) -> Message:
    """A label and two probabilities for each row: the label is the sum of the row's numbers."""
    rows = message.tensors[0].data.reshape(len(message.tensors[0].data), -1)
    labels = rows.sum(axis=1).astype(np.int64)
    shares = np.tile(np.array([0.1, 0.6, 0.05, 0.25], np.float32), (len(rows), 1))
    return Message((Tensor("label", "INT64", labels), Tensor("probabilities", "FP32", shares)), model="digits")


@dataclass
class Gateway:
    """What it tells, and what it has been asked."""

    inputs: Sequence[TensorSpec] = (ROW,)
    answer: Callable[[Message], Message] = sums
    status: int = 200
    predictor: Callable[[web.Request], str] = lambda _: "main"
    requests: list[Message] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    address: str = ""

    async def metadata(self, _: web.Request) -> web.Response:
        body = v2_bodies.write_model(ModelMetadata("digits", ("1",), "", tuple(self.inputs)))
        return web.Response(body=body.content, headers=body.headers)

    async def infer(self, request: web.Request) -> web.Response:
        message, form = v2.read_request(await request.read(), request.headers)
        self.requests.append(message)
        self.headers.append(dict(request.headers))
        if self.status != 200:
            body = v2.error("out of order")
            return web.Response(status=self.status, body=body.content, headers=body.headers)
        body = v2.write_response(self.answer(message), form)
        return web.Response(body=body.content, headers={**body.headers, PREDICTOR_HEADER: self.predictor(request)})


@contextmanager
def serving(gateway: Gateway) -> Iterator[Gateway]:
    """The gateway on a free port of loopback."""
    loop = asyncio.new_event_loop()

    async def start() -> web.AppRunner:
        app = web.Application()
        app.router.add_get(BASE, gateway.metadata)
        app.router.add_post(f"{BASE}/infer", gateway.infer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner

    runner = loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    gateway.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield gateway
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
