"""The model servers that the benchmark of serving sets side by side, as processes, each with an address."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import aiohttp
from aiohttp import web

from aiga.errors import TransientError
from aiga.serving.servers import environment
from aiga.serving.servers.layout import Served, arrange
from aiga.serving.servers.process import Server
from benchmarks.serving_model import NAME

HOST = "127.0.0.1"
INFER = f"/v2/models/{NAME}/infer"
PATIENCE = 60.0
"""Seconds until a process must answer."""


@contextlib.asynccontextmanager
async def onnx_server(model: Path, folder: Path) -> AsyncIterator[str]:
    """Our runtime in MLServer.

    Raises:
        AigaError: its environment cannot be made, or it does not start.
    """
    laid = arrange([Served(NAME, "onnx", model, "onnx")], folder, folder)
    python = await asyncio.to_thread(environment.ensure, laid.needs, print)
    async with Server("bench", laid, python, lambda _: None) as server:
        yield server.url


@contextlib.asynccontextmanager
async def sklearn_server(model: Path, folder: Path) -> AsyncIterator[str]:
    """MLServer as it comes, with its own runtime.

    Raises:
        AigaError: its environment cannot be made, or it does not start.
    """
    laid = arrange([Served(NAME, "sklearn", model, "joblib")], folder, folder, allow_pickle=True)
    python = await asyncio.to_thread(environment.ensure, laid.needs, print)
    ports = {name: free_port() for name in ("http_port", "grpc_port", "metrics_port")}
    said = {"host": HOST, **ports, "parallel_workers": 0, "debug": False}
    (folder / "settings.json").write_text(json.dumps(said))
    command = [str(python.with_name("mlserver")), "start", str(folder)]
    async with running(command, ports["http_port"], f"/v2/models/{NAME}/ready", folder) as url:
        yield url


@contextlib.asynccontextmanager
async def stand_in(folder: Path) -> AsyncIterator[str]:
    """A server that answers everything alike, where there is no MLServer."""
    port = free_port()
    async with running([sys.executable, "-m", __name__, str(port)], port, "/v2/health/ready", folder) as url:
        yield url


@contextlib.contextmanager
def hanging() -> Iterator[str]:
    """An address that takes connections and never answers."""
    with socket.create_server((HOST, 0), backlog=4096) as listening:
        yield f"http://{HOST}:{listening.getsockname()[1]}"


@contextlib.asynccontextmanager
async def running(command: Sequence[str], port: int, ready: str, folder: Path) -> AsyncIterator[str]:
    """A process until the end of the block; its address, once it answers 200 at a path.

    Raises:
        TransientError: it does not.
    """
    url, log = f"http://{HOST}:{port}", folder / f"{port}.log"
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)} if command[0] == sys.executable else None
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(*command, stdout=output, stderr=output, env=environ)
    try:
        end = time.monotonic() + PATIENCE
        async with aiohttp.ClientSession() as session:
            while not await _answers(session, url + ready):
                if process.returncode is not None or time.monotonic() > end:
                    words = log.read_text(errors="replace").strip().splitlines()[-3:]
                    raise TransientError(f"{command[0]}: does not answer: {' '.join(words)}")
                await asyncio.sleep(0.1)
        yield url
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


def free_port() -> int:
    with socket.socket() as free:
        free.bind((HOST, 0))
        port: int = free.getsockname()[1]
        return port


def _serve_stand_in(port: int) -> None:
    outputs = [{"name": "label", "datatype": "INT64", "shape": [1], "data": [0]}]
    content = json.dumps({"model_name": NAME, "outputs": outputs}).encode()

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=content, content_type="application/json")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    web.run_app(app, host=HOST, port=port, print=None, access_log=None)


if __name__ == "__main__":
    _serve_stand_in(int(sys.argv[1]))
