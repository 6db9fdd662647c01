"""The account of what was pretended: a file, so that every command can print it."""

from __future__ import annotations

import json
import threading
from collections import Counter
from pathlib import Path
from typing import Any

_FLUSH_EVERY = 0.2

CONDITIONS = "conditions"
ADDRESSES = "addresses"
VOLUMES = "volumes"
BUNDLES = "caBundles"
ANSWERS = "webhook answers"


class Ledger:
    """Which objects were touched, by what was done and by kind; and how many webhook calls were answered."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._objects: dict[tuple[str, str], set[tuple[str, str]]] = {}
        self._answers: Counter[str] = Counter(read(path).get(ANSWERS, {}))
        self._dirty = threading.Event()
        threading.Thread(target=self._flush, name="ledger", daemon=True).start()

    def add(self, what: str, kind: str, key: tuple[str, str]) -> None:
        """This object carries something pretended."""
        with self._lock:
            self._objects.setdefault((what, kind), set()).add(key)
        self._dirty.set()

    def drop(self, what: str, kind: str, key: tuple[str, str]) -> None:
        """It is gone, or carries it no longer."""
        with self._lock:
            self._objects.get((what, kind), set()).discard(key)
        self._dirty.set()

    def answered(self, webhook: str) -> None:
        """One more call answered in the place of this Service."""
        with self._lock:
            self._answers[webhook] += 1
        self._dirty.set()

    def _flush(self) -> None:
        while True:
            self._dirty.wait()
            self._dirty.clear()
            self._write()
            threading.Event().wait(_FLUSH_EVERY)

    def _write(self) -> None:
        with self._lock:
            account: dict[str, dict[str, int]] = {ANSWERS: dict(self._answers)}
            for (what, kind), keys in sorted(self._objects.items()):
                if keys:
                    account.setdefault(what, {})[kind] = len(keys)
        partial = self._path.with_suffix(".partial")
        try:
            partial.write_text(json.dumps(account, indent=1))
            partial.rename(self._path)
        except OSError:
            return  # the simulator is being taken down


def read(path: Path) -> dict[str, Any]:
    """The account as written, empty when there is none."""
    try:
        account = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return account if isinstance(account, dict) else {}


def lines(path: Path) -> list[str]:
    """The account for people, a line for each thing that was pretended."""
    account = read(path)
    told = {
        CONDITIONS: "status of custom resources, whose controllers do not run",
        ADDRESSES: "load-balancer addresses",
        VOLUMES: "volumes, with no disk behind them",
        BUNDLES: "CA bundles and rules filled into webhooks",
        ANSWERS: "webhook calls answered “allowed”",
    }
    return [f"{text}: {_sum(account[what])}" for what, text in told.items() if account.get(what)]


def _sum(counts: dict[str, int]) -> str:
    return ", ".join(f"{kind} {count}" for kind, count in sorted(counts.items()))
