"""Datasets are published in whole versions, one number each, and read by any project."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sources_world import World, tree

from aiga.errors import UserError
from aiga.sources.datasets import publish, resolve, versions
from aiga.spec.sources import DatasetSource


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def source(version: int | None = None, project: str | None = "shop") -> DatasetSource:
    return DatasetSource(kind="dataset", dataset="orders", project=project, version=version or "latest")


def test_the_newest_version_is_read_or_the_one_that_is_named(world: World) -> None:
    first = publish(world.store, "shop", "orders", world.file("out/orders.csv", "a\n1\n"), {"run": "r1"})
    second = publish(world.store, "shop", "orders", world.file("out/orders.csv", "a\n2\n"), {"run": "r2"})
    assert (first, second) == (1, 2)
    assert world.reader().read("o", source()).path.read_text() == "a\n2\n"
    named = world.reader().read("o", source(1))
    assert named.path.read_text() == "a\n1\n" and named.path.name == "orders.csv"
    assert named.origin["project"] == "shop" and named.origin["version"] == 1
    assert world.restored(named).read_text() == "a\n1\n"
    assert resolve(world.store, "shop", "orders", 1).evidence == {"run": "r1"}


def test_a_folder_is_published_whole(world: World) -> None:
    world.file("out/a/1.csv", "1")
    world.file("out/b.csv", "2")
    publish(world.store, "shop", "orders", world.folder / "out", {})
    assert tree(world.reader().read("o", source()).path) == {"a/1.csv": b"1", "b.csv": b"2"}


def test_the_project_itself_is_meant_when_none_is_named(world: World) -> None:
    publish(world.store, "iris", "orders", world.file("orders.csv", "mine"), {})
    publish(world.store, "shop", "orders", world.file("orders.csv", "theirs"), {})
    assert world.reader().read("o", source(project=None)).path.read_text() == "mine"


def test_the_same_content_is_not_published_twice_in_a_row(world: World) -> None:
    contents = ["a", "a", "b", "a"]
    numbers = [publish(world.store, "shop", "orders", world.file("orders.csv", each), {}) for each in contents]
    assert numbers == [1, 1, 2, 3]


def test_publishers_at_the_same_time_get_different_versions(world: World) -> None:
    files = [world.file(f"{number}/orders.csv", str(number)) for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        numbers = list(
            pool.map(lambda path: publish(world.store, "shop", "orders", path, {"from": path.parent.name}), files)
        )
    assert sorted(numbers) == versions(world.store, "shop", "orders") == list(range(1, 9))
    for number, path in zip(numbers, files, strict=True):
        assert world.reader().read("o", source(number)).path.read_text() == path.read_text()
        assert resolve(world.store, "shop", "orders", number).evidence == {"from": path.parent.name}


def test_a_publisher_that_is_killed_leaves_no_version(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(type(world.store), "create", killed)
    with pytest.raises(KeyboardInterrupt):
        publish(world.store, "shop", "orders", world.file("orders.csv", "1"), {})
    assert versions(world.store, "shop", "orders") == []


def test_what_is_not_there_is_told_with_what_is(world: World) -> None:
    with pytest.raises(
        UserError, match=r"source o: dataset shop/orders: there is no version latest .*published nothing"
    ):
        world.reader().read("o", source())
    publish(world.store, "shop", "clients", world.file("c.csv", "1"), {})
    with pytest.raises(UserError, match=r"\(shop has published clients\)"):
        world.reader().read("o", source())
    publish(world.store, "shop", "orders", world.file("c.csv", "1"), {})
    with pytest.raises(UserError, match=r"there is no version 3 .*\(versions 1\)"):
        world.reader().read("o", source(3))


def test_watching_sees_a_newer_version_unless_one_is_named(world: World) -> None:
    reader = world.reader()
    publish(world.store, "shop", "orders", world.file("orders.csv", "1"), {})
    latest, named = reader.read("o", source()), reader.read("o", source(1))
    assert reader.changed(source(), latest) is None
    publish(world.store, "shop", "orders", world.file("orders.csv", "2"), {})
    assert reader.changed(source(), latest) == "source o: dataset shop/orders: version 2, was 1"
    assert reader.changed(source(1), named) is None
    assert reader.changed(source(2), named) == "source o: dataset shop/orders: version 2, was 1"
