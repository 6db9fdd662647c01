"""A cluster that fails in mid-`up`, on a few layers: the next `up` converges, with no manual step."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from engine_world import THREE, WEBHOOKS, World, assert_converged, progressed

from simulator import cluster as simulation
from simulator import faults


@pytest.fixture
def three(world: World) -> Iterator[World]:
    world.config = THREE
    simulation.up(world.home, progress=lambda _: None)
    yield world
    world.run("down", "--keep-cluster")


def test_an_api_server_killed_in_mid_up(three: World) -> None:
    process = three.start("up")
    assert progressed(three, 8, process), "it was to be killed before the end"
    faults.kill_apiserver(three.home)
    time.sleep(5)
    faults.start_apiserver(three.home)
    output, _ = process.communicate(timeout=300)
    print(output)
    if process.returncode:
        assert "Traceback" not in output
        three.run("up")
    assert_converged(three)


def test_a_webhook_down_for_forty_seconds(world: World) -> None:
    world.config = WEBHOOKS
    simulation.up(world.home, progress=lambda _: None)
    faults.webhooks(world.home, answering=False)
    back = threading.Timer(40, lambda: faults.webhooks(world.home, answering=True))
    process = world.start("up")
    assert progressed(world, 5, process)
    back.start()
    output, _ = process.communicate(timeout=600)
    print(output)
    assert process.returncode == 0, "the same `up` outlasts it"
    assert_converged(world)
    world.run("down")
