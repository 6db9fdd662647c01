"""Events on disk: what memory has no room for, and what a disk does that has none either."""

from __future__ import annotations

import asyncio
import errno
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gateway_world as gw
import pytest

from aiga.serving.gateway.spool import Spool


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


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        enabled = f"unshare --user --map-root-user --mount {sys.executable} -m pytest {Path(__file__).name}"
        pytest.skip(f"a file system cannot be mounted: {mounted.stderr.strip()} (as root, or by {enabled})")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_events_of_a_real_disk_that_fills_are_on_it_in_memory_or_counted_and_all_that_are_left_arrive(
    small_disk: Path,
) -> None:
    spool = {"spool": str(small_disk / "spool"), "events": 40, "longest_wait": 0.1}

    async def scenario(world: gw.World, receiver: gw.Receiver) -> None:
        receiver.status = 503
        sends, predictions = gw.sender(world), 0
        while not (sends.disk_trouble and sends.drops):
            assert (await world.infer())[0] == 200
            predictions += 1
            assert predictions < 2000, "so many events fit on no disk of this size"
        told = (await world.get("/status.json"))["sinks"][0]
        assert "No space left on device" in told["trouble"] and sends.waiting <= 40
        assert 0 < sends.spooled_bytes <= 64 * 1024, "it was filled"
        assert set(sends.drops) == {"full"}
        receiver.status = 202
        await gw.until(lambda: not sends.waiting and not sends.spooled_bytes, 60)
        assert len(receiver.got) + sends.drops["full"] == 2 * predictions
        assert len({event.headers["ce-id"] for event in receiver.got}) == len(receiver.got), "each once"
        assert not list((small_disk / "spool").iterdir()), "nothing torn is left, and nothing whole"

    gw.with_events(scenario, sink=spool)


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
