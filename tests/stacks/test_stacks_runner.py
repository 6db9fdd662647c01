"""The runner on the real engine and a real API server: up, again, changed, killed, down."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator import cluster as simulation
from stacks import resume, session
from stacks.errors import UserError
from tests.stacks.runner_world import World

pytestmark = pytest.mark.engine
ALL = {"cm-0", "cm-1", "cm-2", "cm-3", "last"}
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
    committed = world.project.joinpath("Pulumi.sim.yaml").read_text()
    printed = world.run("up", WORLD_PROTECT="1")
    assert "cluster: simulator" in printed
    assert "engine: " in printed, "which plugins served is said"
    assert "passphrase: made in" in printed
    assert "https://world.example" in printed
    assert "world/s: k" in printed
    assert "s3cr3t" not in printed
    assert "bytes)" in printed
    assert world.names() == ALL
    assert world.project.joinpath("Pulumi.sim.yaml").read_text() == committed

    printed = world.run("down", code=2)
    assert "  ConfigMap last\n" in printed, "what is protected is listed"
    assert world.names() == ALL, "and nothing of the stack is taken down"

    world.run("up")
    printed = world.run("up")
    assert "no change" in printed
    assert "passphrase" not in printed

    printed = world.run("preview", "domain=other.example")
    assert printed.count('data.domain: "aiga.localhost" => "other.example"') == 4

    world.cluster.apply(EDITED, manager="someone", force=True)
    printed = world.run("refresh")
    assert 'drifted: ConfigMap last\n    data.a: "b" => "edited"\n' in printed
    assert "1 drifted (`make up` repairs)" in printed
    assert "no change" not in world.run("up")

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


def test_a_secret_is_encrypted_into_the_copy_and_counts(world: World) -> None:
    work = world.work
    session.set_secret(work, "monitoring.alertWebhook", "https://hooks.example.org/s3cr3t", lambda _: None)
    assert "secure: v1:" in work.generated.read_text()
    for file in work.folder.rglob("*"):
        assert not file.is_file() or b"s3cr3t" not in file.read_bytes(), file
    decided, _ = session.checked(work, [])
    assert decided.monitoring.alert_webhook is not None
    with pytest.raises(UserError, match="only these are secrets"):
        session.set_secret(work, "domain", "x", lambda _: None)
    ciphertext = work.generated.read_text()
    world.run("preview", AIGA_SECRET_MONITORING_ALERT_WEBHOOK="https://hooks.example.org/0th3r")
    assert "secure: v1:" in work.generated.read_text()
    assert work.generated.read_text() != ciphertext, "what the environment gives counts for more"
    for file in work.folder.rglob("Pulumi*.yaml"):
        assert "0th3r" not in file.read_text(), file
    world.run("forget")
    assert session.checked(work, [])[0].monitoring.alert_webhook is not None, "the configuration stays"


def test_after_a_failure_and_on_a_new_simulator_up_goes_on(world: World) -> None:
    printed = world.run("up", code=1, WORLD_FAIL="1")
    assert "Slow slow: Deployment/world/slow: image not found (correct the tag)" in printed.splitlines()
    assert "update failed" not in printed
    assert "resuming" not in world.run("up"), "a failure is not a kill"
    assert world.names() == ALL
    simulation.down(world.work.folder, progress=lambda _: None)
    assert "the simulator is a new one" in world.run("up")
    assert world.names() == ALL


@pytest.mark.parametrize("plugins_too", [False, True], ids=["engine", "engine-and-plugins"])
def test_a_killed_up_is_taken_up_by_the_next(world: World, plugins_too: bool) -> None:
    child = world.start("up", WORLD_SLEEP="90")
    world.await_pending()
    (engine,) = world.engines()
    world.kill(engine, *(resume.leftovers(world.work) if plugins_too else []))
    printed, _ = child.communicate(timeout=180)
    assert child.returncode == 1
    assert f"its engine, process {engine}, was killed (the same command resumes)" in printed
    printed = world.run("up")
    assert "resuming: " in printed
    assert world.names() == ALL
    assert resume.leftovers(world.work) == []
    assert "no change" in world.run("up"), "the recovery's own settings are taken back"


def test_a_living_command_is_left_alone_and_a_killed_runner_is_not_waited_for(world: World) -> None:
    child = world.start("up", WORLD_SLEEP="90")
    world.await_pending()
    printed = world.run("up", code=2)
    assert f"process {child.pid} is at work on it (wait until it ends)" in printed
    world.kill(child.pid)
    assert "resuming: " in world.run("up")
    assert world.names() == ALL


def test_a_stopped_up_ends_in_order_and_can_be_taken_down(world: World) -> None:
    child = world.start("up", WORLD_SLEEP="90")
    world.await_pending()
    child.terminate()  # as a CI job is stopped: the runner alone is told
    child.communicate(timeout=180)
    assert child.returncode == 130
    assert world.engines() == []
    assert "gone" in world.run("down")
    assert not world.work.state().get("resources")


def test_a_killed_down_is_taken_up_by_the_next(world: World) -> None:
    world.run("up")
    child = world.start("down")
    world.await_pending()
    world.kill(child.pid, *world.engines())
    assert "gone" in world.run("down")
    assert not world.work.state().get("resources")
