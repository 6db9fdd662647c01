"""A gateway to test with, in this process or in one of its own, and a client of it.

Run as a program it is a model server of a few lines, to be killed.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from gateway_doubles import Fake, Receiver, answer_body, fake, message, receiver

from aiga.serving.gateway.backend import made
from aiga.serving.gateway.deployment import Deployment
from aiga.serving.gateway.gateway import Gateway
from aiga.serving.gateway.grpc_server import GrpcServer
from aiga.serving.gateway.sender import Sender
from aiga.serving.gateway.server import Server

__all__ = ["Fake", "Receiver", "fake", "message", "receiver"]
REPOSITORY = Path(__file__).parents[2]
INFER = "/seldon/digits/digits/v2/models/digits/infer"
PREDICT = "/seldon/digits/digits/v1/models/digits:predict"
PREDICTIONS = "/seldon/digits/digits/api/v1.0/predictions"
ROW = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1.5, 2.0]}]}


def predictor(
    name: str, weight: float = 0, *, shadow: bool = False, version: str = "", **settings: Any
) -> dict[str, Any]:
    """A predictor of a configuration, with the settings of a fake."""
    made_by = {"make": "gateway_world:fake", "settings": settings}
    return {"name": name, "weight": weight, "shadow": shadow, "model": "digits", "version": version, **made_by}


def config(*predictors: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A deployment's configuration."""
    told = predictors or (predictor("main", 100),)
    return {"name": "digits", "namespace": "digits", "predictors": list(told), "drain": 5, **more}


@dataclass
class World:
    """A gateway that runs in this process, and a client of it."""

    gateway: Gateway
    url: str
    client: aiohttp.ClientSession
    server: Server
    grpc: str | None = None

    def fake(self, name: str) -> Any:
        """The predictor behind a name."""
        return self.gateway.live.backends[name].predictor

    async def infer(self, path: str = INFER, body: Any = ROW, **headers: str) -> tuple[int, Any, Mapping[str, str]]:
        """Status, body and headers of an answer."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with self.client.post(self.url + path, data=data, headers=named) as response:
            content = await response.read()
            return response.status, json.loads(content) if content else None, response.headers

    async def get(self, path: str) -> Any:
        async with self.client.get(self.url + path) as response:
            content = await response.read()
            return json.loads(content) if response.content_type == "application/json" else content.decode()

    async def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's values whose labels are these."""
        total = 0.0
        for family in self.gateway.metrics.registry.collect():
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    total += sample.value
        return total


@asynccontextmanager
async def world(
    settings: dict[str, Any], *, grpc: bool = False, make: Callable[[Any], Any] = made
) -> AsyncIterator[World]:
    """A gateway that serves, on free ports, until the block is left; then it stops in order."""
    deployment = Deployment.model_validate({**settings, **({"grpc_port": 0} if grpc else {})})
    gateway = Gateway(deployment, "http://gateway.test/", make)
    server = Server(gateway)
    runner = server.runner()
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    gateway.start()
    port = runner.addresses[0][1]
    rpc = GrpcServer(gateway) if grpc else None
    if rpc is not None:
        await rpc.start()
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as client:
        try:
            yield World(gateway, f"http://127.0.0.1:{port}", client, server, f"127.0.0.1:{rpc.port}" if rpc else None)
        finally:
            if rpc is not None:
                await rpc.stop(1)
            await gateway.stop()
            await runner.cleanup()


async def until(condition: Callable[[], Any], seconds: float = 10) -> None:
    """Waits for a condition, and fails when it does not come true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "what was waited for did not happen"
        await asyncio.sleep(0.01)


class Process:
    """A gateway, or a model server, in a process of its own."""

    def __init__(self, *arguments: str) -> None:
        path = os.pathsep.join([str(REPOSITORY), str(Path(__file__).parent)])
        self.process = subprocess.Popen(
            [sys.executable, *arguments], env={**os.environ, "PYTHONPATH": path}, stderr=subprocess.PIPE, text=True
        )
        self.lines: list[str] = []

    @classmethod
    def gateway(cls, file: Path) -> Process:
        return cls("-m", "aiga.serving.gateway", str(file))

    @classmethod
    def model_server(cls, delay: float = 0) -> Process:
        return cls(__file__, str(delay))

    def line(self, part: str) -> str:
        """The first line of its standard error that has a part; fails when it ends before."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip())
            if part in line:
                return line
        raise AssertionError(f"the process ended with {self.process.wait()}: {self.lines}")

    def address(self) -> str:
        return next(word for word in self.line("http://").split() if word.startswith("http://")).rstrip(",")

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Sends a signal, and waits: the exit code, and what else it said."""
        self.process.send_signal(number)
        _, rest = self.process.communicate(timeout=30)
        return self.process.returncode, rest or ""

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


async def _model_server(delay: float) -> None:
    async def handle(request: web.BaseRequest) -> web.Response:
        await request.read()
        await asyncio.sleep(delay)
        return web.Response(body=answer_body(os.getpid()), content_type="application/json")

    runner = web.ServerRunner(web.Server(handle))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"listening at http://127.0.0.1:{runner.addresses[0][1]}", file=sys.stderr, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_model_server(float(sys.argv[1])))


def with_events(scenario: Any, *predictors: dict[str, Any], sink: dict[str, Any] | None = None, **more: Any) -> None:
    """Runs a scenario with a gateway and an address of its events."""

    async def go() -> None:
        async with receiver() as taking:
            sinks = [{"url": taking.url, **(sink or {})}]
            async with world(config(*predictors, sinks=sinks, **more)) as own:
                await scenario(own, taking)

    asyncio.run(go())


def sender(world: World) -> Sender:
    return next(iter(world.gateway.log.senders.values()))
