"""Optuna's journal in the store, one object an entry, so that containers can share a study with no database.

Entry n is `<prefix>/journal/<n, nine digits>.json`, numbered from 1 without gaps: it is made by the store's conditional
create, and who finds the number taken tries the next. Every reader therefore sees the same entries in the same order,
which is all that Optuna's replay needs to give each trial one number and each waiting trial one worker.
"""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from optuna.storages.journal import BaseJournalBackend

from aiga.errors import AigaError
from aiga.store import Missing, Store

READERS = 16
"""Entries that are read at the same time when a journal is opened."""


class StoreJournal(BaseJournalBackend):
    """Entries of one journal. What was read once is not asked for again."""

    def __init__(self, store: Store, prefix: str) -> None:
        self._store = store
        self._folder = f"{prefix.strip('/')}/journal/".lstrip("/")
        self._known = 0

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Entries after the first `log_number_from`: those there at the start at once, each later one by its number.

        Raises:
            AigaError: an entry is not what was written.
        """
        number = log_number_from
        if number == 0:
            for entry in self._opening():
                number += 1
                yield entry
        while True:
            try:
                data = self._store.read(self._key(number + 1))
            except Missing:
                return
            number += 1
            self._known = max(self._known, number)
            yield self._parsed(number, data)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        for log in logs:
            self._append(log)

    def _append(self, log: dict[str, Any]) -> None:
        # Its own id makes the entry unlike any other: so the store knows a create again whose answer was lost.
        data = json.dumps({**log, "id": uuid.uuid4().hex}, separators=(",", ":")).encode()
        for number in itertools.count(self._known + 1):
            if self._store.create(self._key(number), data):
                return
            self._known = max(self._known, number)

    def _opening(self) -> Iterable[dict[str, Any]]:
        there = sum(1 for _ in self._store.list(self._folder))
        with ThreadPoolExecutor(READERS) as readers:
            entries = list(readers.map(self._read, range(1, there + 1)))
        self._known = max(self._known, there)
        return entries

    def _read(self, number: int) -> dict[str, Any]:
        return self._parsed(number, self._store.read(self._key(number)))

    def _key(self, number: int) -> str:
        return f"{self._folder}{number:09d}.json"

    def _parsed(self, number: int, data: bytes) -> dict[str, Any]:
        try:
            entry = json.loads(data)
        except ValueError as error:
            raise AigaError(
                f"{self._key(number)}: must be JSON, got {data[:40]!r}: the store's object is damaged "
                "(restore it, or search again in a new run)"
            ) from error
        if not isinstance(entry, dict):
            raise AigaError(f"{self._key(number)}: must be a JSON object, got {data[:40]!r} (search in a new run)")
        return entry
