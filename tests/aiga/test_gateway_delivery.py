"""Events on their way: no client notices when nobody takes them, and none is lost that need not be."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import gateway_world as gw
import pytest

from aiga.serving.gateway.channel import Channel

STATUS = {"refusing": 400, "failing": 503}
TROUBLES = ("dead", "hung", "slow", *STATUS)
ROUNDS, PREDICTIONS = 10, 30
PATIENCE = 60.0
"""Seconds until what does not end is a failure."""


@dataclass
class Holding(gw.Receiver):
    """Holds each event, with its connection open, until one more may be answered."""

    may: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    held: int = 0

    async def handle(self, request: Any) -> Any:
        self.held += 1
        await self.may.acquire()
        return await super().handle(request)


@pytest.mark.parametrize("trouble", TROUBLES)
def test_no_prediction_waits_for_an_address_in_trouble(trouble: str) -> None:
    """The address goes on only after predictions have been answered: one that waited for it would never be."""
    limits = {"events": 50, "bytes": 8000, "concurrency": 2, "timeout": 3600}

    async def go() -> None:
        at_once = 10**6 if trouble in STATUS else 0
        receiver = Holding(status=STATUS.get(trouble, 202), may=asyncio.Semaphore(at_once))
        await receiver.start()
        if trouble == "dead":
            await receiver.stop()
        async with gw.world(gw.config(sinks=[{"url": receiver.url, **limits}], drain=0.2)) as world:
            sends = gw.sender(world)
            assert (await world.infer())[0] == 200
            await gw.until(lambda: sends.trouble or sends.drops or receiver.held)
            for done in range(ROUNDS):
                for _ in range(PREDICTIONS):
                    assert (await world.infer())[0] == 200
                assert sends.delivered == (done if trouble == "slow" else 0), "it has taken no event meanwhile"
                assert sends.waiting <= 50 and sends.bytes <= 8000, "memory is bounded"
                if trouble == "slow":
                    receiver.may.release()
                    await gw.until(lambda done=done: sends.delivered > done)
            await _accounted(world, trouble, 1 + ROUNDS * PREDICTIONS)
        await receiver.stop()

    asyncio.run(asyncio.wait_for(go(), PATIENCE))


async def _accounted(world: gw.World, trouble: str, predictions: int) -> None:
    """Asserts that each event is delivered, waits, or is counted with the reason why it was dropped."""
    sends = gw.sender(world)
    if trouble == "refusing":
        await gw.until(lambda: sends.drops["refused"] == 2 * predictions)
    told = (await world.get("/status.json"))["sinks"][0]
    assert set(told["dropped"]) == {"refused" if trouble == "refusing" else "full"}
    assert sends.delivered + sends.waiting + sum(told["dropped"].values()) == 2 * predictions
    assert await world.metric("aiga_gateway_events_dropped_total") == sum(told["dropped"].values())
    assert bool(sends.trouble) == (trouble not in ("hung", "slow")), "while it holds an event nothing has gone wrong"
    assert await world.metric("seldon_api_executor_server_requests_seconds_count", code="200") == predictions


def test_events_wait_for_an_address_that_comes_back_and_none_is_lost() -> None:
    async def scenario(world: gw.World, receiver: gw.Receiver) -> None:
        await receiver.stop()
        for number in range(50):
            await world.infer(seldon_puid=str(number))
        await gw.until(lambda: gw.sender(world).trouble)
        await receiver.start()
        await gw.until(lambda: len(receiver.got) == 100)
        assert gw.sender(world).trouble == "" and not gw.sender(world).drops

    gw.with_events(scenario, sink={"longest_wait": 0.2})


def test_an_orderly_stop_delivers_everything() -> None:
    async def scenario(world: gw.World, receiver: gw.Receiver) -> None:
        receiver.delay = 0.02
        for number in range(100):
            await world.infer(seldon_puid=str(number))
        assert gw.sender(world).waiting > 20
        await world.gateway.stop()
        assert Counter(event.request for event in receiver.got) == {str(number): 2 for number in range(100)}

    gw.with_events(scenario)


def test_a_stop_without_anybody_to_deliver_to_ends_in_time_and_counts_what_is_lost() -> None:
    async def scenario(world: gw.World, receiver: gw.Receiver) -> None:
        await receiver.stop()
        for _ in range(10):
            await world.infer()
        sends = gw.sender(world)
        await asyncio.wait_for(world.gateway.stop(), PATIENCE)
        assert sends.drops == {"stopped": 20}
        (line,) = world.gateway.log.accounts
        assert f"events to {receiver.url}: 0 delivered, 20 dropped (20 stopped; " in line

    gw.with_events(scenario, drain=0.5)


def test_an_event_that_its_address_never_takes_does_not_hold_up_the_others() -> None:
    class Picky(gw.Receiver):
        async def handle(self, request: Any) -> Any:
            self.status = 500 if request.headers["ce-requestid"] == "poison" else 202
            return await super().handle(request)

    async def go() -> None:
        receiver = Picky()
        await receiver.start()
        sinks = [{"url": receiver.url, "concurrency": 1, "longest_wait": 0.05}]
        async with gw.world(gw.config(sinks=sinks)) as world:
            await world.infer(seldon_puid="poison")
            await world.infer(seldon_puid="last")
            await gw.until(lambda: len(receiver.got) == 2 and gw.sender(world).drops["failing"] == 2)
            assert {event.request for event in receiver.got} == {"last"}
        await receiver.stop()

    asyncio.run(go())


def test_an_address_can_take_some_types_only_and_changes_while_serving() -> None:
    async def go() -> None:
        response = "io.seldon.serving.inference.response"
        async with gw.receiver() as one, gw.receiver() as other:
            first = gw.config(sinks=[{"url": one.url, "types": [response]}])
            async with gw.world(first) as world:
                await world.infer()
                second = gw.config(sinks=[{"url": other.url}])
                world.gateway.apply(type(world.gateway.deployment).model_validate(second))
                await world.infer()
                await gw.until(lambda: len(other.got) == 2 and len(one.got) == 1)
                assert one.got[0].type == "response"

    asyncio.run(go())


def test_addresses_hide_their_passwords_and_send_them() -> None:
    async def go() -> None:
        async with gw.receiver() as receiver:
            url = receiver.url.replace("http://", "http://me:s%2Fcret@")
            async with gw.world(gw.config(sinks=[{"url": url}])) as world:
                await world.infer()
                await gw.until(lambda: len(receiver.got) == 2)
                assert receiver.got[0].headers["Authorization"] == "Basic bWU6cy9jcmV0"
                assert "cret" not in json.dumps(await world.get("/status.json")) + await world.get("/metrics")

    asyncio.run(go())


CANNED: dict[str, tuple[bytes, int | type[Exception]]] = {
    "with a body": (b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nok", 202),
    "without one": (b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", 202),
    "in chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 200),
    "after a notice": (b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", 204),
    "and closes": (b"HTTP/1.1 500 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", 500),
    "too long": (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", 200),
    "no HTTP": (b"hello\r\n\r\n", ConnectionError),
    "endless headers": (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20_000, ConnectionError),
    "nothing": (b"", ConnectionError),
}


@pytest.mark.parametrize("case", CANNED)
def test_every_kind_of_answer_is_understood_and_the_next_event_goes_its_way(case: str) -> None:
    answer, expected = CANNED[case]

    async def go() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while answer:
                    head = await reader.readuntil(b"\r\n\r\n")
                    assert head.startswith(b"POST /in?a=1 HTTP/1.1\r\nHost: 127.0.0.1:") and b"\r\nce-id: 1\r\n" in head
                    assert await reader.readexactly(4) == b"body"
                    writer.write(answer)
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        channel = Channel(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/in?a=1")
        for _ in range(3):
            if isinstance(expected, int):
                assert await channel.post(b"body", {"ce-id": "1"}, 10) == expected
            else:
                with pytest.raises(expected):
                    await channel.post(b"body", {"ce-id": "1"}, 10)
        channel.close()
        server.close()

    asyncio.run(go())
