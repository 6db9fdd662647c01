from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from search_world import PREFIX

from aiga.errors import AigaError
from aiga.search.journal import StoreJournal
from aiga.store import Item, Missing, Store, open_store


class Counting:
    """A store in memory that counts what is asked of it."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.reads: list[str] = []
        self.listings = 0

    def read(self, key: str) -> bytes:
        self.reads.append(key)
        if key not in self.objects:
            raise Missing(key)
        return self.objects[key]

    def create(self, key: str, data: bytes) -> bool:
        return self.objects.setdefault(key, data) is data

    def list(self, prefix: str = "") -> Iterator[Item]:
        self.listings += 1
        return iter([Item(key, len(data)) for key, data in sorted(self.objects.items()) if key.startswith(prefix)])


def journal(store: Any) -> StoreJournal:
    return StoreJournal(store, PREFIX)


def said(entries: Any) -> list[Any]:
    return [entry["n"] for entry in entries]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), max_size=12))
@settings(deadline=None)
def test_all_readers_see_every_entry_in_one_order_whoever_wrote_it(writes: list[tuple[int, int]]) -> None:
    store = Counting()
    writers = [journal(store) for _ in range(3)]
    seen: list[list[Any]] = [[], [], []]
    expected: list[Any] = []
    for turn, (who, many) in enumerate(writes):
        entries = [{"n": [turn, part]} for part in range(many)]
        writers[who].append_logs(entries)
        expected += said(entries)
        seen[who] += said(writers[who].read_logs(len(seen[who])))
        assert seen[who] == expected
    assert said(journal(store).read_logs(0)) == expected
    for start in range(len(expected) + 1):
        assert said(journal(store).read_logs(start)) == expected[start:]


def test_entries_are_objects_numbered_from_one(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    journal(store).append_logs([{"n": 1}, {"n": 2}])
    keys = [item.key for item in store.list(PREFIX)]
    assert keys == [f"{PREFIX}/journal/000000001.json", f"{PREFIX}/journal/000000002.json"]


def test_later_reads_ask_for_the_new_numbers_only() -> None:
    store = Counting()
    journal(store).append_logs([{"n": number} for number in range(20)])
    reader = journal(store)
    assert said(reader.read_logs(0)) == list(range(20))
    store.reads.clear()
    journal(store).append_logs([{"n": 20}])
    assert said(reader.read_logs(20)) == [20]
    assert store.reads == [f"{PREFIX}/journal/{number:09d}.json" for number in (21, 22)]
    assert store.listings == 1


def test_writers_at_the_same_time_lose_no_entry(tmp_path: Path) -> None:
    store: Store = open_store(str(tmp_path))

    def write(who: int) -> None:
        own = journal(store)
        for number in range(25):
            own.append_logs([{"n": (who, number)}])

    threads = [threading.Thread(target=write, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries = [tuple(entry) for entry in said(journal(store).read_logs(0))]
    assert sorted(entries) == [(who, number) for who in range(4) for number in range(25)]
    for who in range(4):
        assert [number for writer, number in entries if writer == who] == list(range(25)), "each writer's own order"


def test_entries_of_two_writers_that_say_the_same_differ_in_bytes() -> None:
    store = Counting()
    journal(store).append_logs([{"n": 1}, {"n": 1}])
    first, second = store.objects.values()
    assert first != second, "the store could take the second for the first, sent again"


@pytest.mark.parametrize("damage", [b"", b'{"op_co', b"[1]"])
def test_a_damaged_entry_is_named(damage: bytes) -> None:
    store = Counting()
    journal(store).append_logs([{"n": 1}, {"n": 2}])
    store.objects[f"{PREFIX}/journal/000000002.json"] = damage
    with pytest.raises(AigaError, match=r"000000002\.json: must be"):
        list(journal(store).read_logs(0))
