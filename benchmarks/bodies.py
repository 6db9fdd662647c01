"""Large bodies through the gateway, nginx and Envoy: from the first byte sent to the first and the last received.

`python -m benchmarks.bodies`. Behind all stands a server that reads a request whole and sends it back, as a model that
answers with as much as it was asked. nginx reads requests whole before it hands them on, as it does by default; Envoy
hands on what comes as it comes.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import numpy as np
import uvloop
from aiohttp import web
from rich.console import Console
from rich.table import Table

from aiga.errors import AigaError
from benchmarks.serving import DIRECT, GATEWAY, PROXIES
from benchmarks.serving_proxies import PREFIX
from benchmarks.serving_sides import HOST, INFER, free_port, running

MEBI = 2**20
SIZES = (1, 8, 32)
"""MiB of a request, and of its answer."""
ROUNDS = 15

Times = tuple[float, float]
"""Seconds until the first byte of an answer, and until its last."""


async def measure(folder: Path, console: Console) -> None:
    """Measures and prints everything."""
    async with AsyncExitStack() as stack:
        port = free_port()
        echo = [sys.executable, "-m", __spec__.name, str(port)]
        behind = await stack.enter_async_context(running(echo, port, "/v2/health/ready", folder))
        urls = {DIRECT: behind + INFER}
        for name, start in PROXIES.items():
            try:
                urls[name] = await stack.enter_async_context(start(folder, behind)) + PREFIX + INFER
            except AigaError as error:
                console.print(f"{name} is left out: {error}", markup=False)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        for size in SIZES:
            body = bytes(size * MEBI)
            found: dict[str, list[Times]] = {name: [] for name in urls}
            for _ in range(ROUNDS):
                for name, url in urls.items():
                    found[name].append(await _sent(session, url, body))
            medians = {name: np.median(times, axis=0) * 1000 for name, times in found.items()}
            console.print(_table(f"{size} MiB there and back", medians))


async def _sent(session: aiohttp.ClientSession, url: str, body: bytes) -> Times:
    begun = time.perf_counter()
    async with session.post(url, data=body, headers={"Content-Type": "application/json"}) as answer:
        first = time.perf_counter() - begun
        content = await answer.read()
    last = time.perf_counter() - begun
    if answer.status != 200 or len(content) != len(body):
        raise AigaError(f"{url}: {answer.status}: {len(content)} bytes came back of {len(body)}")
    return first, last


def _table(title: str, medians: Mapping[str, np.ndarray]) -> Table:
    table = Table(title=title, title_justify="left")
    for heading in ("", "first byte", "last byte", f"{GATEWAY} / it"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, (first, last) in medians.items():
        table.add_row(name, f"{first:.1f} ms", f"{last:.1f} ms", f"{medians[GATEWAY][1] / last:.2f}")
    return table


def _serve_echo(port: int) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=await request.read(), content_type="application/json")

    app = web.Application(client_max_size=2 * max(SIZES) * MEBI)
    app.router.add_route("*", "/{path:.*}", answer)
    web.run_app(app, host=HOST, port=port, print=None, access_log=None)


def main() -> None:
    if sys.argv[1:]:
        _serve_echo(int(sys.argv[1]))
        return
    with tempfile.TemporaryDirectory(prefix="aiga-bench-") as folder:
        uvloop.run(measure(Path(folder), Console()))


if __name__ == "__main__":
    main()
