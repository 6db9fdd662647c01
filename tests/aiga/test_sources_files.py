"""Files are read as they are now, and what is overwritten later can still be had."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sources_world import World, tree

from aiga.errors import TransientError, UserError
from aiga.sources import files
from aiga.sources.marks import mark
from aiga.spec.sources import FilesSource
from aiga.store import Corrupt, Missing


def source(path: str) -> FilesSource:
    return FilesSource(kind="files", path=path)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_overwritten_data_is_restored_from_its_snapshot(world: World) -> None:
    path = world.file("data/orders.csv", "a\n1\n")
    first = world.reader().read("orders", source("data/orders.csv"))
    path.write_text("a\n2\n")
    second = world.reader().read("orders", source("data/orders.csv"))
    assert (first.path.read_text(), second.path.read_text()) == ("a\n1\n", "a\n2\n"), "each is what was read then"
    assert world.restored(first).read_text() == "a\n1\n"
    assert world.restored(second).read_text() == "a\n2\n"
    assert world.restored(first).name == "orders.csv"


def test_what_is_written_to_the_files_later_does_not_reach_who_reads_the_version(world: World) -> None:
    file, part = world.file("orders.csv", "a\n1\n"), world.file("parts/cat/1.csv", "1")
    read = [world.reader().read("x", source(path)) for path in ("orders.csv", "parts", "parts/*/*.csv")]
    for path in (file, part):
        path.write_text("other")
    assert read[0].path.read_text() == "a\n1\n" and read[0].path.name == "orders.csv"
    assert [tree(version.path) for version in read[1:]] == [{"cat/1.csv": b"1"}] * 2
    assert not read[0].path.stat().st_mode & 0o222


def test_what_is_too_large_to_be_copied_is_used_where_it_is_and_marked(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "COPIED", 3)
    path = world.file("orders.csv", "a\n1\n")
    version = world.reader().read("orders", source("orders.csv"))
    assert version.path == path and version.mark == mark(path)
    assert not list((world.root / "cache").glob("data/*")), "no second copy of it"
    path.write_text("a\n2\n")
    assert mark(path) != version.mark
    assert world.restored(version).read_text() == "a\n1\n"


def test_a_file_that_is_written_while_it_is_copied_is_worth_another_try(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = world.file("orders.csv", "a\n1\n")
    copy = files.shutil.copyfile
    monkeypatch.setattr(files.shutil, "copyfile", lambda *each: [path.write_text("half"), copy(*each)])
    with pytest.raises(TransientError, match=r"source orders: orders\.csv changed while it was read"):
        world.reader().read("orders", source("orders.csv"))


def test_a_folder_is_restored_as_it_was(world: World) -> None:
    world.file("images/cat/1.png", b"1")
    world.file("images/dog/2.png", b"2")
    version = world.reader().read("images", source("images"))
    (world.folder / "images/cat/1.png").unlink()
    assert tree(world.restored(version)) == {"cat/1.png": b"1", "dog/2.png": b"2"}


def test_a_glob_gives_a_folder_named_from_its_first_wildcard_on(world: World) -> None:
    for name in ("a/x.csv", "b/x.csv", "b/deep/y.csv", "b/notes.txt", "b/.hidden.csv"):
        world.file(f"data/{name}", name)
    flat = world.reader().read("parts", source("data/*/*.csv"))
    deep = world.reader().read("parts", source("data/**/*.csv"))
    assert set(tree(flat.path)) == {"a/x.csv", "b/x.csv"}
    assert set(tree(deep.path)) == {"a/x.csv", "b/x.csv", "b/deep/y.csv"}
    assert (flat.origin["files"], deep.origin["files"]) == (2, 3)


def test_a_file_that_comes_to_a_glob_makes_another_version(world: World) -> None:
    world.file("data/1.csv", "1")
    reader = world.reader()
    first = reader.read("parts", source("data/*.csv"))
    world.file("data/2.csv", "2")
    assert reader.changed(source("data/*.csv"), first) == "source parts: data/*.csv: 2 files, were 1"
    second = reader.read("parts", source("data/*.csv"))
    assert first.digest != second.digest
    assert tree(world.restored(first)) == {"1.csv": b"1"}
    assert tree(world.restored(second)) == {"1.csv": b"1", "2.csv": b"2"}


def test_what_the_store_has_is_not_uploaded_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.file("orders.csv", "a\n1\n")
    first = world.reader().read("orders", source("orders.csv"))
    monkeypatch.setattr(type(world.store), "upload", lambda *_: pytest.fail("it was uploaded again"))
    assert world.reader().read("orders", source("orders.csv")).digest == first.digest


def test_evidence_tells_no_path_of_this_machine_and_survives_json(world: World) -> None:
    world.file("data/orders.csv", "a\n1\n")
    evidence = world.reader().read("orders", source("data/orders.csv")).evidence()
    assert str(world.root) not in repr(evidence)
    assert evidence["file"] == "orders.csv" and evidence["kind"] == "files"
    assert evidence["origin"]["path"] == "data/orders.csv"


def test_a_damaged_snapshot_is_not_handed_out(world: World) -> None:
    world.file("orders.csv", "a\n1\n")
    version = world.reader().read("orders", source("orders.csv"))
    stored = world.root / "store" / version.origin["snapshot"]
    stored.chmod(0o644)
    stored.write_text("a\n9\n")
    with pytest.raises(Corrupt):
        world.restored(version)
    stored.unlink()
    with pytest.raises(Missing, match="source orders: its snapshot is gone"):
        world.restored(version)


def test_what_was_damaged_in_the_cache_is_fetched_again(world: World) -> None:
    world.file("orders.csv", "a\n1\n")
    version = world.reader().read("orders", source("orders.csv"))
    cached = world.restored(version)
    assert not cached.stat().st_mode & 0o222, "a step that writes to its input must not change what others read"
    cached.chmod(0o644)
    cached.write_text("damaged")
    assert world.restored(version).read_text() == "a\n1\n"


def test_a_file_outside_the_project_is_allowed(world: World, tmp_path: Path) -> None:
    (tmp_path / "shared.csv").write_text("a\n1\n")
    read = world.reader().read("shared", source(str(tmp_path / "shared.csv")))
    assert read.path.read_text() == "a\n1\n"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("data/order.csv", "source orders: path 'data/order.csv': .*did you mean 'orders.csv'"),
        ("data/*.parquet", "source orders: path 'data/\\*.parquet': matches no file"),
        ("nowhere/at/all", "there is no such file or folder"),
        ("empty", "the folder is empty"),
    ],
)
def test_a_path_that_leads_to_nothing_is_the_users_mistake(path: str, message: str, world: World) -> None:
    world.file("data/orders.csv", "")
    (world.folder / "empty").mkdir()
    with pytest.raises(UserError, match=message):
        world.reader().read("orders", source(path))


def test_a_folder_that_holds_the_cache_is_refused(world: World) -> None:
    world.file("orders.csv", "")
    with pytest.raises(UserError, match="holds the folder of aiga itself"):
        world.reader(cache="project/.aiga").read("all", source("."))


def test_a_touched_file_is_the_same_and_a_rewritten_one_is_not(world: World) -> None:
    path = world.file("orders.csv", "a\n1\n")
    reader = world.reader()
    version = reader.read("orders", source("orders.csv"))
    assert reader.changed(source("orders.csv"), version) is None
    os.utime(path, ns=(1, 1))
    assert reader.changed(source("orders.csv"), version) is None
    path.write_text("a\n2\n")
    assert reader.changed(source("orders.csv"), version) == "source orders: orders.csv: other content"
    path.unlink()
    assert reader.changed(source("orders.csv"), version) == "source orders: orders.csv is gone"


def test_a_file_that_may_not_be_read_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    world.file("orders.csv", "")
    monkeypatch.setattr(files, "path_digest", refuse)
    with pytest.raises(UserError, match=r"source orders: .*orders.csv: may not be read"):
        world.reader().read("orders", source("orders.csv"))


def test_notes_of_another_release_are_passed_over(world: World) -> None:
    world.file("orders.csv", "")
    reader = world.reader()
    reader.read("orders", source("orders.csv"))
    for note in (world.root / "cache" / "last").iterdir():
        note.write_text('{"other": "format"}')
    assert reader.read("orders", source("orders.csv")).name == "orders"


def test_evidence_that_is_none_is_the_users_to_mend(world: World) -> None:
    with pytest.raises(UserError, match="not as aiga records it"):
        world.reader().restore({"name": "orders"})
