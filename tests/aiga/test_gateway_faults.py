"""Faults that must stay with who made them: a model's own, a hung server's, a crowd's, and the gateway's."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import subprocess
import sys
from contextlib import ExitStack
from typing import Any

import aiohttp
import gateway_world as gw
import grpc
import numpy as np
import pytest

from aiga.serving.gateway import server
from aiga.serving.messages import Message, Tensor
from aiga.serving.protocols import grpc_v2
from aiga.serving.protocols.protos.methods import V2, call

MEBI = 2**20


def run(scenario: Any, *predictors: dict[str, Any], **more: Any) -> None:
    async def go() -> None:
        async with gw.world(gw.config(*predictors, **more)) as world:
            await scenario(world)

    asyncio.run(go())


def test_what_a_models_own_code_raises_is_not_tried_again_and_takes_nobody_else_the_model() -> None:
    async def scenario(world: gw.World) -> None:
        for _ in range(10):
            status, answer, headers = await world.infer()
            assert (status, headers["x-aiga-predictor"]) == (500, "main")
            assert answer["error"] == "main is out of order"
        assert len(world.fake("main").seen) == 10, "once for each request"
        assert (await world.get("/status.json"))["predictors"][0]["circuit"] == "closed"
        del world.fake("main").settings["fails"]
        assert (await world.infer())[0] == 200

    run(scenario, gw.predictor("main", 100, fails=500, of_model=True), circuit={"errors": 2}, retries=3)


def test_a_hung_predictor_leaves_time_for_the_other() -> None:
    async def scenario(world: gw.World) -> None:
        answers = [await world.infer(x_aiga_variant="canary") for _ in range(3)]
        assert [(status, headers["x-aiga-predictor"]) for status, _, headers in answers] == [(200, "main")] * 3
        assert len(world.fake("canary").seen) == 3

    run(scenario, gw.predictor("main", 50), gw.predictor("canary", 50, hangs=True), timeout=1.0)


@pytest.mark.parametrize("others", [(), (gw.predictor("canary", 0),), (gw.predictor("new", shadow=True),)])
def test_a_slow_predictor_without_another_one_has_all_the_time(others: tuple[dict[str, Any], ...]) -> None:
    async def scenario(world: gw.World) -> None:
        assert (await world.infer())[0] == 200

    run(scenario, gw.predictor("main", 100, delay=0.9), *others, timeout=1.5)


def test_a_version_that_a_client_insists_on_has_all_the_time() -> None:
    async def scenario(world: gw.World) -> None:
        assert (await world.infer(gw.INFER.replace("/infer", "/versions/2/infer")))[0] == 200

    slow = gw.predictor("canary", 50, version="2", delay=0.9)
    run(scenario, gw.predictor("main", 50, version="1"), slow, timeout=1.5)


def test_copies_for_the_shadow_count_the_answers_that_they_keep() -> None:
    async def scenario(world: gw.World) -> None:
        for _ in range(20):
            assert (await world.infer())[0] == 200
        assert world.gateway.mirror.counts["full"] >= 18
        assert world.gateway.mirror.waiting <= 1

    class Long(gw.Fake):
        async def infer(self, message: Message, context: Any) -> Message:
            await super().infer(message, context)
            return Message((Tensor("label", "FP64", np.zeros(1000)),))

    async def go() -> None:
        mirror = {"waiting_bytes": 10_000, "concurrency": 1}
        told = gw.config(gw.predictor("main", 100), gw.predictor("new", shadow=True, hangs=True), mirror=mirror)
        async with gw.world(told, make=lambda settings: Long(settings.name, settings.settings)) as world:
            await scenario(world)

    asyncio.run(go())


def crowd(world: gw.World, stack: ExitStack, number: int, sent: bytes = b"") -> list[socket.socket]:
    host, port = world.url.removeprefix("http://").split(":")
    opened = [stack.enter_context(socket.create_connection((host, int(port)))) for _ in range(number)]
    for one in opened:
        one.sendall(sent)
    return opened


def test_idle_connections_make_room_before_the_system_runs_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server, "raise_limit", lambda: 100)

    async def scenario(world: gw.World) -> None:
        with ExitStack() as stack, caplog.at_level(logging.WARNING):
            for _ in range(30):
                crowd(world, stack, 10)
                async with aiohttp.ClientSession() as client, client.post(world.url + gw.INFER, json=gw.ROW) as answer:
                    assert answer.status == 200
            lines = [record.getMessage() for record in caplog.records if "ulimit -n" in record.getMessage()]
            assert lines and "idle for longest are closed" in lines[0] and len(lines) < 5, "said, and not each time"
        assert await world.metric("aiga_gateway_refused_total", reason="connection") == 0

    run(scenario)


def test_a_connection_without_room_is_closed_and_counted_and_requests_under_way_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "raise_limit", lambda: 100)

    async def scenario(world: gw.World) -> None:
        asked = [asyncio.create_task(world.infer()) for _ in range(75)]
        await gw.until(lambda: len(world.fake("main").seen) == 75)
        with ExitStack() as stack:
            (late,) = crowd(world, stack, 1)
            late.setblocking(False)
            assert await asyncio.wait_for(asyncio.get_running_loop().sock_recv(late, 10), 5) == b""
        world.fake("main").settings["hangs"] = False
        assert await world.metric("aiga_gateway_refused_total", reason="connection") == 1
        assert {status for status, _, _ in await asyncio.gather(*asked)} == {200}

    run(scenario, gw.predictor("main", 100, delay=1.5))


def test_the_soft_limit_of_descriptors_is_raised_to_the_hard_one() -> None:
    told = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 512))\n"
        "from aiga.serving.gateway.connections import raise_limit\n"
        "print(raise_limit(), resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True, cwd=gw.REPOSITORY)
    assert done.stdout.split() == ["512", "(512,", "512)"]


def test_unfinished_bodies_have_a_bound_together_and_small_requests_go_on() -> None:
    async def scenario(world: gw.World) -> None:
        head = f"POST {gw.INFER} HTTP/1.1\r\nHost: x\r\nContent-Length: {MEBI}\r\n\r\n".encode()
        with ExitStack() as stack:
            opened = await asyncio.to_thread(crowd, world, stack, 12, head + b" " * 900_000)
            answers = await asyncio.to_thread(refused, opened)
            assert len(answers) >= 8, "three of them fit into the bound"
            for answer in answers:
                assert answer.startswith(b"HTTP/1.1 503") and b"Retry-After: 1" in answer and b"at most" in answer
            assert 0 < world.gateway.bodies.bytes <= 3 * MEBI
            assert "aiga_gateway_bodies_bytes" in await world.get("/metrics")
            assert (await world.infer())[0] == 200
        await gw.until(lambda: world.gateway.bodies.bytes == 0)

    run(scenario, bodies_bytes=3 * MEBI, body_bytes=MEBI, timeout=30)


def refused(opened: list[socket.socket]) -> list[bytes]:
    """What those have been answered that have been answered."""
    answers = []
    for one in opened:
        one.settimeout(0.5)
        try:
            answers.append(one.recv(2**16))
        except TimeoutError:
            continue
    return answers


def test_a_fault_of_the_gateway_is_internal_by_grpc_and_told_in_a_line() -> None:
    class Odd(gw.Fake):
        async def infer(self, message: Message, context: Any) -> Message:
            return None  # type: ignore[return-value]

    async def go() -> None:
        async with gw.world(gw.config(), grpc=True, make=lambda settings: Odd(settings.name, {})) as world:
            assert world.grpc is not None
            async with grpc.aio.insecure_channel(world.grpc) as channel:
                with pytest.raises(grpc.aio.AioRpcError) as error:
                    await call(channel, V2, "ModelInfer")(grpc_v2.write_request(gw.message()))
            assert error.value.code() is grpc.StatusCode.INTERNAL
            assert "the gateway failed: " in error.value.details() and "\n" not in error.value.details()

    asyncio.run(go())


def test_v2_without_a_content_type_is_handed_on_as_json() -> None:
    async def scenario(world: gw.World) -> None:
        for headers in ({}, {"Content-Type": "application/x-www-form-urlencoded"}):
            async with world.client.post(
                world.url + gw.INFER, data=json.dumps(gw.ROW).encode(), headers=headers
            ) as response:
                assert response.status == 200
        told = [headers for _, headers, _ in world.fake("main").bodies]
        assert told == [{"content-type": "application/json"}] * 2

    run(scenario, gw.predictor("main", 100, kind="raw"))
