"""Events on their way: no client notices when nobody takes them, and none is lost that need not be."""

from __future__ import annotations

import asyncio
import errno
import json
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import gateway_world as gw
import pytest

from aiga.serving.gateway.channel import Channel
from aiga.serving.gateway.spool import Spool

TROUBLES = ("dead", "hung", "slow", "refusing", "failing")


@pytest.mark.parametrize("trouble", TROUBLES)
def test_an_address_in_trouble_costs_clients_nothing(trouble: str) -> None:
    limits = {"events": 50, "bytes": 8000, "concurrency": 2, "timeout": 30}

    async def scenario(world: gw.World, receiver: gw.Receiver) -> None:
        async def measured() -> float:
            begun = time.perf_counter()
            for _ in range(300):
                assert (await world.infer())[0] == 200
            return time.perf_counter() - begun

        well = await measured()
        await gw.until(lambda: not gw.sender(world).waiting)
        if trouble == "dead":
            await receiver.stop()
        receiver.hangs = trouble == "hung"
        receiver.delay = 0.5 if trouble == "slow" else 0
        receiver.status = {"refusing": 400, "failing": 503}.get(trouble, 202)
        assert await measured() < 5 * well + 2, "predictions waited for the events"
        sends = gw.sender(world)
        assert sends.waiting <= 50 and sends.bytes <= 8000, "memory is bounded"
        told = (await world.get("/status.json"))["sinks"][0]
        if trouble == "refusing":
            await gw.until(lambda: sends.drops["refused"] == 600)
        else:
            assert sum(told["dropped"].values()) >= 500, "what is dropped is counted"
            assert set(told["dropped"]) == {"full"}
        dropped = await world.metric("aiga_gateway_events_dropped_total")
        assert dropped == sum(sends.drops.values())
        await gw.until(lambda: trouble in ("hung", "slow") or sends.trouble)
        assert await world.metric("seldon_api_executor_server_requests_seconds_count", code="200") == 600
        receiver.hangs = False

    gw.with_events(scenario, sink=limits, drain=0.2)


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
        begun = time.monotonic()
        await world.gateway.stop()
        assert time.monotonic() - begun < 10
        assert sends.drops == {"stopped": 20}
        (line,) = world.gateway.log.accounts
        assert f"events to {receiver.url}: 0 delivered, 20 dropped (20 stopped; " in line

    gw.with_events(scenario, drain=0.5)


def test_what_memory_cannot_hold_goes_to_disk_and_from_there_to_the_next_process(tmp_path: Path) -> None:
    spool = {"spool": str(tmp_path / "spool"), "events": 40, "longest_wait": 0.1}

    async def scenario(world: gw.World, receiver: gw.Receiver) -> None:
        await receiver.stop()
        for number in range(100):
            await world.infer(seldon_puid=str(number))
            await asyncio.sleep(0.005)
        await gw.until(lambda: gw.sender(world).spooled_bytes)
        await world.gateway.stop()
        assert not sum(one.drops.total() for one in world.gateway.log.senders.values())
        (line,) = world.gateway.log.accounts
        assert f"bytes on disk for the next start ({tmp_path / 'spool'}), 0 dropped" in line, "the stop tells where"

    async def after(world: gw.World, receiver: gw.Receiver) -> None:
        await gw.until(lambda: len(receiver.got) >= 200)
        assert Counter(event.request for event in receiver.got) == {str(number): 2 for number in range(100)}
        assert len({event.headers["ce-id"] for event in receiver.got}) == 200
        await gw.until(lambda: not list((tmp_path / "spool").iterdir()))

    gw.with_events(scenario, sink=spool)
    gw.with_events(after, sink=spool)


def test_a_full_disk_keeps_events_in_memory_and_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Spool, "write", full)

    async def scenario(world: gw.World, receiver: gw.Receiver) -> None:
        receiver.status = 503
        for _ in range(40):
            assert (await world.infer())[0] == 200
        await gw.until(lambda: gw.sender(world).disk_trouble)
        told = (await world.get("/status.json"))["sinks"][0]
        assert "No space left" in told["trouble"] and told["waiting"] <= 40
        assert set(told["dropped"]) <= {"full"}
        receiver.status = 202
        await gw.until(lambda: not gw.sender(world).waiting)

    gw.with_events(scenario, sink={"spool": str(tmp_path), "events": 40, "longest_wait": 0.1})


def test_a_folder_of_events_is_bounded_and_survives_a_torn_file(tmp_path: Path) -> None:
    async def scenario(world: gw.World, receiver: gw.Receiver) -> None:
        await gw.until(lambda: len(receiver.got) == 2)

    async def leave(world: gw.World, receiver: gw.Receiver) -> None:
        receiver.status = 503
        await world.infer()
        await gw.until(lambda: gw.sender(world).trouble)

    gw.with_events(leave, sink={"spool": str(tmp_path)})
    (segment,) = tmp_path.iterdir()
    (tmp_path / "000000000009-x.events").write_bytes(segment.read_bytes()[:100])
    (tmp_path / "000000000010-x.events.part").write_bytes(b"torn")
    gw.with_events(scenario, sink={"spool": str(tmp_path)})
    spool = Spool(tmp_path, 1000)
    assert spool.has_room(1000) and not spool.has_room(1001)


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
