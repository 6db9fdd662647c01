"""A gateway as a process: it starts, follows its file, and ends without losing a request or an event."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import gateway_world as gw
import grpc
import pytest

from aiga.serving.protocols import grpc_v2
from aiga.serving.protocols.protos.methods import V2, call


def written(folder: Path, told: dict[str, Any]) -> Path:
    file = folder / "config.json"
    file.write_text(json.dumps(told))
    return file


async def ask(client: aiohttp.ClientSession, address: str, **headers: str) -> tuple[int, str]:
    async with client.post(address + gw.INFER, json=gw.ROW, headers=headers) as response:
        await response.read()
        return response.status, response.headers.get("x-aiga-predictor", "")


def test_a_stop_loses_no_request_under_way_and_no_event(tmp_path: Path) -> None:
    async def go() -> None:
        async with gw.receiver(delay=0.01) as receiver:
            told = gw.config(gw.predictor("main", 100, delay=0.4), sinks=[{"url": receiver.url}], grpc_port=0)
            with gw.Process.gateway(written(tmp_path, told)) as process:
                line = await asyncio.to_thread(process.line, "http://")
                address = next(word for word in line.split() if word.startswith("http://")).rstrip(",")
                rpc = grpc.aio.insecure_channel(f"127.0.0.1:{line.split()[-1]}")
                async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client, rpc:
                    assert (await ask(client, address))[0] == 200
                    asked = [asyncio.create_task(ask(client, address)) for _ in range(50)]
                    stub = call(rpc, V2, "ModelInfer")
                    message = grpc_v2.write_request(gw.message())
                    remote = [asyncio.ensure_future(stub(message)) for _ in range(10)]
                    await asyncio.sleep(0.2)
                    ended = asyncio.create_task(asyncio.to_thread(process.stop))
                    answers = await asyncio.gather(*asked)
                    assert Counter(answers) == {(200, "main"): 50}
                    assert len(await asyncio.gather(*remote)) == 10
                    code, said = await ended
                assert code == 0, said
                assert "Traceback" not in said
                counts = Counter(event.request for event in receiver.got)
                assert len(counts) == 61 and set(counts.values()) == {2}

    asyncio.run(go())


def test_weights_follow_the_file_while_requests_run(tmp_path: Path) -> None:
    async def go() -> None:
        pair = (gw.predictor("main", 100), gw.predictor("canary", 0))
        file = written(tmp_path, gw.config(*pair))
        with gw.Process.gateway(file) as process:
            address = await asyncio.to_thread(process.address)
            async with aiohttp.ClientSession() as client:
                assert {await ask(client, address) for _ in range(20)} == {(200, "main")}
                moved = ({**pair[0], "weight": 0}, {**pair[1], "weight": 100})
                part = file.with_suffix(".part")
                part.write_text(json.dumps(gw.config(*moved)))
                part.replace(file)
                answers = []
                while not answers or answers[-1] != (200, "canary"):
                    answers.append(await ask(client, address))
                assert {status for status, _ in answers} == {200}
                file.write_text("{")
                process.process.send_signal(signal.SIGHUP)
                assert "stays" in await asyncio.to_thread(process.line, "ERROR")
                assert await ask(client, address) == (200, "canary")

    asyncio.run(go())


WRONG = {
    "no JSON": "{",
    "weights": json.dumps(gw.config(gw.predictor("main", 1))),
    "no function": json.dumps(gw.config({**gw.predictor("main", 100), "make": "nowhere:nothing"})),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_ends_it_with_a_line_and_no_traceback(case: str, tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(WRONG[case])
    with gw.Process.gateway(file) as process:
        _, said = process.process.communicate(timeout=30)
        assert process.process.returncode == 2
        assert said.strip() and "Traceback" not in said


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with gw.Process.gateway(written(tmp_path, gw.config(http_port=port))) as process:
            _, said = process.process.communicate(timeout=30)
        assert process.process.returncode == 2
        assert f"127.0.0.1:{port}: cannot be listened on" in said
