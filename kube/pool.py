"""The same call on many objects at once, stopping at the first failure."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

WORKERS = 8


def each(call: Callable[[Item], Result], items: Iterable[Item], workers: int = WORKERS) -> list[Result]:
    """The results in the order of the items; what has not begun when one call fails is not begun."""
    todo = list(items)
    if len(todo) < 2:
        return [call(item) for item in todo]
    stop = threading.Event()

    def guarded(item: Item) -> Result | None:
        return None if stop.is_set() else call(item)

    with ThreadPoolExecutor(max_workers=min(workers, len(todo))) as pool:
        futures = [pool.submit(guarded, item) for item in todo]
        done, _ = wait(futures, return_when=FIRST_EXCEPTION)
        if any(future.exception() for future in done):
            stop.set()
        return [future.result() for future in futures]  # type: ignore[misc]
