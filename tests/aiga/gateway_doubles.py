"""Doubles around a gateway: predictors that do as they are told, and addresses that take events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import numpy as np
from aiohttp import web

from aiga.serving.gateway.call import Answer, Call
from aiga.serving.messages import Message, ServingError, Tensor
from aiga.serving.protocols.metadata import ModelMetadata, TensorSpec


class Fake:
    """A predictor that answers its label, after a while, or fails, as its settings say; they may be changed."""

    def __init__(self, name: str, settings: Mapping[str, Any]) -> None:
        self.name = name
        self.settings = dict(settings)
        self.seen: list[tuple[Message, Call]] = []
        self.feedbacks: list[tuple[Message, Message, float, Message | None]] = []
        self.closed = self.cancelled = 0

    async def infer(self, message: Message, context: Call) -> Message:
        self.seen.append((message, context))
        await self._do()
        label = Tensor("label", "INT64", np.array([self.settings.get("label", 1)]))
        return Message((label,), meta=self.settings.get("meta", {}))

    async def ready(self) -> bool:
        return bool(self.settings.get("ready", True))

    async def metadata(self) -> ModelMetadata:
        spec = TensorSpec("x", "FP64", (-1, 2))
        return ModelMetadata("digits", ("1",), "onnx", (spec,), (TensorSpec("label", "INT64", (-1,)),))

    async def feedback(
        self, request: Message, response: Message, reward: float, context: Call, truth: Message | None = None
    ) -> Message:
        self.feedbacks.append((request, response, reward, truth))
        return Message(())

    async def close(self) -> None:
        self.closed += 1

    async def _do(self) -> None:
        try:
            if self.settings.get("hangs"):
                await asyncio.Event().wait()
            await asyncio.sleep(self.settings.get("delay", 0))
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if "fails" in self.settings:
            of_model = bool(self.settings.get("of_model"))
            raise ServingError(self.settings["fails"], f"{self.name} is out of order", of_model=of_model)
        if self.settings.get("raises"):
            raise ConnectionResetError("gone")


class RawFake(Fake):
    """The same, that takes v2 requests as they come."""

    def __init__(self, name: str, settings: Mapping[str, Any]) -> None:
        super().__init__(name, settings)
        self.bodies: list[tuple[bytes, dict[str, str], Call]] = []

    async def forward(self, body: bytes, headers: Mapping[str, str], context: Call) -> Answer:
        self.bodies.append((body, dict(headers), context))
        await self._do()
        return Answer(answer_body(self.settings.get("label", 1)), 200, {"content-type": "application/json"})


class Remote:
    """A predictor behind HTTP: the server that this module is when it is run."""

    def __init__(self, name: str, settings: Mapping[str, Any]) -> None:
        self.name, self._url = name, settings["url"]
        self._session: aiohttp.ClientSession | None = None

    async def infer(self, message: Message, context: Call) -> Message:
        raise NotImplementedError

    async def forward(self, body: bytes, headers: Mapping[str, str], context: Call) -> Answer:
        if self._session is None:
            self._session = aiohttp.ClientSession()
        async with self._session.post(self._url, data=body, headers=context.headers()) as response:
            return Answer(await response.read(), response.status, {"content-type": "application/json"})

    async def ready(self) -> bool:
        return True

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


def message() -> Message:
    """The request of `ROW`."""
    return Message((Tensor("x", "FP32", np.array([[1.5, 2.0]], dtype=np.float32)),), model="digits")


def answer_body(label: int) -> bytes:
    output = {"name": "label", "datatype": "INT64", "shape": [1], "data": [label]}
    return json.dumps({"model_name": "digits", "outputs": [output]}).encode()


def fake(name: str, settings: Mapping[str, Any]) -> Any:
    """What a configuration names to get one of the above."""
    kind = {"raw": RawFake, "remote": Remote}.get(settings.get("kind", ""), Fake)
    return kind(name, settings)


@dataclass
class Received:
    """An event as an address gets it."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def type(self) -> str:
        return self.headers["ce-type"].rpartition(".")[2]

    @property
    def request(self) -> str:
        return self.headers["ce-requestid"]


@dataclass
class Receiver:
    """An address that takes events."""

    url: str = ""
    got: list[Received] = field(default_factory=list)
    status: int = 202
    delay: float = 0
    hangs: bool = False
    runner: web.ServerRunner | None = None
    port: int = 0

    async def handle(self, request: web.BaseRequest) -> web.Response:
        body = await request.read()
        if self.hangs:
            await asyncio.sleep(3600)
        await asyncio.sleep(self.delay)
        if self.status < 300:
            self.got.append(Received(request.headers.copy(), body))
        return web.Response(status=self.status)

    async def start(self) -> None:
        self.runner = web.ServerRunner(web.Server(self.handle, handler_cancellation=True), shutdown_timeout=0.1)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", self.port).start()
        self.port = self.runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self.port}/events"

    async def stop(self) -> None:
        if self.runner is not None:
            await self.runner.cleanup()
        self.runner = None


@asynccontextmanager
async def receiver(**how: Any) -> AsyncIterator[Receiver]:
    made_one = Receiver(**how)
    await made_one.start()
    try:
        yield made_one
    finally:
        await made_one.stop()
