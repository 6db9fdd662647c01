"""`Objects` through the real Pulumi engine against a real API server: what a person sees and what stays behind."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from pulumi import automation as auto

from kube.cluster import Cluster
from kube.refs import Ref
from tests.objects.objects_world import World, definition, failure, kill

pytestmark = [
    pytest.mark.engine,
    # The SDK leaves coroutines of a run that failed or was killed to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

ENGINE = ("pulumi", "pulumi.dynamic")
PLUGIN = ("pulumi.dynamic",)


def test_the_whole_life(world: World) -> None:
    """Created, unchanged, one changed, one pruned, one edited behind its back, destroyed."""
    world.objects = [world.config_map(name, x="1") for name in "abc"]
    assert world.up() == {"created": 2}
    assert world.stored()["outputs"]["ready"] is True

    changes, _ = world.preview()
    assert changes == {"same": 2}, "a second run must find nothing to do"

    world.objects = [world.config_map("a", x="2"), world.config_map("b", x="1"), world.config_map("d", x="1")]
    changes, shown = world.preview()
    key = f"ConfigMap/{world.namespace}"
    assert changes == {"same": 1, "update": 1}
    assert f"~ {key}/a" in shown
    assert f"- {key}/c" in shown
    assert f"+ {key}/d" in shown
    assert f"~ {key}/b" not in shown, "the preview lists what changes, and nothing else"
    assert world.config_maps()["a"] == {"x": "1"}, "a preview touches nothing"

    assert world.up() == {"unchanged": 1, "updated": 1}
    assert world.config_maps() == {"a": {"x": "2"}, "b": {"x": "1"}, "d": {"x": "1"}}

    world.cluster.patch(Ref("v1", "ConfigMap", world.namespace, "b"), {"data": {"x": "edited"}}, manager="kubectl-edit")
    world.cluster.delete(Ref("v1", "ConfigMap", world.namespace, "d"))
    _, found = world.refresh()
    assert f"{key}/b" in found
    assert "edited by kubectl-edit" in found
    assert "(missing)" in found
    changes, shown = world.preview()
    assert changes == {"same": 1, "update": 1}
    assert f"~ {key}/b" in shown
    assert f"~ {key}/d" in shown
    assert f"~ {key}/a" not in shown

    assert world.up() == {"unchanged": 1, "updated": 1}
    assert world.config_maps() == {"a": {"x": "2"}, "b": {"x": "1"}, "d": {"x": "1"}}
    assert world.refresh()[0] == {"unchanged": 2}

    world.stack.destroy()
    assert world.config_maps() == {}


def test_a_failing_object_leaves_nothing_and_one_clear_line(world: World) -> None:
    bad = world.config_map("bad") | {"binaryData": {"a": "not base64"}}
    world.objects = [*(world.config_map(f"c{number}") for number in range(20)), bad]
    with pytest.raises(auto.CommandError) as caught:
        world.up()
    shown = failure(caught.value)
    assert f"ConfigMap/{world.namespace}/bad: " in shown
    assert "Traceback" not in shown
    assert 'File "' not in str(caught.value)
    assert world.config_maps() == {}

    world.objects = world.objects[:-1]
    assert world.up()["created"] == 1, "the next run goes on as if nothing had happened"
    assert len(world.config_maps()) == 20


def test_a_conflict_names_manager_and_field_and_refresh_makes_up_take_it_back(world: World) -> None:
    world.objects = [world.config_map("a", x="1")]
    world.up()
    theirs = world.config_map("a", x="theirs")
    world.cluster.apply(theirs, manager="flux", force=True)
    world.objects = [world.config_map("a", x="2")]
    with pytest.raises(auto.CommandError) as caught:
        world.up()
    assert f"ConfigMap/{world.namespace}/a: .data.x belongs to field manager flux" in failure(caught.value)
    assert world.config_maps() == {"a": {"x": "theirs"}}
    world.stack.refresh()
    world.up()
    assert world.config_maps() == {"a": {"x": "2"}}


@pytest.mark.parametrize("victims", [PLUGIN, ENGINE], ids=["plugin", "engine"])
def test_killed_in_the_middle_the_next_up_converges(world: World, victims: tuple[str, ...]) -> None:
    world.objects = [world.config_map(f"c{number:03}", x="1") for number in range(400)]
    outcome: list[BaseException] = []

    def run() -> None:
        try:
            world.up()
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    while len(world.config_maps()) < 50:
        assert thread.is_alive(), "it ended before it could be killed"
        time.sleep(0.02)
    assert kill(f"AIGA_MARK={world.stack.name}", victims)
    thread.join(timeout=60)
    assert outcome, "the killed run must fail"
    assert len(world.config_maps()) < 400, "it was killed too late"

    if victims is ENGINE:
        world.stack.cancel()
        world.stack.refresh(clear_pending_creates=True)
    world.up()
    assert len(world.config_maps()) == 400
    assert world.preview()[0] == {"same": 2}
    world.stack.destroy()
    assert world.config_maps() == {}, "no orphan"


def test_a_definition_with_instances_is_neither_pruned_nor_destroyed(world: World) -> None:
    crd = definition("grapes", "objects.test")
    world.objects = [crd, world.config_map("a")]
    world.up()
    grape = {"apiVersion": "objects.test/v1", "kind": "Grape", "metadata": {"name": "g", "namespace": world.namespace}}
    world.cluster.create(grape, manager="kubectl")
    world.objects = [world.config_map("a")]
    for operation in (world.up, world.stack.destroy):
        with pytest.raises(auto.CommandError) as caught:
            operation()
        assert f"would delete 1 Grape with it: {world.namespace}/g" in failure(caught.value)
        assert set(world.config_maps()) == {"a"}
    world.cluster.delete(Ref.of(grape))
    world.stack.destroy()
    assert world.cluster.get(Ref.of(crd)) is None


def test_another_cluster_is_never_touched(world: World, kubeconfig: str, other_kubeconfig: str) -> None:
    world.objects = [world.config_map("a", x="1")]
    world.up()
    other = Cluster.connect(other_kubeconfig)
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": world.namespace}}
    other.apply(space, manager="test")
    other.apply(world.config_map("a", x="other"), manager="kubectl")
    world.stack.set_config("aiga:kubeconfig", auto.ConfigValue(other_kubeconfig))
    world.objects = [world.config_map("a", x="2"), world.config_map("b")]
    for operation in (world.up, world.stack.refresh, world.stack.destroy):
        with pytest.raises(auto.CommandError) as caught:
            operation()
        assert other.server in failure(caught.value)
        assert "nothing was touched" in failure(caught.value)
    assert World(world.stack, other, world.namespace).config_maps() == {"a": {"x": "other"}}
    assert world.config_maps() == {"a": {"x": "1"}}
    world.stack.set_config("aiga:kubeconfig", auto.ConfigValue(kubeconfig))
    world.up()
    assert world.config_maps() == {"a": {"x": "2"}, "b": {}}


def test_a_preview_needs_no_cluster_and_up_without_one_changes_nothing(world: World, tmp_path: Path) -> None:
    world.objects = [world.config_map("a", x="1")]
    world.up()
    before = world.stored()
    nowhere = Path(world.stack.get_config("aiga:kubeconfig").value).read_text().replace("127.0.0.1", "127.0.0.9")
    (tmp_path / "nowhere").write_text(nowhere)
    world.stack.set_config("aiga:kubeconfig", auto.ConfigValue(str(tmp_path / "nowhere")))
    world.objects = [world.config_map("a", x="2")]
    changes, shown = world.preview()
    assert changes == {"same": 1, "update": 1}
    assert f"~ ConfigMap/{world.namespace}/a" in shown
    with pytest.raises(auto.CommandError) as caught:
        world.up()
    assert "https://127.0.0.9" in failure(caught.value)
    assert "does not answer" in failure(caught.value)
    assert world.stored() == before
    assert world.config_maps() == {"a": {"x": "1"}}


def test_the_state_holds_names_and_digests_and_nothing_else(world: World) -> None:
    marker = "canary-" * 200
    world.objects = [world.config_map(f"c{number}", x=marker) for number in range(10)]
    world.up()
    stored = world.stored()
    assert marker not in str(stored)
    assert len(str(stored["inputs"]) + str(stored["outputs"])) < 10 * 300 + 700
    assert sorted(stored["inputs"]) == ["__provider", "force", "objects", "stack", "timeout"]


def test_when_the_resource_is_renamed_its_objects_stay(world: World) -> None:
    world.objects = [world.config_map("a", x="1")]
    world.up()
    born = world.cluster.get(Ref("v1", "ConfigMap", world.namespace, "a"), metadata_only=True)
    world.name = "renamed"
    assert world.up() == {"created": 1, "deleted": 1, "unchanged": 1}
    live = world.cluster.get(Ref("v1", "ConfigMap", world.namespace, "a"), metadata_only=True)
    assert born is not None
    assert live is not None
    assert live["metadata"]["uid"] == born["metadata"]["uid"]
