"""A search as three commands over one journal, so that each can be a container: suggest, record, rank.

A round is one `suggest`, its trials side by side, and a `record` for each; `rank` follows the last round.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from aiga.errors import AigaError
from aiga.search.study import State, Study
from aiga.spec.graph import TRAIN
from aiga.spec.search import Search
from aiga.store import Store

STUDY = TRAIN
"""Name of the study of a prefix: that of the step, as `aiga run` calls it, which is the same search."""
RETRIES = 2
"""How often a trial is tried again whose container ended without a record."""


def opened(search: Search, store: Store, prefix: str, clock: Callable[[], float] = time.time) -> Study:
    """The study under a prefix."""
    return Study.open(search, STUDY, store, prefix, clock)


def suggest(
    search: Search, store: Store, prefix: str, count: int, clock: Callable[[], float] = time.time
) -> list[dict[str, Any]]:
    """The next round, at most `count` trials, as `{number, slot, parameters}`: a JSON list for `withParam`.

    It is empty when the trials, the grid or the budget are used up. Trials of an earlier round that were never recorded
    are tried again first; so no trial may be running when this is called.
    """
    study = opened(search, store, prefix, clock)
    study.abandon(RETRIES)
    trials: list[dict[str, Any]] = []
    while len(trials) < count and (trial := study.ask()):
        trials.append({"number": trial.number, "slot": trial.slot, "parameters": trial.parameters})
    return trials


def record(
    search: Search,
    store: Store,
    prefix: str,
    number: int,
    value: float | None = None,
    *,
    state: State = "complete",
    reason: str = "",
    seconds: float | None = None,
    reports: Sequence[tuple[int, float]] = (),
) -> None:
    """A trial's result, with what it reported on the way as `(step, value)`. Recording again changes nothing."""
    study = opened(search, store, prefix)
    for step, reported in reports:
        study.report(number, step, reported)
    study.tell(number, value, state, reason, seconds)


def rank(search: Search, store: Store, prefix: str) -> list[dict[str, Any]]:
    """All finished trials from best to worst, with the keys of `Ranked`.

    Raises:
        AigaError: more trials failed than the file allows, or none completed.
    """
    study = opened(search, store, prefix)
    if failure := study.failure() or (None if study.best() else "no trial completed: there is no winner"):
        raise AigaError(f"train.search: {failure} (see the trials' logs)")
    return [asdict(trial) for trial in study.ranked()]
