"""Clients that send too much, nonsense, or nothing, and predictors that are at fault: nothing breaks the gateway."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
from typing import Any

import gateway_world as gw
from malformed import malformed

from aiga.serving.messages import Message


def run(scenario: Any, *predictors: dict[str, Any], **more: Any) -> None:
    async def go() -> None:
        async with gw.world(gw.config(*predictors, **more)) as world:
            await scenario(world)

    asyncio.run(go())


def test_a_body_that_hides_its_length_is_cut_off_at_the_limit() -> None:
    async def scenario(world: gw.World) -> None:
        async def chunks() -> Any:
            for _ in range(100):
                yield b" " * 100

        async with world.client.post(world.url + gw.INFER, data=chunks()) as response:
            assert response.status == 413 and "at most 1000 bytes" in await response.text()

    run(scenario, body_bytes=1000)


def test_a_compressed_body_is_taken_and_a_bomb_is_not() -> None:
    async def scenario(world: gw.World) -> None:
        async def post(content: bytes) -> int:
            headers = {"Content-Encoding": "gzip"}
            async with world.client.post(
                world.url + gw.INFER, data=gzip.compress(content), headers=headers
            ) as response:
                return response.status

        assert await post(json.dumps(gw.ROW).encode()) == 200
        assert await post(b" " * 10_000_000) == 413

    run(scenario, body_bytes=100_000)


def test_a_body_that_stops_on_its_way_is_given_up() -> None:
    async def scenario(world: gw.World) -> None:
        host, port = world.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"POST {gw.INFER} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{{".encode())
        answer = await asyncio.wait_for(reader.read(), 10)
        assert b" 408 " in answer.split(b"\r\n")[0] and b"did not arrive" in answer
        writer.close()

    run(scenario, timeout=0.3)


def test_a_client_that_asks_before_it_sends_is_told_to_go_on() -> None:
    async def scenario(world: gw.World) -> None:
        body = json.dumps(gw.ROW).encode()
        async with world.client.post(world.url + gw.INFER, data=body, expect100=True) as response:
            assert response.status == 200

    run(scenario)


def test_too_slow_an_answer_is_504_with_the_reason_and_the_predictor_is_told_to_stop() -> None:
    async def scenario(world: gw.World) -> None:
        status, answer, _ = await world.infer()
        assert status == 504 and answer["error"] == "main gave no answer in time (timeout 0.2 s)"
        assert world.fake("main").cancelled == 1

    run(scenario, gw.predictor("main", 100, hangs=True), timeout=0.2)


def test_a_fault_of_a_predictor_is_500_with_its_name() -> None:
    class Faulty(gw.Fake):
        async def infer(self, message: Message, context: Any) -> Message:
            raise KeyError("nonsense")

    async def go() -> None:
        async with gw.world(gw.config(), make=lambda settings: Faulty(settings.name, {})) as world:
            status, answer, _ = await world.infer()
            assert (status, answer["error"]) == (500, "main: KeyError: 'nonsense'")

    asyncio.run(go())


def test_a_client_that_goes_away_frees_the_predictor_and_opens_no_circuit() -> None:
    async def scenario(world: gw.World) -> None:
        main = world.fake("main")
        for number in range(5):
            asked = asyncio.create_task(world.infer())
            await gw.until(lambda number=number: len(main.seen) == number + 1)  # type: ignore[misc]
            asked.cancel()
            await gw.until(lambda number=number: main.cancelled == number + 1)  # type: ignore[misc]
        await gw.until(lambda: world.server.active == 0)
        main.settings["hangs"] = False
        assert (await world.infer())[0] == 200
        assert await world.metric("seldon_api_executor_server_requests_seconds_count", code="499") == 5

    run(scenario, gw.predictor("main", 100, hangs=True), circuit={"errors": 2})


def test_ten_thousand_malformed_and_oversized_bodies_leave_it_as_it_was() -> None:
    bodies = list(malformed(json.dumps(gw.ROW).encode(), 10_000))

    async def scenario(world: gw.World) -> None:
        host, port = world.url.removeprefix("http://").split(":")
        counts: dict[int, int] = {}

        async def client(first: int) -> None:
            reader, writer = await asyncio.open_connection(host, int(port))
            for number in range(first, 10_000, 10):
                body, path = bodies[number], (gw.INFER, gw.PREDICT, gw.PREDICTIONS)[number % 3]
                writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
                head = await reader.readuntil(b"\r\n\r\n")
                status = int(head.split()[1])
                length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
                answer = json.loads(await reader.readexactly(int(length.split(b":")[1])))
                assert status == 200 or "error" in answer or answer["status"]["info"]
                counts[status] = counts.get(status, 0) + 1
                if b"connection: close" in head.lower():
                    writer.close()
                    reader, writer = await asyncio.open_connection(host, int(port))
            writer.close()

        await asyncio.gather(*(client(first) for first in range(10)))
        assert sum(counts.values()) == 10_000 and set(counts) <= {200, 400, 413}
        assert counts[400] > 7000 and counts[413] > 500
        assert (await world.infer())[0] == 200
        assert world.gateway.live.backends["main"].breaker.opened == 0, "a client's mistakes are not the predictor's"

    run(scenario, body_bytes=1500, circuit={"errors": 1})


def test_a_thousand_connections_opened_and_left_take_nothing_from_others() -> None:
    async def scenario(world: gw.World) -> None:
        host, port = world.url.removeprefix("http://").split(":")
        left = []
        for number in range(1000):
            one = socket.create_connection((host, int(port)))
            if number % 3 == 1:
                one.sendall(b"POST ")
            elif number % 3 == 2:
                one.sendall(f"POST {gw.INFER} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n".encode())
            left.append(one)
            if number % 100 == 0:
                assert (await world.infer())[0] == 200
        assert [(await world.infer())[0] for _ in range(10)] == [200] * 10
        for one in left:
            one.close()
        await gw.until(lambda: world.server.active == 0)
        assert (await world.infer())[0] == 200

    run(scenario)
