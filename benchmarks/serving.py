"""The gateway beside nginx and Envoy before the same model server; our ONNX server beside MLServer's scikit-learn.

Proxies get the same load: 500 requests a second, evenly, over 16 connections from this machine. Then each gets as much
as it answers, by 16 connections and by a single one. Gateways whose events go to nobody, or to an address that is live,
dead or hangs, get the even load too. What is compared takes turns, and medians of the rounds are shown.
`python -m benchmarks.serving [SECONDS]`, of one turn. Where MLServer cannot be installed a small aiohttp server stands
behind the proxies; a proxy that cannot be had is left out, and told.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import onnxruntime
import uvloop
from rich.console import Console
from rich.table import Table

from aiga.errors import AigaError
from aiga.serving.protocols import v2
from benchmarks import serving_sides as sides
from benchmarks.serving_load import CONNECTIONS, Figures, load
from benchmarks.serving_model import Made, train
from benchmarks.serving_proxies import PREFIX, envoy, gateway, nginx

ROUNDS = 3
SECONDS = 5.0
RATE = 500.0
"""Requests a second of the load that all proxies answer with room to spare."""
DIRECT = "nothing between"
GATEWAY = "gateway"
NOBODY = "no address of events"
PROXIES = {"nginx": nginx, "Envoy": envoy, GATEWAY: gateway}


async def proxies(folder: Path, model: Made, seconds: float, console: Console) -> None:
    """Prints what each proxy adds to a server's own times."""
    async with AsyncExitStack() as stack:
        behind, server = await _behind(stack, folder / "onnx", model, console)
        urls = {DIRECT: behind + sides.INFER}
        for name, start in PROXIES.items():
            try:
                address = await stack.enter_async_context(start(folder, behind))
            except AigaError as error:
                console.print(f"{name} is left out: {error}", markup=False)
            else:
                urls[name] = address + PREFIX + sides.INFER
        loads: dict[str, tuple[int, float | None]] = {f"{RATE:g} requests a second": (CONNECTIONS, RATE)}
        loads |= {f"{connections} at once": (connections, None) for connections in (CONNECTIONS, 1)}
        for load_, (connections, rate) in loads.items():
            figures = await _turns(urls, model.body, seconds, connections, rate)
            console.print(_table(f"Before {server}, {load_}", figures))
            console.print(_added(figures))


async def events(folder: Path, model: Made, seconds: float, console: Console) -> None:
    """Prints what becomes of predictions while the address of their events is in trouble."""
    async with AsyncExitStack() as stack:
        behind, server = await _behind(stack, folder / "events", model, console)
        addresses = {
            NOBODY: None,
            "a live address": await stack.enter_async_context(sides.stand_in(folder)),
            "a dead address": f"http://{sides.HOST}:{sides.free_port()}",
            "an address that hangs": stack.enter_context(sides.hanging()),
        }
        urls = {
            name: await stack.enter_async_context(gateway(folder, behind, address)) + PREFIX + sides.INFER
            for name, address in addresses.items()
        }
        figures = await _turns(urls, model.body, seconds, CONNECTIONS, RATE)
    console.print(_table(f"Events, before {server}, {RATE:g} requests a second", figures))
    own = figures[NOBODY]
    for name, one in figures.items():
        told = "" if one is own else f"p99 / that of {NOBODY} {one.p99 / own.p99:.2f}, "
        console.print(f"{name}: {told}errors {one.error_rate:.2%}")


async def _behind(stack: AsyncExitStack, folder: Path, model: Made, console: Console) -> tuple[str, str]:
    """The address of the server that everything stands before, and what it is."""
    try:
        return await stack.enter_async_context(sides.onnx_server(model.onnx, folder)), "our ONNX server"
    except AigaError as error:
        console.print(f"MLServer is left out: {error}", markup=False)
        return await stack.enter_async_context(sides.stand_in(folder.parent)), "a server that does nothing"


async def servers(folder: Path, model: Made, seconds: float, console: Console) -> None:
    """Prints what model servers add to a bare ONNX Runtime."""
    urls: dict[str, str] = {}
    starts = {
        "our ONNX server": sides.onnx_server(model.onnx, folder / "ours"),
        "MLServer's scikit-learn": sides.sklearn_server(model.joblib, folder / "theirs"),
    }
    async with AsyncExitStack() as stack:
        for name, start in starts.items():
            try:
                urls[name] = await stack.enter_async_context(start) + sides.INFER
            except AigaError as error:
                console.print(f"{name} is left out: {error}", markup=False)
        figures = await _turns(urls, model.body, seconds, CONNECTIONS)
    figures["onnxruntime in a loop"] = bare(model, seconds)
    console.print(_table(f"Model servers, {CONNECTIONS} at once; the loop has none", figures))
    if len(urls) == len(starts):
        ours, theirs = (figures[name].rate for name in starts)
        console.print(f"answers a second: ratio {ours / theirs:.2f}")


def bare(model: Made, seconds: float) -> Figures:
    """ONNX Runtime in this process, one row after another."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model.onnx), options, providers=["CPUExecutionProvider"])
    (tensor,) = v2.read_request(model.body).message.tensors
    latencies: list[float] = []
    begun = now = time.perf_counter()
    while now - begun < seconds:
        session.run(None, {tensor.name: tensor.data})
        before, now = now, time.perf_counter()
        latencies.append(now - before)
    return Figures.of(latencies, now - begun)


async def _turns(
    urls: Mapping[str, str], body: bytes, seconds: float, connections: int, rate: float | None = None
) -> dict[str, Figures]:
    found: dict[str, list[Figures]] = {name: [] for name in urls}
    for _ in range(ROUNDS):
        for name, url in urls.items():
            found[name].append(await load(url, body, seconds, connections, rate))
    return {name: Figures.median(rounds) for name, rounds in found.items()}


def _added(figures: Mapping[str, Figures]) -> str:
    """What each adds to the server's own latencies: less than nothing where the server is what keeps all waiting."""
    lines = []
    for percentile in ("p50", "p99"):
        own, *_ = times = {name: getattr(one, percentile) for name, one in figures.items()}
        added = ", ".join(f"{name} {times[name] - times[own]:+.2f} ms" for name in times if name != own)
        ratios = ", ".join(
            f"gateway / {name} as a whole {times[GATEWAY] / times[name]:.2f}"
            for name in times
            if name not in (own, GATEWAY)
        )
        lines.append(f"{percentile}: {added}; {ratios}")
    return "\n".join(lines)


def _table(title: str, figures: Mapping[str, Figures]) -> Table:
    table = Table(title=title, title_justify="left")
    for heading in ("", "answers/s", "p50", "p99", "errors"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, one in figures.items():
        table.add_row(name, f"{one.rate:,.0f}", f"{one.p50:.2f} ms", f"{one.p99:.2f} ms", str(one.errors))
    return table


async def measure(folder: Path, seconds: float, console: Console) -> None:
    """Measures and prints everything."""
    model = train(folder)
    await proxies(folder, model, seconds, console)
    await events(folder, model, seconds, console)
    await servers(folder, model, seconds, console)


def main() -> None:
    seconds = float(sys.argv[1]) if sys.argv[1:] else SECONDS
    with tempfile.TemporaryDirectory(prefix="aiga-bench-") as folder:
        uvloop.run(measure(Path(folder), seconds, Console()))


if __name__ == "__main__":
    main()
