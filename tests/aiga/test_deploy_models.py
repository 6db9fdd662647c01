"""Which models a deployment is made of: found and checked, all of them, before anything of it is started."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import registry_world as rw
from deploy_world import port

from aiga.errors import UserError
from aiga.registry import Registry
from aiga.runner import place
from aiga.serving.deploy import plan
from aiga.serving.deploy.models import Models
from aiga.serving.deploy.plan import Beside
from aiga.serving.deploy.supervisor import Options, Serving
from aiga.serving.servers import environment
from aiga.serving.servers.process import Server
from aiga.spec.load import loads
from aiga.spec.project import Project
from aiga.store import Store, open_store

TRAINED = 'train: {run: "steps:train", out: {model: model.onnx}}\n'
GRAPH = """
serve:
  graph:
    name: both
    kind: combiner
    children:
    - {name: own, kind: model}
    - {name: other, kind: model, model: flowers@1}
"""


def project(serve: str = "serve: {server: onnx}\n", train: str = TRAINED) -> Project:
    return loads(f"apiVersion: aiga.dev/v1\nname: digits\n{train}{serve}".encode(), Path("project.yaml")).project


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    rw.own_keys(tmp_path, monkeypatch)
    return open_store(str(tmp_path / "store"))


def registered(store: Store, folder: Path, name: str = "digits", many: int = 1) -> Registry:
    """A registry with so many versions, the first of them in production."""
    registry = Registry(store, name)
    for number in range(many):
        rw.register(registry, folder / str(number))
    registry.promote(1, "production", by="test", why="test")
    return registry


def found(own: Project, store: Store, canary: str | None = None, shadow: str | None = None) -> Models:
    assert own.serve is not None
    versions = plan.versions(
        own.name, own.serve, Beside(canary) if canary else None, Beside(shadow) if shadow else None
    )
    return Models.look_up(own, own.serve, versions, store, Path("projects/digits"))


def test_a_project_that_has_never_run_is_told_to(store: Store) -> None:
    with pytest.raises(UserError) as told:
        found(project(), store, canary="staging")
    assert str(told.value) == (f"digits: has no model to serve yet in {store.address} (aiga run projects/digits)"), (
        "once, however many versions were asked for"
    )


def test_a_model_of_another_project_is_made_by_that_project(store: Store) -> None:
    with pytest.raises(UserError, match=r"flowers: has no model .*\(aiga run, with the folder of project flowers\)"):
        found(project("serve: {model: flowers@2}\n"), store)


def test_all_versions_that_are_not_there_are_told_at_once(store: Store, tmp_path: Path) -> None:
    registered(store, tmp_path, many=2)
    with pytest.raises(UserError) as told:
        found(project(), store, canary="9", shadow="staging")
    assert str(told.value).splitlines() == [
        "canary: digits@9: there is no such version; there are 1, 2",
        "shadow: digits@staging: no version stands there (aiga promote)",
    ]


def test_a_version_whose_evidence_was_changed_is_refused_before_it_is_fetched(store: Store, tmp_path: Path) -> None:
    registered(store, tmp_path, many=2)
    key = "digits/models/2/model.yaml"
    store.write(key, store.read(key).replace(b"0.98 is enough", b"1.00 is enough"))
    with pytest.raises(UserError, match="digits@2"):
        found(project(), store, canary="2")


def test_a_stage_means_what_it_meant_at_the_start(store: Store, tmp_path: Path) -> None:
    registry = registered(store, tmp_path, many=2)
    own = project()
    models = found(own, store, canary="2")
    registry.promote(2, "production", by="test", why="later")
    assert own.serve is not None
    main, canary = plan.versions("digits", own.serve, Beside("2"), None)
    assert (models.of(main), models.of(canary)) == ("digits@1", "digits@2")
    ((served,),) = models.fetch(main, tmp_path / "fetched")
    assert served.version == "1" and models.lineage(main)["version"] == "1"


def test_a_graph_is_all_of_its_models(store: Store, tmp_path: Path) -> None:
    registered(store, tmp_path / "a")
    with pytest.raises(UserError, match="flowers: has no model"):
        found(project(GRAPH), store)
    registered(store, tmp_path / "b", "flowers")
    own = project(GRAPH)
    assert own.serve is not None
    (main,) = plan.versions("digits", own.serve, None, None)
    models = found(own, store)
    assert models.of(main) == "digits@1, flowers@1" and models.lineage(main) == {"model": "digits@1, flowers@1"}
    ((first, second),) = models.fetch(main, tmp_path / "fetched")
    assert [(one.name, one.version) for one in (first, second)] == [("own", "1"), ("other", "1")]


def test_a_graph_of_fixed_models_has_no_other_versions(store: Store, tmp_path: Path) -> None:
    registered(store, tmp_path, "flowers")
    fixed = "serve:\n  graph: {name: one, kind: model, model: flowers@1}\n"
    with pytest.raises(UserError, match=r"canary: digits@2: every node of serve\.graph names its own model"):
        found(project(fixed), store, canary="2")


def test_a_class_without_a_model_needs_none(store: Store, tmp_path: Path) -> None:
    own = project('serve: {server: custom, run: "scorer:Scorer"}\n', train="")
    assert own.serve is not None
    (main,) = plan.versions("digits", own.serve, None, None, trained=False)
    models = found(own, store)
    assert models.of(main) == "scorer:Scorer" and models.lineage(main) == {}
    ((served,),) = models.fetch(main, tmp_path)
    assert (served.run, served.model) == ("scorer:Scorer", None)


def test_nothing_is_started_when_one_version_cannot_be_served(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any) -> Any:
        raise AssertionError("an environment was made, or a server started")

    monkeypatch.setattr(environment, "ensure", never)
    monkeypatch.setattr(Server, "start", never)
    monkeypatch.setenv("AIGA_HOME", str(tmp_path / "home"))
    own = place.of(tmp_path, "digits", str(tmp_path / "store"))
    registry = registered(own.store, tmp_path)
    earlier = own.home / "serve" / "digits" / "gateway.log"
    earlier.parent.mkdir(parents=True)
    earlier.write_text("of the last start")

    async def serve(canary: str) -> None:
        options = Options(port(), None, Beside(canary))
        async with Serving(project(), tmp_path, own, options, print):
            raise AssertionError("it serves")

    with pytest.raises(UserError, match="canary: digits@7: there is no such version; there are 1"):
        asyncio.run(serve("7"))
    assert earlier.exists(), "what the last start left is kept"
    rw.register(registry, tmp_path / "pickled", b"\x80\x04N.")
    with pytest.raises(UserError, match="server onnx serves onnx, not other"):
        asyncio.run(serve("2"))
