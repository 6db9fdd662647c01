"""Runs tasks as soon as what they need is done, side by side; one that fails stops only what depends on it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field


@dataclass
class Outcome:
    """How the tasks ended."""

    done: list[str] = field(default_factory=list)
    failed: dict[str, Exception] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    """Task to the failed one that it depends on."""


def run(
    needs: Mapping[str, Iterable[str]], do: Callable[[str], None], *, parallel: int, stop: threading.Event
) -> Outcome:
    """Does every task once, those it needs before it.

    Args:
        needs: task to the tasks that must be done first; every one is a key too, without cycles.
        do: does one task, in a thread of its own; raises when it failed.
        parallel: how many at the same time.
        stop: is set when the caller is interrupted, so that `do` ends.
    """
    waiting = {task: set(before) for task, before in needs.items()}
    outcome, running = Outcome(), dict[Future[None], str]()
    with ThreadPoolExecutor(max_workers=parallel, thread_name_prefix="step") as pool:
        try:
            while waiting or running:
                _skip(waiting, outcome)
                ready = [task for task, before in waiting.items() if before <= set(outcome.done)]
                for task in ready:
                    del waiting[task]
                    running[pool.submit(do, task)] = task
                if not running:
                    break
                for finished in wait(running, return_when=FIRST_COMPLETED).done:
                    _note(finished, running.pop(finished), outcome)
        except BaseException:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return outcome


def _skip(waiting: dict[str, set[str]], outcome: Outcome) -> None:
    changed = True
    while changed:
        lost = outcome.failed.keys() | outcome.skipped.keys()
        cut = {task: min(before & lost) for task, before in waiting.items() if before & lost}
        for task, cause in cut.items():
            outcome.skipped[task] = outcome.skipped.get(cause, cause)
            del waiting[task]
        changed = bool(cut)


def _note(finished: Future[None], task: str, outcome: Outcome) -> None:
    error = finished.exception()
    if error is None:
        outcome.done.append(task)
    elif isinstance(error, Exception):
        outcome.failed[task] = error
    else:
        raise error
