"""The runner on the real engine and a real API server: up, again, changed, killed, down."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator import cluster as simulation
from stacks import resume
from tests.stacks.runner_world import World

pytestmark = pytest.mark.engine
EDITED = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "last", "namespace": "world"},
    "data": {"a": "edited"},
}
STRAY = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "stray", "namespace": "default", "labels": {"aiga.dev/stack": "sim"}},
}
ALL = {"cm-0", "cm-1", "cm-2", "cm-3", "last"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World.at(tmp_path / "project")
    yield made
    for child in made.running:
        made.kill(child.pid)
        child.wait()
    made.kill(*made.engines())
    resume.end_leftovers(made.work)
    simulation.down(made.work.folder, progress=lambda _: None)


def test_a_stack_s_life(world: World) -> None:
    printed = world.run("up")
    assert "cluster: simulator" in printed
    assert "plugins" in printed, "which plugins served is said"
    assert "passphrase: made in" in printed
    assert "https://world.example" in printed
    assert "world/s: k" in printed
    assert "s3cr3t" not in printed
    assert "bytes)" in printed
    assert world.names() == ALL
    assert world.project.joinpath("Pulumi.sim.yaml").read_text().count("aiga:") == 2, "the committed file was rewritten"

    printed = world.run("up")
    assert "no change" in printed
    assert "passphrase" not in printed

    printed = world.run("preview", "domain=other.example")
    assert printed.count('data.domain: "aiga.localhost" => "other.example"') == 4
    assert "no change" in world.run("up"), "a preview changes nothing"

    world.cluster.apply(EDITED, manager="someone", force=True)
    printed = world.run("refresh")
    assert 'drifted: ConfigMap last\n    data.a: "b" => "edited"\n' in printed
    assert "1 drifted" in printed
    world.run("up")
    assert "no drifted" in world.run("refresh")

    world.cluster.create(STRAY, manager="test")
    printed = world.run("down")
    assert "sweep: removing ConfigMap/default/stray" in printed
    assert "gone" in printed
    assert not world.work.folder.joinpath("kubeconfig").exists()


def test_an_unknown_key_stops_before_anything_is_made(world: World) -> None:
    printed = world.run("up", "objcetStore.size=2Gi", code=2)
    assert printed.strip() == (
        'Pulumi.sim.yaml: aiga:objcetStore: {"size": "2Gi"}: unknown key (did you mean objectStore?)'
    )
    assert not world.work.folder.exists()


def test_a_failed_resource_is_one_line_and_the_next_up_goes_on(world: World) -> None:
    printed = world.run("up", code=1, WORLD_FAIL="1")
    assert "Slow slow: Deployment/world/slow: image not found (correct the tag)" in printed.splitlines()
    assert "update failed" not in printed
    assert "resuming" not in world.run("up"), "a failure is not a kill"
    assert world.names() == ALL


def test_protected_resources_are_listed_and_kept(world: World) -> None:
    world.run("up", WORLD_PROTECT="1")
    printed = world.run("down", code=2)
    assert "  ConfigMap last\n" in printed
    assert "aiga:protect" in printed
    assert world.names() == ALL
    world.run("up")
    world.run("down")


@pytest.mark.parametrize("victims", ["engine", "runner", "all"])
def test_a_killed_up_is_taken_up_by_the_next(world: World, victims: str) -> None:
    child = world.start("up", WORLD_SLEEP="45")
    world.await_pending()
    engines = world.engines()
    assert len(engines) == 1
    if victims != "runner":
        world.kill(*engines, *(resume.leftovers(world.work) if victims == "all" else []))
    if victims != "engine":
        world.kill(child.pid)
    printed, _ = child.communicate(timeout=60)
    if victims == "engine":
        assert child.returncode == 1
        assert f"its engine, process {engines[0]}, was killed (the same command resumes)" in printed
    printed = world.run("up")
    assert "resuming: " in printed
    assert world.names() == ALL
    assert "no change" in world.run("up"), "the recovery's own settings are taken back"
    assert resume.leftovers(world.work) == []


def test_a_killed_up_can_be_taken_down(world: World) -> None:
    child = world.start("up", WORLD_SLEEP="45")
    world.await_pending()
    world.kill(child.pid, *world.engines())
    printed = world.run("down")
    assert "resuming: " in printed
    assert "gone" in printed
    assert not world.work.state().get("resources")


def test_a_killed_down_is_taken_up_by_the_next(world: World) -> None:
    world.run("up")
    child = world.start("down")
    world.await_pending()
    world.kill(child.pid, *world.engines())
    printed = world.run("down")
    assert not world.work.state().get("resources")
    assert "gone" in printed


def test_a_living_command_is_left_alone(world: World) -> None:
    child = world.start("up", WORLD_SLEEP="12")
    world.await_pending()
    printed = world.run("up", code=2)
    assert f"process {child.pid} is at work on it (wait until it ends)" in printed
    printed, _ = child.communicate(timeout=120)
    assert child.returncode == 0, printed


def test_a_new_simulator_starts_afresh(world: World) -> None:
    world.run("up")
    simulation.down(world.work.folder, progress=lambda _: None)
    printed = world.run("up")
    assert "the simulator is a new one" in printed
    assert world.names() == ALL


def test_an_interrupted_command_ends_in_order(world: World) -> None:
    child = world.start("up", WORLD_SLEEP="30")
    world.await_pending()
    # As a CI job is stopped: the runner alone is told.
    child.terminate()
    child.communicate(timeout=60)
    assert world.engines() == []
    world.run("up")
    assert world.names() == ALL
