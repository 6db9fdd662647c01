"""One search over its journal: suggestions are asked for, reports and results told, and trials ranked.

Every process that opens the same prefix of the same store works on the same study; nothing else is shared.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import RLock
from typing import Literal

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import JournalStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from aiga.errors import UserError
from aiga.search.journal import StoreJournal
from aiga.search.sampler import SLOT, SlotSampler, pruner, slot_of
from aiga.search.space import distributions, typed
from aiga.spec.base import Scalar, plain, seconds
from aiga.spec.search import Search
from aiga.store import Store

State = Literal["complete", "pruned", "failed"]

_FINISHED: dict[TrialState, State] = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}
_SEARCH, _REASON, _SECONDS, _RETRY, _VOID = "search", "reason", "seconds", "retry_of", "void"
"""Attributes in the journal. A trial is void that is surplus, or given up; so is one that another is a retry of."""


@dataclass(frozen=True)
class Trial:
    """One set of parameters to be tried."""

    number: int
    """Its number in the study, from 0; no two trials share one."""
    parameters: dict[str, Scalar]
    slot: int
    """Its place among the suggestions: a trial that is tried again has a new number and its old slot."""


@dataclass(frozen=True)
class Ranked:
    """One finished trial among the others."""

    rank: int
    """1 for the best."""
    number: int
    parameters: dict[str, Scalar]
    value: float | None
    """The objective: of a pruned trial the last that was reported, of a failed one None."""
    state: State
    seconds: float | None
    """Between asking and telling, unless the teller measured it."""
    reason: str
    """Why it failed or was pruned; empty for a complete one."""


class Study:
    """A search that goes on. Safe to use from several threads and processes."""

    def __init__(self, search: Search, study: optuna.Study, storage: JournalStorage, clock: Callable[[], float]):
        self._search = search
        self._study = study
        self._storage = storage
        self._clock = clock
        self._lock = RLock()
        self._distributions = distributions(search.space)

    @classmethod
    def open(
        cls, search: Search, name: str, store: Store, prefix: str, clock: Callable[[], float] = time.time
    ) -> Study:
        """Make the study `name` under `prefix`, or go on with it.

        Raises:
            UserError: its space is no grid where one is asked for, or the study there is of another search.
        """
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = SlotSampler(search)
        storage = JournalStorage(StoreJournal(store, prefix))
        study = optuna.create_study(
            study_name=name,
            storage=storage,
            sampler=sampler,
            pruner=pruner(search.prune),
            direction="maximize" if search.objective.goal == "max" else "minimize",
            load_if_exists=True,
        )
        identity = _identity(search)
        known = study.user_attrs.get(_SEARCH)
        if known is None:
            study.set_user_attr(_SEARCH, identity)
        elif changed := sorted(key for key in identity if known.get(key) != identity[key]):
            raise UserError(
                f"train.search: {', '.join(changed)} must be as when the study {name} under {prefix} began "
                "(put them back, or begin a new run)"
            )
        return cls(search, study, storage, clock)

    def ask(self) -> Trial | None:
        """The next trial; None when all trials or the grid are used up, too many failed, or the budget is spent."""
        with self._lock:
            trials = self._trials()
            waiting = any(trial.state == TrialState.WAITING for trial in trials)
            if (self._taken(trials) >= self.limit and not waiting) or self._spent(trials) or self.failure():
                return None
            asked = self._study.ask(self._distributions)
            trials = self._trials()
            slot = slot_of(trials[asked.number], trials)
            if slot >= self.limit:  # others asked at the same time
                asked.set_user_attr(_VOID, True)
                self._study.tell(asked, state=TrialState.FAIL)
                return self.ask()
            return Trial(asked.number, typed(self._search.space, asked.params), slot)

    def report(self, number: int, step: int, value: float) -> bool:
        """Note the objective after `step`; True: stop this trial, and tell it as pruned."""
        with self._lock:
            trial_id = self._id(number)
            try:
                self._storage.set_trial_intermediate_value(trial_id, step, float(value))
            except UpdateFinishedTrialError:
                return True
            trial = self._storage.get_trial(trial_id)
            pruning = self._search.prune
            if pruning is None or len(trial.intermediate_values) <= pruning.warmup:
                return False
            return self._study.pruner.prune(self._study, trial)

    def tell(
        self,
        number: int,
        value: float | None = None,
        state: State = "complete",
        reason: str = "",
        seconds: float | None = None,
    ) -> None:
        """Finish a trial. What was told first stays: telling again changes nothing.

        A complete trial whose value is no finite number has failed.
        """
        if state == "complete" and (value is None or not math.isfinite(value)):
            state, reason = "failed", reason or f"{self._search.objective.metric} must be a finite number, got {value}"
        with self._lock:
            trial_id = self._id(number)
            try:
                if reason:
                    self._storage.set_trial_user_attr(trial_id, _REASON, reason)
                if seconds is not None:
                    self._storage.set_trial_user_attr(trial_id, _SECONDS, seconds)
                self._study.tell(
                    number,
                    value if state == "complete" else None,
                    state=next(key for key, name in _FINISHED.items() if name == state),
                    skip_if_finished=True,
                )
            except UpdateFinishedTrialError:
                return

    def abandon(self, limit: int | None = None) -> list[int]:
        """Give up trials left running by a killed run; they are asked for again with the same parameters.

        Only for when nobody works on them any more. With `limit`, a slot that was given up so often before counts as
        failed. Returns the numbers that were given up.
        """
        with self._lock:
            trials = self._trials()
            retried = {trial.user_attrs.get(_RETRY) for trial in trials}
            left = [trial for trial in trials if trial.state == TrialState.RUNNING]
            for trial in left:
                slot = slot_of(trial, trials)
                tries = sum(1 for other in trials if _RETRY in other.user_attrs and slot_of(other, trials) == slot)
                if limit is not None and tries >= limit:
                    self.tell(trial.number, state="failed", reason=f"left without a result {tries + 1} times")
                    continue
                if trial.number not in retried:
                    self._again(trial, slot)
                self._storage.set_trial_user_attr(self._id(trial.number), _VOID, True)
                self.tell(trial.number, state="failed", reason="abandoned")
            return [trial.number for trial in left]

    def forgive(self) -> None:
        """Let failed trials be tried again with the same parameters, as if they had not been."""
        with self._lock:
            trials = self._trials()
            for trial in _failed(trials):
                self._again(trial, slot_of(trial, trials))

    def _again(self, trial: FrozenTrial, slot: int) -> None:
        whole = trial.params if trial.params.keys() == self._distributions.keys() else {}
        self._study.enqueue_trial(whole, user_attrs={SLOT: slot, _RETRY: trial.number})

    def ranked(self) -> list[Ranked]:
        """Finished trials: complete ones from best to worst, then pruned, then failed; equals by their number."""
        order = list(_FINISHED.values())
        sign = -1 if self._study.direction == StudyDirection.MAXIMIZE else 1
        finished = [trial for trial in _standing(self._trials()) if trial.state in _FINISHED]

        def place(trial: FrozenTrial) -> tuple[int, float, int]:
            value = math.inf if trial.value is None else sign * trial.value
            return order.index(_FINISHED[trial.state]), value, trial.number

        return [
            Ranked(
                rank=rank,
                number=trial.number,
                parameters=typed(self._search.space, trial.params)
                if trial.params.keys() == self._distributions.keys()
                else {},
                value=trial.value,
                state=_FINISHED[trial.state],
                seconds=trial.user_attrs.get(_SECONDS, trial.duration and trial.duration.total_seconds()),
                reason=trial.user_attrs.get(_REASON, ""),
            )
            for rank, trial in enumerate(sorted(finished, key=place), 1)
        ]

    def best(self) -> Ranked | None:
        """The best complete trial; None when there is none."""
        return next((trial for trial in self.ranked() if trial.state == "complete"), None)

    def failure(self) -> str | None:
        """Why the search as a whole has failed, in a sentence; None while no more trials failed than may."""
        failed = _failed(self._trials())
        if len(failed) <= self._search.max_failures:
            return None
        last = failed[-1]
        return (
            f"{len(failed)} trials failed, more than maxFailures {self._search.max_failures}; "
            f"the last, trial {last.number}: {last.user_attrs.get(_REASON, 'no reason told')}"
        )

    @property
    def limit(self) -> int:
        """How many trials there are to be: as the file says, or the size of the grid where that is less."""
        grid = self._study.sampler.grid if isinstance(self._study.sampler, SlotSampler) else None
        return min(self._search.trials, grid.size) if grid else self._search.trials

    def _trials(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False)

    def _taken(self, trials: list[FrozenTrial]) -> int:
        return sum(1 for trial in trials if SLOT not in trial.user_attrs)

    def _spent(self, trials: list[FrozenTrial]) -> bool:
        begun = [trial.datetime_start for trial in trials if trial.datetime_start]
        if self._search.budget is None or not begun:
            return False
        return self._clock() - min(begun).timestamp() > seconds(self._search.budget)

    def _id(self, number: int) -> int:
        study_id = self._storage.get_study_id_from_name(self._study.study_name)
        try:
            return self._storage.get_trial_id_from_study_id_trial_number(study_id, number)
        except KeyError as error:
            raise UserError(
                f"trial {number}: must be one of the study {self._study.study_name}, which has {len(self._trials())} "
                "(ask for a trial first)"
            ) from error


def _standing(trials: list[FrozenTrial]) -> list[FrozenTrial]:
    """Those that are not void."""
    retried = {trial.user_attrs.get(_RETRY) for trial in trials}
    return [trial for trial in trials if _VOID not in trial.user_attrs and trial.number not in retried]


def _failed(trials: list[FrozenTrial]) -> list[FrozenTrial]:
    return [trial for trial in _standing(trials) if trial.state == TrialState.FAIL]


def _identity(search: Search) -> dict[str, object]:
    """What may not change while a study goes on; trials and budget may, but for a grid, which is shuffled by them."""
    keys = ["method", "space", "objective", "seed", *(["trials"] if search.method == "grid" else [])]
    return {key: value for key, value in plain(search).items() if key in keys}
