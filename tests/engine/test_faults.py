"""Faults in mid-`up` and mid-`down`, on a few layers: the next command converges, with no manual step."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator

import pytest
from engine_world import STACK, World, everything, kill_all_of, progressed

from simulator import cluster as simulation
from simulator import faults
from stacks.workdir import ROOT, WorkDir

OFF = ("knative", "argo", "seldon", "monitoring", "flux")
THREE = {f"layers.{layer}": "false" for layer in (*OFF, "istio")}
"""NATS, the object store and SealedSecrets stay on: StatefulSet, Job, volumes, generated keys."""
WEBHOOKS = {f"layers.{layer}": "false" for layer in (*OFF, "nats", "objectStore")}
"""Istio stays on, for its webhooks, and SealedSecrets."""


@pytest.fixture
def three(world: World) -> Iterator[World]:
    world.config = THREE
    simulation.up(world.home, progress=lambda _: None)
    yield world
    world.run("down", "--keep-cluster")


def assert_converged(world: World) -> None:
    """One more `up` finds nothing to do, and what the cluster holds is what the state knows, each once."""
    assert "stack sim: no change" in world.run("up")
    work = WorkDir(STACK, ROOT, world.home.parent)
    state = work.state()
    assert not state.get("pending_operations")
    ids = [r["id"] for r in state["resources"] if r["type"].startswith("kubernetes:")]
    urns = [r["urn"] for r in state["resources"]]
    assert len(urns) == len(set(urns))
    live = [
        (kind, meta.get("namespace"), meta["name"])
        for (kind, _, _), meta in everything(world.cluster).items()
        if meta.get("labels", {}).get("aiga.dev/stack") == STACK and not meta.get("ownerReferences")
    ]
    bulk = sum(len(r["inputs"]["objects"]) for r in state["resources"] if r["type"].endswith("aiga:Objects"))
    assert len(live) == len(ids) + bulk, "no orphan, and nothing twice"


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


UP_POINTS = [1, 3, 6, 9, 12, 15, 18, 21, 24, 27]
"""Objects of the stack on the cluster at the kill; the three layers have about 30 of the kinds counted."""


def test_kills_at_ten_points_of_up_and_three_of_down(world: World) -> None:
    world.config = THREE
    simulation.up(world.home, progress=lambda _: None)
    rng = random.Random(7)
    downs = iter([2.0, 4.0, 6.0])
    for number, point in enumerate(UP_POINTS):
        process = world.start("up")
        reached = progressed(world, point, process)
        time.sleep(rng.random() * 0.3)
        kill_all_of(process, world.home)
        assert reached, f"point {point} came too late to kill at"
        output = world.run("up")
        assert "resuming" in output, "the kill was noticed"
        assert_converged(world)
        seconds = next(downs, None) if number % 3 == 0 else None
        if seconds is not None:
            process = world.start("down", "--keep-cluster")
            time.sleep(seconds)
            kill_all_of(process, world.home)
        world.run("down", "--keep-cluster")
        left = [k for k, m in everything(world.cluster).items() if m.get("labels", {}).get("aiga.dev/stack") == STACK]
        assert left == []


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
