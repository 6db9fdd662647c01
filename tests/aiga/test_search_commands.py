from __future__ import annotations

import json
from pathlib import Path

import pytest
from search_world import PREFIX, objective, searching

from aiga.errors import AigaError
from aiga.search.commands import rank, record, suggest
from aiga.store import open_store


def test_rounds_of_suggest_and_record_end_in_a_ranking(tmp_path: Path) -> None:
    search, store = searching(trials=7, parallel=3, method="tpe"), open_store(str(tmp_path))
    rounds = []
    while trials := json.loads(json.dumps(suggest(search, store, PREFIX, 3))):
        rounds.append(len(trials))
        for trial in trials:
            record(search, store, PREFIX, trial["number"], objective(trial["parameters"]), seconds=2.0)
    assert rounds == [3, 3, 1]
    ranked = json.loads(json.dumps(rank(search, store, PREFIX)))
    assert [trial["rank"] for trial in ranked] == list(range(1, 8))
    values = [trial["value"] for trial in ranked]
    assert values == sorted(values, reverse=True)
    assert ranked[0]["value"] == objective(ranked[0]["parameters"])
    assert {trial["seconds"] for trial in ranked} == {2.0}


def test_a_round_repeats_what_an_earlier_one_did_not_record(tmp_path: Path) -> None:
    search, store = searching(trials=4), open_store(str(tmp_path))
    kept, lost = suggest(search, store, PREFIX, 2)
    record(search, store, PREFIX, kept["number"], 0.5)
    again, new = suggest(search, store, PREFIX, 2)
    assert (again["slot"], again["parameters"]) == (lost["slot"], lost["parameters"])
    assert new["slot"] == 2


def test_reports_of_a_trial_are_kept_for_the_pruning_of_later_rounds(tmp_path: Path) -> None:
    search = searching(prune={"method": "median", "startup": 1, "warmup": 0})
    store = open_store(str(tmp_path))
    (good,) = suggest(search, store, PREFIX, 1)
    record(search, store, PREFIX, good["number"], 0.9, reports=[(1, 0.8), (2, 0.9)])
    (bad,) = suggest(search, store, PREFIX, 1)
    record(search, store, PREFIX, bad["number"], state="pruned", reports=[(1, 0.1)])
    assert [(trial["state"], trial["value"]) for trial in rank(search, store, PREFIX)] == [
        ("complete", 0.9),
        ("pruned", 0.1),
    ]


def test_recording_again_changes_nothing(tmp_path: Path) -> None:
    search, store = searching(), open_store(str(tmp_path))
    (trial,) = suggest(search, store, PREFIX, 1)
    for value in (0.5, 0.6):
        record(search, store, PREFIX, trial["number"], value, reports=[(1, value)])
    assert [one["value"] for one in rank(search, store, PREFIX)] == [0.5]


def test_nothing_is_suggested_after_the_budget(tmp_path: Path) -> None:
    search, store = searching(budget="10m"), open_store(str(tmp_path))
    assert suggest(search, store, PREFIX, 1)
    assert suggest(search, store, PREFIX, 1, clock=lambda: 4e9) == []


@pytest.mark.parametrize(
    ("failures", "reason"),
    [(0, "1 trials failed, more than maxFailures 0; the last, trial 0: exit 2"), (1, "no trial completed")],
)
def test_a_search_without_a_winner_is_not_ranked(tmp_path: Path, failures: int, reason: str) -> None:
    search, store = searching(max_failures=failures), open_store(str(tmp_path))
    (trial,) = suggest(search, store, PREFIX, 1)
    record(search, store, PREFIX, trial["number"], state="failed", reason="exit 2")
    with pytest.raises(AigaError, match=reason):
        rank(search, store, PREFIX)
