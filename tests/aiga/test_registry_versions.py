"""Versions and stages of a project's models, on disk and in S3 alike."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import registry_world
import store_world

from aiga.errors import TransientError, UserError
from aiga.registry import Registry, SigningKey, Untrusted, parse, resolve_model
from aiga.registry.address import ModelAddress
from aiga.store import Corrupt, Missing, Store, open_store
from aiga.store.digest import path_digest


@pytest.fixture(params=store_world.KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    registry_world.own_keys(tmp_path, monkeypatch)
    return open_store(store_world.address(request.param, tmp_path, monkeypatch))


@pytest.fixture
def registry(store: Store) -> Registry:
    return Registry(store, "digits")


def test_a_model_comes_back_with_its_evidence(registry: Registry, tmp_path: Path) -> None:
    model = registry_world.model_file(tmp_path)
    registered = registry.register(model, registry_world.evidence(), SigningKey.load_or_create("digits"))
    assert (registered.project, registered.version) == ("digits", 1)
    assert registered.evidence.digest == path_digest(model) and registered.evidence.format == "onnx"
    path = registry.fetch(1, tmp_path / "fetched")
    assert path == tmp_path / "fetched" / "model.onnx" and path.read_bytes() == model.read_bytes()
    assert (tmp_path / "fetched" / "model.yaml").read_bytes() == registry.store.read("digits/models/1/model.yaml")
    again = registry.get(1).evidence
    assert again.model_dump_json() == registered.evidence.model_dump_json()
    assert again.parameters["learning_rate"] == 3e-05 and again.data["images"]["rows"] == 1797
    assert {item.key for item in registry.store.list("digits/models/1/")} == {
        f"digits/models/1/{name}" for name in ("claim.json", "model.onnx", "model.yaml")
    }


def test_a_folder_can_be_a_model(registry: Registry, tmp_path: Path) -> None:
    folder = tmp_path / "keras"
    registry_world.model_file(folder, b"graph", "saved_model.pb")
    registry_world.model_file(folder, b"weights", "variables/variables.data")
    registered = registry.register(folder, registry_world.evidence(), SigningKey.load_or_create("digits"))
    assert (registered.evidence.file, registered.evidence.format) == ("model", "savedmodel")
    assert path_digest(registry.fetch("latest", tmp_path / "fetched")) == path_digest(folder)


def test_versions_are_numbered_and_stages_name_them(registry: Registry, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        assert registry_world.register(registry, tmp_path, f"{number}".encode()) == number
    assert [each.version for each in registry.versions()] == [1, 2, 3]
    assert registry.stage("production") is None
    registry.promote(2, "production", by="ada", why="better")
    registry.promote(3, "staging", by="ada", why="to try")
    assert [registry.get(at).version for at in (1, "2", "production", "staging", "latest")] == [1, 2, 2, 3, 3]
    resolved = resolve_model("digits", registry.store)
    assert (resolved.project, resolved.version, resolved.registry.project) == ("digits", 2, "digits")
    assert resolve_model("digits@latest", registry.store, "other").version == 3
    assert resolve_model("@1", registry.store, "digits").version == 1


def test_what_is_not_there_is_said_with_what_is(registry: Registry, tmp_path: Path) -> None:
    for at, words in (("latest", "has no model yet"), ("production", "no version stands there"), (1, "there are none")):
        with pytest.raises(Missing, match=words):
            registry.get(at)
    registry_world.register(registry, tmp_path)
    with pytest.raises(Missing, match="digits@7: there is no such version; there are 1"):
        registry.fetch(7, tmp_path / "fetched")
    for at in ("best", "0", "-1", "1.5", "1" * 40, ""):
        with pytest.raises(UserError, match="must be a number from 1, staging, production, latest"):
            registry.get(at)


def test_registering_at_once_gives_every_one_its_own_number(registry: Registry, tmp_path: Path) -> None:
    key = SigningKey.load_or_create("digits")
    models = [registry_world.model_file(tmp_path / str(n), f"model {n}".encode(), "m.joblib") for n in range(8)]
    barrier = threading.Barrier(4)

    def register(model: Path) -> tuple[int, bytes]:
        barrier.wait()
        return registry.register(model, registry_world.evidence(), key).version, model.read_bytes()

    with ThreadPoolExecutor(4) as pool:
        registered = dict(pool.map(register, models))
    assert sorted(registered) == list(range(1, 9))
    for version, content in registered.items():
        assert registry.fetch(version, tmp_path / "fetched" / str(version)).read_bytes() == content


def test_a_registration_that_was_killed_is_no_version(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry_world.register(registry, tmp_path)

    class Killed(BaseException):
        pass

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(registry.store, "write", killed)
        with pytest.raises(Killed):
            registry_world.register(registry, tmp_path)
    assert [each.version for each in registry.versions()] == [1] and registry.get("latest").version == 1
    with pytest.raises(Missing):
        registry.get(2)
    assert registry_world.register(registry, tmp_path) == 3


def test_rolling_back_goes_to_what_stood_before_step_by_step(registry: Registry, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        registry_world.register(registry, tmp_path, bytes([number]))
        registry.promote(number, "production", by="ada", why=f"number {number}")
    registry.promote(3, "production", by="ada", why="said twice")
    assert registry.rollback("production", by="bob", why="errors") == 2
    assert registry.stage("production") == 2
    assert registry.rollback("production", by="bob", why="errors") == 1, "not back to 3, which was rolled back"
    with pytest.raises(UserError, match="version 1 is the first there"):
        registry.rollback("production", by="bob", why="errors")
    with pytest.raises(UserError, match="nothing stands there"):
        registry.rollback("staging", by="bob", why="errors")
    registry.promote(3, "production", by="ada", why="mended")
    assert registry.rollback("production", by="bob", why="errors") == 1
    told = [(each.action, each.version, each.before, each.by) for each in registry.history()]
    assert told[-3:] == [("rollback", 1, 2, "bob"), ("promote", 3, 1, "ada"), ("rollback", 1, 3, "bob")]


def test_of_two_promotions_at_once_one_is_told_that_it_lost(registry: Registry, tmp_path: Path) -> None:
    for number in range(4):
        registry_world.register(registry, tmp_path, bytes([number + 1]))
    barrier = threading.Barrier(4)
    promoted = registry._change

    def together(stage, change):  # type: ignore[no-untyped-def]
        def once_all_have_read(stages):  # type: ignore[no-untyped-def]
            if not stages.history:
                barrier.wait()
            return change(stages)

        return promoted(stage, once_all_have_read)

    registry._change = together  # type: ignore[method-assign]

    def promote(version: int) -> str | None:
        try:
            registry.promote(version, "production", by=f"person {version}", why="mine is best")
        except TransientError as error:
            return str(error)
        return None

    with ThreadPoolExecutor(4) as pool:
        lost = [*pool.map(promote, (1, 2, 3, 4))]
    assert lost.count(None) == 1
    winner = lost.index(None) + 1
    assert registry.stage("production") == winner and len(registry.history()) == 1
    assert all(f"person {winner} put version {winner} there" in each for each in lost if each)


def test_changes_of_different_stages_do_not_disturb_each_other(registry: Registry, tmp_path: Path) -> None:
    registry_world.register(registry, tmp_path)
    change = registry._change

    def another_first(stage, changing):  # type: ignore[no-untyped-def]
        registry._change = change  # type: ignore[method-assign]

        def late(stages):  # type: ignore[no-untyped-def]
            if not stages.history:
                registry.promote(1, "staging", by="bob", why="meanwhile")
            return changing(stages)

        return change(stage, late)

    registry._change = another_first  # type: ignore[method-assign]
    registry.promote(1, "production", by="ada", why="mine")
    assert [(each.stage, each.by) for each in registry.history()] == [("staging", "bob"), ("production", "ada")]


def test_a_version_whose_evidence_is_damaged_does_not_hide_the_others(
    registry: Registry, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number in (1, 2):
        registry_world.register(registry, tmp_path, bytes([number]))
    for damaged in (b"{", b"- a list", b"a: &x [1]\nb: *x", b"version: 1"):
        registry.store.write("digits/models/1/model.yaml", damaged)
        with pytest.raises(Corrupt, match=r"models/1/model\.yaml: is damaged"):
            registry.get(1)
    assert [each.version for each in registry.versions()] == [2]
    assert "models/1/model.yaml: is damaged" in caplog.text


def test_projects_do_not_see_each_others_models(registry: Registry, tmp_path: Path) -> None:
    registry_world.register(registry, tmp_path)
    other = Registry(registry.store, "digits-two")
    assert other.versions() == [] and registry_world.register(other, tmp_path) == 1
    with pytest.raises(UserError, match="its evidence is of project digits, not of digits-two"):
        other.register(
            registry_world.model_file(tmp_path), registry_world.evidence(), SigningKey.load_or_create("digits-two")
        )
    registry.store.write("digits-two/models/1/model.yaml", registry.store.read("digits/models/1/model.yaml"))
    with pytest.raises(Untrusted):
        other.fetch(1, tmp_path / "fetched")


@pytest.mark.parametrize(
    ("address", "parsed"),
    [
        ("digits", ModelAddress("digits", "production")),
        ("digits@production", ModelAddress("digits", "production")),
        ("digits@staging", ModelAddress("digits", "staging")),
        ("digits@latest", ModelAddress("digits", "latest")),
        ("my-digits-2@12", ModelAddress("my-digits-2", 12)),
    ],
)
def test_an_address_reads_back(address: str, parsed: ModelAddress) -> None:
    assert parse(address) == parsed == parse(str(parsed))


@pytest.mark.parametrize(
    "address", ["", "@3", "Digits", "digits@", "digits@v3", "digits@03", "digits@3@4", "../digits"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(UserError, match="model '"):
        parse(address)
