"""A gateway as a process: its sockets, its signals, its end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from aiohttp import web
from prometheus_client import disable_created_metrics

from aiga.errors import UserError
from aiga.serving.gateway.backend import Make, made
from aiga.serving.gateway.deployment import load
from aiga.serving.gateway.gateway import Gateway
from aiga.serving.gateway.grpc_server import GrpcServer
from aiga.serving.gateway.reload import Follower
from aiga.serving.gateway.server import Server

BACKLOG = 1024
"""Connections that wait to be taken."""
_QUIET = 0.1
"""Seconds without a request after which a drained gateway closes connections that are kept."""

_log = logging.getLogger(__name__)


async def serve(
    file: Path,
    *,
    make: Make = made,
    told: Callable[[str, int | None], None] | None = None,
    guarded: bool = False,
) -> None:
    """Serves what a file says until SIGTERM or SIGINT, then drains: requests under way end, events are delivered.

    Args:
        file: The configuration; changes of it are followed, on SIGHUP at once.
        make: Makes the predictors.
        told: Called once it listens, with its address and the port of gRPC.
        guarded: Whether the end of standard input is a stop too, and standard output gets what became of events.

    Raises:
        UserError: the file is wrong, a predictor cannot be made, or a port is taken.
    """
    disable_created_metrics()  # type: ignore[no-untyped-call]
    deployment = load(file)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if guarded:
        loop.add_reader(0, _listen, stop)
    async with AsyncExitStack() as stack:
        listening = stack.enter_context(_listening(deployment.host, deployment.http_port))
        address = f"http://{deployment.host}:{listening.getsockname()[1]}"
        gateway = Gateway(deployment, f"{address}/", make)
        server = Server(gateway)
        runner = server.runner()
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        gateway.start()
        stack.push_async_callback(gateway.stop)
        site = web.SockSite(runner, listening, backlog=BACKLOG)
        await site.start()
        follower = Follower(gateway, file)
        loop.add_signal_handler(signal.SIGHUP, follower.read)
        grpc_server = None
        if deployment.grpc_port is not None:
            grpc_server = GrpcServer(gateway)
            await grpc_server.start()
        following = asyncio.create_task(follower.follow())
        also = f", gRPC at {grpc_server.port}" if grpc_server is not None else ""
        _log.info("%s/%s at %s%s", deployment.namespace, deployment.name, address, also)
        if told is not None:
            told(address, grpc_server.port if grpc_server is not None else None)
        await stop.wait()
        _log.info("stopping: requests under way end, then events are delivered")
        following.cancel()
        gateway.draining = True
        await site.stop()
        if grpc_server is not None:
            await grpc_server.stop(gateway.deployment.drain)
        await _quiet(server, gateway.deployment.drain)
    if guarded:
        with suppress(OSError):  # who started it may be gone
            os.write(1, "".join(f"{line}\n" for line in gateway.log.accounts).encode())


def _listen(stop: asyncio.Event) -> None:
    """Reads standard input, of which nothing is wanted but its end."""
    if not os.read(0, 1024):
        asyncio.get_running_loop().remove_reader(0)
        stop.set()


async def _quiet(server: Server, limit: float) -> None:
    """Waits for requests under way, and for those that come on connections that are kept."""
    loop = asyncio.get_running_loop()
    end = loop.time() + limit
    quiet_since = loop.time()
    while loop.time() < end and loop.time() < quiet_since + _QUIET:
        await asyncio.sleep(0.02)
        if server.active:
            quiet_since = loop.time()


def _listening(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise UserError(f"{host}:{port}: cannot be listened on: {error.strerror} (take another port)") from None
