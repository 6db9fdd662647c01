"""Objects of a store: on disk and in S3 alike."""

from __future__ import annotations

import contextlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import store_world
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aiga.errors import UserError
from aiga.store import Blocked, Missing, Store, open_store
from aiga.store.directory import DirectoryStore
from aiga.store.keys import check_key

BAD_KEYS = {
    "": "relative",
    "/etc/passwd": "relative",
    "a//b": "relative",
    "a/": "relative",
    "../b": "parts . or ..",
    "a/./b": "parts . or ..",
    "a/../../b": "parts . or ..",
    "a\\b": "backslashes",
    "a\nb": "unprintable",
    "a\0b": "unprintable",
    "x" * 201: "200 in each part",
    "/".join(["x" * 100] * 10): "900 bytes",
    ".store/locks/00": "the store's own",
}


@pytest.fixture(params=store_world.KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    return open_store(store_world.address(request.param, tmp_path, monkeypatch))


def test_what_is_written_is_read_and_can_be_replaced(store: Store) -> None:
    store.write("a/b", b"one")
    assert store_world.reopened(store).read("a/b") == b"one"
    store.write("a/b", b"")
    assert store.read("a/b") == b""
    assert store.exists("a/b")


def test_what_is_not_there_is_missing_by_name(store: Store) -> None:
    with pytest.raises(Missing, match=r"there is no a/b$"):
        store.read("a/b")
    assert not store.exists("a/b") and store.version("a/b") is None
    store.write("a/b/c", b"")
    with pytest.raises(Missing):
        store.read("a/b")


def test_create_takes_a_key_only_once(store: Store) -> None:
    assert store.create("k", b"first")
    assert not store.create("k", b"second")
    assert not store.create("k", b"first"), "the same bytes do not make it another's"
    assert store.read("k") == b"first"
    store.delete("k")
    assert store.create("k", b"third")


def test_of_many_that_create_a_key_at_once_one_wins(store: Store) -> None:
    barrier = threading.Barrier(4)

    def attempt(writer: int) -> list[bool]:
        own = store_world.reopened(store)
        own.exists("warm")
        won = []
        for turn in range(8):
            barrier.wait()
            won.append(own.create(f"claims/{turn}", str(writer).encode()))
        return won

    with ThreadPoolExecutor(4) as pool:
        results = [*pool.map(attempt, range(4))]
    for turn, won in enumerate(zip(*results, strict=True)):
        assert won.count(True) == 1
        assert store.read(f"claims/{turn}") == str(won.index(True)).encode(), "the object is the winner's"


def test_increments_by_compare_and_set_lose_none(store: Store) -> None:
    store.write("count", b"0 start")

    def increment(writer: int) -> None:
        for turn in range(4):
            while True:
                version = store.version("count")
                number = int(store.read("count").split()[0])
                if store.compare_and_set("count", f"{number + 1} {writer} {turn}".encode(), version):
                    break

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(increment, range(4)))
    assert store.read("count").split()[0] == b"16"


def test_a_directory_lets_nobody_between_compare_and_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(str(tmp_path / "store"))
    store.write("k", b"old")
    old, look, both = store.version("k"), DirectoryStore.version, threading.Barrier(2)

    def look_together(self: DirectoryStore, key: str) -> str | None:
        found = look(self, key)
        with contextlib.suppress(threading.BrokenBarrierError):  # the other one must wait until this one has written
            both.wait(0.3)
        return found

    monkeypatch.setattr(DirectoryStore, "version", look_together)
    with ThreadPoolExecutor(2) as pool:
        won = [*pool.map(lambda data: store.compare_and_set("k", data, old), (b"one", b"two"))]
    assert won.count(True) == 1 and store.read("k") == (b"one", b"two")[won.index(True)]


def test_compare_and_set_refuses_what_has_changed(store: Store) -> None:
    assert store.compare_and_set("k", b"one", None)
    assert not store.compare_and_set("k", b"two", None)
    first = store.version("k")
    assert store.compare_and_set("k", b"two", first)
    assert not store.compare_and_set("k", b"three", first)
    store.delete("k")
    assert not store.compare_and_set("k", b"three", first), "what is gone has changed"
    assert not store.exists("k")


def test_a_plain_write_changes_the_version(store: Store) -> None:
    store.write("k", b"one")
    first = store.version("k")
    store.write("k", b"two")
    assert store.version("k") != first
    assert not store.compare_and_set("k", b"three", first)


def test_listing_is_sorted_by_bytes_with_sizes_and_without_the_stores_own(store: Store) -> None:
    keys = ["runs/a/x", "runs/a-b/x", "runs/a.txt", "runs/B", "runs/ä", "run", "z/1", "z/10", "z/2"]
    for number, key in enumerate(keys):
        assert store.create(key, b"x" * number)
    found = list(store.list())
    assert [item.key for item in found] == sorted(keys, key=str.encode)
    assert {item.key: item.size for item in found} == {key: number for number, key in enumerate(keys)}
    assert [item.key for item in store.list("runs/a")] == ["runs/a-b/x", "runs/a.txt", "runs/a/x"]
    assert [item.key for item in store.list("runs/a/")] == ["runs/a/x"]
    assert list(store.list("nothing/")) == []
    assert store.children() == ("run", "runs", "z")
    assert store.children("runs") == ("B", "a", "a-b", "a.txt", "ä")
    assert store.children("z/") == ("1", "10", "2")
    assert store.children("nothing") == store.children("run") == ()


def test_listing_goes_on_past_a_page_of_a_thousand(store: Store) -> None:
    folder = store_world.disk(store) / "many"
    folder.mkdir(parents=True)
    for number in range(1005):
        (folder / f"{number:04}").touch()
    assert [item.key for item in store.list("many/")] == [f"many/{number:04}" for number in range(1005)]


def test_what_is_deleted_leaves_no_empty_folder_behind(store: Store) -> None:
    store.write("a/b/c", b"")
    store.write("a/d", b"")
    store.delete("a/b/c")
    assert store.children("a") == ("d",)
    store.delete("a/d")
    store.delete("a/d")
    assert store.children() == () and list(store.list()) == []
    store.write("a", b"now a file")


def test_a_key_cannot_be_file_and_folder(store: Store) -> None:
    store.write("a/b", b"")
    with pytest.raises(Blocked, match="choose another key"):
        store.write("a", b"")
    with pytest.raises(Blocked):
        store.create("a/b/c", b"")
    assert store.read("a/b") == b""


def test_keys_that_one_side_cannot_hold_are_refused_by_both(store: Store) -> None:
    for key, reason in BAD_KEYS.items():
        for use in (store.read, store.version, store.exists, store.delete, lambda key: store.write(key, b"")):
            with pytest.raises(UserError, match=reason) as caught:
                use(key)
            assert "\n" not in str(caught.value)


def test_listing_out_of_the_store_is_refused(store: Store) -> None:
    for use in (lambda: list(store.list("../x")), lambda: store.children("..")):
        with pytest.raises(UserError, match=r"parts \. or \.\."):
            use()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(key=st.text(max_size=30))
def test_whatever_passes_as_a_key_round_trips(store: Store, key: str) -> None:
    try:
        check_key(key)
    except UserError:
        return
    store.write(key, key.encode())
    assert store.read(key) == key.encode()
    assert [item.key for item in store.list(key)] == [key]
    store.delete(key)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_one_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="Permission denied"):
        open_store(str(tmp_path / "store")).write("a", b"")
