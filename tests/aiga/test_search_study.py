from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any, cast

import pytest
from search_world import PREFIX, objective, opened, searching, worked

from aiga.errors import UserError
from aiga.search.study import Ranked, Study
from aiga.store import Store, open_store


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


class Dying:
    """A store whose process is killed after some writes."""

    def __init__(self, store: Store, writes: int) -> None:
        self._writes = writes
        self._store = store
        self.read, self.list = store.read, store.list

    def create(self, key: str, data: bytes) -> bool:
        if not self._writes:
            raise Killed
        self._writes -= 1
        return self._store.create(key, data)


def told(study: Study) -> list[tuple[int, dict[str, Any]]]:
    return sorted((one.number, one.parameters) for one in study.ranked())


@pytest.mark.parametrize("method", ["random", "tpe"])
def test_the_same_seed_suggests_the_same_parameters(tmp_path: Path, method: str) -> None:
    studies = [opened(tmp_path / str(n), searching(method=method, trials=14, seed=3)) for n in range(2)]
    other = opened(tmp_path / "other", searching(method=method, trials=14, seed=4))
    for study in (*studies, other):
        worked(study)
    assert told(studies[0]) == told(studies[1])
    assert told(studies[0]) != told(other)


@pytest.mark.parametrize("method", ["random", "tpe"])
def test_a_study_opened_anew_for_every_trial_suggests_as_one_that_stays_open(tmp_path: Path, method: str) -> None:
    search = searching(method=method, trials=13)
    worked(opened(tmp_path / "open", search))
    while trial := opened(tmp_path / "anew", search).ask():
        opened(tmp_path / "anew", search).tell(trial.number, objective(trial.parameters))
    assert told(opened(tmp_path / "anew", search)) == told(opened(tmp_path / "open", search))


def test_tpe_comes_nearer_than_random_search(tmp_path: Path) -> None:
    values = {}
    for method in ("random", "tpe"):
        study = opened(tmp_path / method, searching(method=method, trials=40))
        worked(study)
        late = [one.value for one in study.ranked() if one.number >= 20 and one.value is not None]
        values[method] = sum(late) / len(late)
    assert values["tpe"] > values["random"]


def test_a_finished_study_asks_nothing_when_it_is_opened_again(tmp_path: Path) -> None:
    assert worked(opened(tmp_path, searching())) == list(range(6))
    again = opened(tmp_path, searching())
    assert again.abandon() == []
    assert worked(again) == []
    assert len(again.ranked()) == 6


def test_more_trials_go_on_where_a_finished_study_ended(tmp_path: Path) -> None:
    worked(opened(tmp_path / "a", searching(trials=4)))
    assert worked(opened(tmp_path / "a", searching(trials=7))) == [4, 5, 6]
    worked(opened(tmp_path / "b", searching(trials=7)))
    assert told(opened(tmp_path / "a", searching(trials=7))) == told(opened(tmp_path / "b", searching(trials=7)))


def test_a_grid_is_tried_once_and_ends_before_the_trials_do(tmp_path: Path) -> None:
    search = searching(method="grid", trials=100, space={"rate": {"choice": [0.0002, 0.0003]}, "n": {"int": [1, 3]}})
    study = opened(tmp_path, search)
    found = []
    while trial := study.ask():
        found.append((trial.parameters["rate"], trial.parameters["n"]))
        study.tell(trial.number, 0.5)
    assert found == [(rate, n) for rate in (0.0002, 0.0003) for n in (1, 2, 3)]


@pytest.mark.parametrize(("goal", "best"), [("max", 1), ("min", 2)])
def test_trials_rank_by_the_goal_then_pruned_then_failed(tmp_path: Path, goal: str, best: int) -> None:
    study = opened(tmp_path, searching(objective={"metric": "m", "goal": goal}, max_failures=5))
    for value in (0.5, 0.9, 0.1, None):
        trial = study.ask()
        assert trial
        study.tell(trial.number, value, state="complete" if value else "failed", reason="" if value else "exit 1")
    pruned = study.ask()
    assert pruned
    study.report(pruned.number, 1, 0.99)
    study.tell(pruned.number, state="pruned", reason="hopeless")
    ranked = study.ranked()
    expected = [1, 0, 2] if goal == "max" else [2, 0, 1]
    assert [one.number for one in ranked] == [*expected, 4, 3]
    assert [one.rank for one in ranked] == [1, 2, 3, 4, 5]
    assert [one.state for one in ranked] == ["complete"] * 3 + ["pruned", "failed"]
    assert (ranked[3].value, ranked[3].reason, ranked[4].reason) == (0.99, "hopeless", "exit 1")
    winner = study.best()
    assert winner and winner.number == best


def test_equal_values_rank_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    study = opened(tmp_path, searching())
    numbers = [trial.number for _ in range(3) if (trial := study.ask())]
    for number in reversed(numbers):
        study.tell(number, 0.5)
    assert [one.number for one in study.ranked()] == numbers


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None])
def test_an_objective_that_is_no_number_is_a_failed_trial(tmp_path: Path, value: float | None) -> None:
    study = opened(tmp_path, searching(max_failures=1))
    trial = study.ask()
    assert trial
    study.tell(trial.number, value)
    (only,) = study.ranked()
    assert (only.state, only.value) == ("failed", None)
    assert only.reason == f"accuracy must be a finite number, got {value}"
    assert study.best() is None
    assert study.ask(), "one failure is allowed"


def test_a_search_ends_when_more_trials_failed_than_may(tmp_path: Path) -> None:
    study = opened(tmp_path, searching(max_failures=1))
    for _ in range(2):
        assert study.failure() is None
        trial = study.ask()
        assert trial
        study.tell(trial.number, state="failed", reason="exit 3")
    assert study.ask() is None
    assert study.failure() == "2 trials failed, more than maxFailures 1; the last, trial 1: exit 3"


def test_what_was_told_first_stays(tmp_path: Path) -> None:
    study = opened(tmp_path, searching())
    trial = study.ask()
    assert trial
    study.tell(trial.number, 0.7, seconds=12.5)
    study.tell(trial.number, 0.1, reason="late", seconds=1)
    opened(tmp_path, searching()).tell(trial.number, state="failed", reason="later")
    assert study.ranked() == [Ranked(1, 0, trial.parameters, 0.7, "complete", 12.5, "")]
    assert study.report(trial.number, 9, 0.1), "who still works on a finished trial is told to stop"


def test_a_trial_that_was_never_asked_for_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="trial 7: must be one of the study train, which has 0"):
        opened(tmp_path, searching()).tell(7, 0.5)


def test_median_pruning_stops_what_is_worse_than_the_median(tmp_path: Path) -> None:
    study = opened(tmp_path, searching(prune={"method": "median", "startup": 3, "warmup": 1}))
    for level in (0.5, 0.6, 0.7):
        trial = study.ask()
        assert trial
        assert not any(study.report(trial.number, step, level) for step in (0, 1, 2)), "too early to judge"
        study.tell(trial.number, level)
    worse, better = study.ask(), study.ask()
    assert worse and better
    assert [study.report(worse.number, step, 0.1) for step in (0, 1)] == [False, True], "warm-up, then hopeless"
    assert not any(study.report(better.number, step, 0.9) for step in (0, 1, 2))


def test_asha_lets_one_of_so_many_go_on_at_each_rung(tmp_path: Path) -> None:
    study = opened(tmp_path, searching(trials=9, prune={"method": "asha", "reduction": 3}))
    going = [trial.number for _ in range(9) if (trial := study.ask())]
    # From best to worst, so that each rung knows the best when the others come.
    for step in (1, 2, 3, 4, 9):
        going = [number for number in going if not study.report(number, step, 1 - number / 10)]
    assert 1 <= len(going) <= 3
    assert going[0] == 0


def test_no_trial_is_pruned_without_pruning(tmp_path: Path) -> None:
    study = opened(tmp_path, searching())
    trial = study.ask()
    assert trial
    assert not any(study.report(trial.number, step, -1e9 * step) for step in range(5))


def test_no_trial_begins_after_the_budget(tmp_path: Path) -> None:
    offset = 0.0

    def clock() -> float:
        return time.time() + offset

    study = opened(tmp_path, searching(budget="1h"), clock=clock)
    offset = 7200
    assert study.ask(), "the budget begins with the first trial"
    assert study.ask() is None
    offset = 0
    assert study.ask()


def test_abandoned_trials_are_asked_anew_with_the_same_parameters(tmp_path: Path) -> None:
    study = opened(tmp_path, searching(trials=4))
    first, lost, other = study.ask(), study.ask(), study.ask()
    assert first and lost and other
    study.tell(first.number, 0.5)
    resumed = opened(tmp_path, searching(trials=4))
    assert resumed.abandon() == [lost.number, other.number]
    again = [trial for _ in range(9) if (trial := resumed.ask())]
    assert [(trial.slot, trial.parameters) for trial in again[:2]] == [(1, lost.parameters), (2, other.parameters)]
    assert [trial.slot for trial in again] == [1, 2, 3], "four trials in all, none lost and none more"
    assert {trial.number for trial in again}.isdisjoint({first.number, lost.number, other.number})
    for trial in again:
        resumed.tell(trial.number, 0.1)
    assert [one.state for one in resumed.ranked()] == ["complete"] * 4, "the abandoned ones stand for nothing"
    assert resumed.failure() is None


def test_fewer_trials_drop_the_retries_beyond_them(tmp_path: Path) -> None:
    study = opened(tmp_path, searching(trials=4))
    numbers = [trial.number for _ in range(4) if (trial := study.ask())]
    study.tell(numbers[0], 0.5)
    fewer = opened(tmp_path, searching(trials=2))
    fewer.abandon()
    again = [trial for _ in range(9) if (trial := fewer.ask())]
    assert [trial.slot for trial in again] == [1]
    assert [one.number for one in fewer.ranked()] == [numbers[0]], "dropped trials have not failed"


@pytest.mark.parametrize("writes", range(8))
def test_a_kill_while_giving_up_loses_no_trial_and_repeats_none(tmp_path: Path, writes: int) -> None:
    search, store = searching(trials=3), open_store(str(tmp_path))
    lost = opened(tmp_path, search).ask()
    assert lost
    with contextlib.suppress(Killed):
        Study.open(search, "train", cast("Store", Dying(store, writes)), PREFIX).abandon()
    resumed = opened(tmp_path, search)
    resumed.abandon()
    again = [trial for _ in range(9) if (trial := resumed.ask())]
    assert [trial.slot for trial in again] == [0, 1, 2]
    assert again[0].parameters == lost.parameters


@pytest.mark.parametrize("writes", range(10))
def test_a_kill_while_asking_changes_no_suggestion(tmp_path: Path, writes: int) -> None:
    search, store = searching(method="tpe", trials=2), open_store(str(tmp_path / "killed"))
    with contextlib.suppress(Killed):
        Study.open(search, "train", cast("Store", Dying(store, writes)), PREFIX).ask()
    resumed = opened(tmp_path / "killed", search)
    resumed.abandon()
    whole = opened(tmp_path / "whole", search)
    worked(resumed)
    worked(whole)
    assert [one.parameters for one in resumed.ranked()] == [one.parameters for one in whole.ranked()]


def test_a_trial_that_nobody_finishes_fails_after_its_tries(tmp_path: Path) -> None:
    study = opened(tmp_path, searching(trials=1))
    for _ in range(3):
        assert study.ask()
        study.abandon(limit=2)
    assert study.ask() is None
    (only,) = study.ranked()
    assert (only.state, only.reason) == ("failed", "left without a result 3 times")


@pytest.mark.parametrize(
    "change", [{"seed": 9}, {"objective": {"metric": "loss"}}, {"space": {"depth": {"int": [1, 2]}}}]
)
def test_a_study_does_not_go_on_as_another_search(tmp_path: Path, change: dict[str, Any]) -> None:
    opened(tmp_path, searching())
    with pytest.raises(UserError, match=f"train.search: {next(iter(change))} must be as when the study train"):
        opened(tmp_path, searching(**change))


def test_forgiven_trials_are_tried_again_in_their_slots_and_count_no_more(tmp_path: Path) -> None:
    search = searching(trials=4)
    study = opened(tmp_path, search)
    good, bad = study.ask(), study.ask()
    assert good and bad
    study.tell(good.number, 0.5)
    study.tell(bad.number, state="failed", reason="the disk was full")
    assert study.failure() and study.ask() is None
    resumed = opened(tmp_path, search)
    resumed.forgive()
    assert resumed.failure() is None
    again = resumed.ask()
    assert again and (again.slot, again.parameters) == (bad.slot, bad.parameters)
    resumed.tell(again.number, 0.7)
    worked(resumed)
    ranked = resumed.ranked()
    assert sorted(one.number for one in ranked) == [0, 2, 3, 4]
    assert {one.state for one in ranked} == {"complete"}
    resumed.forgive()
    assert resumed.ask() is None, "what was forgiven and then went well is not tried again"
