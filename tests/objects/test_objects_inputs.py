"""What becomes an input, what is refused before anything is registered, and what lies beside the project."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dill
import pulumi
import pytest
from pulumi.dynamic import Config, ConfigureRequest

from components import objects
from components.objects import ObjectsProvider
from components.target import ClusterError
from kube import digest
from kube.errors import Invalid


def config_map(name: str = "a", **data: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "p"}, "data": data}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIGA_HOME", str(tmp_path))
    return tmp_path / ".aiga" / "objects"


REFUSED = [
    ([{**config_map(), "kind": "Secret"}], "Secret/p/a: a Secret would lie on disk in clear"),
    ([config_map(x=pulumi.Output)], "ConfigMap/p/a: holds a value that is not plain data"),
    ([config_map(), config_map(x="1")], "ConfigMap/p/a: is there twice"),
    ([{"kind": "ConfigMap", "apiVersion": "v1"}], "no metadata.name"),
    ([{**config_map(), "metadata": {"generateName": "a-"}}], "no metadata.name"),
    ([config_map(), {**config_map("b"), "kind": "Secret"}, {}], "Secret/p/b.*; an object/.*no apiVersion"),
]


@pytest.mark.parametrize(("manifests", "expected"), REFUSED)
def test_what_cannot_be_an_object_here_is_refused_all_at_once(manifests: list[dict[str, Any]], expected: str) -> None:
    with pytest.raises(pulumi.RunError, match=expected) as caught:
        objects._bodies("layer", manifests, "dev")
    assert str(caught.value).startswith("Objects 'layer': ")


def test_bodies_lie_under_their_digest_and_are_written_once(home: Path) -> None:
    bodies = objects._bodies("layer", [config_map(x="1"), config_map("b")], "dev")
    digests = objects.write_bodies(bodies)
    assert {path.name for path in home.iterdir()} == {name.removeprefix("sha256:") for name in digests.values()}
    times = {path: path.stat().st_mtime_ns for path in home.iterdir()}
    assert objects.write_bodies(bodies) == digests
    assert {path: path.stat().st_mtime_ns for path in home.iterdir()} == times
    assert objects.read_body("ConfigMap/p/a", digests["ConfigMap/p/a"]) == bodies["ConfigMap/p/a"]


def test_the_stack_is_part_of_the_digest_and_the_order_of_objects_is_not(home: Path) -> None:
    one, two = config_map(), config_map("b")
    dev, prod = (objects.write_bodies(objects._bodies("layer", [one, two], stack)) for stack in ("dev", "prod"))
    assert dev != prod
    assert list(objects.write_bodies(objects._bodies("layer", [two, one], "dev")).items()) == list(dev.items())


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda path: path.unlink(), "is not there; run the program again"),
        (lambda path: path.write_bytes(b"{}"), "is damaged; delete that file"),
        (lambda path: path.write_bytes(b'{"cut'), "is damaged; delete that file"),
    ],
)
def test_a_body_that_is_missing_or_damaged_is_never_applied(home: Path, damage: Any, expected: str) -> None:
    digests = objects.write_bodies(objects._bodies("layer", [config_map()], "dev"))
    damage(next(home.iterdir()))
    with pytest.raises(Invalid, match=f"ConfigMap/p/a: its body .* {expected}"):
        objects.read_body("ConfigMap/p/a", digests["ConfigMap/p/a"])


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ({"a": "sha256:1"}, {"a": "sha256:1"}, False),
        ({"a": "sha256:1"}, {"a": "sha256:2"}, True),
        ({"a": "sha256:1"}, {}, True),
        ({}, {"a": "sha256:1"}, True),
        ({"a": "sha256:1 (edited by kubectl-edit)"}, {"a": "sha256:1"}, True),
    ],
)
def test_a_difference_is_seen_without_a_cluster_and_never_replaces(old: Any, new: Any, changes: bool) -> None:
    result = ObjectsProvider().diff("id", {"objects": old, "timeout": 300}, {"objects": new, "timeout": 60})
    assert result.changes is changes
    assert not result.replaces


def test_what_lies_in_every_state_is_a_name_not_code() -> None:
    assert len(dill.dumps(ObjectsProvider(), recurse=True)) < 150


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, "aiga:kubeconfig is not set; pulumi config set aiga:kubeconfig"),
        ({"aiga:kubeconfig": "/nowhere/config"}, "/nowhere/config: there is no such file"),
    ],
)
def test_the_cluster_is_that_of_the_configuration_and_never_the_ambient_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, config: dict[str, str], expected: str
) -> None:
    ambient = tmp_path / "ambient"
    ambient.write_text("apiVersion: v1\nkind: Config\n")
    monkeypatch.setenv("KUBECONFIG", str(ambient))
    monkeypatch.setattr("sys.tracebacklimit", 1000, raising=False)
    provider = ObjectsProvider()
    provider.configure(ConfigureRequest(Config(config, "aiga")))
    with pytest.raises(ClusterError, match=expected) as caught:
        provider.create({"objects": {}, "stack": "dev", "timeout": 5})
    assert caught.value.__cause__ is None
    assert type(caught.value).__qualname__ == "aiga", "the engine prints it in front of the line"


def test_live_digests_survive_the_way_through_the_state() -> None:
    names = {"b": digest.of(2), "a": digest.of(1)}
    kept = objects._outputs({"objects": names, "stack": "s", "timeout": 1, "force": False}, names, "uid")
    assert {key: names[key].startswith(part) for key, part in objects._live(kept).items()} == {"a": True, "b": True}
