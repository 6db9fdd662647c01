from __future__ import annotations

import signal
from pathlib import Path

import pytest
from search_world import begin, numbers, opened, process, searching, worked


def by_slot(folder: Path, trials: int, method: str) -> list[tuple[object, object]]:
    study = opened(folder, searching(trials=trials, method=method))
    return sorted((sorted(one.parameters.items()), one.value) for one in study.ranked())


@pytest.mark.parametrize(("method", "event", "after"), [("random", "told", 3), ("tpe", "asked", 12)])
def test_a_killed_search_resumes_without_losing_a_finished_trial_and_ends_as_if_it_had_not_been(
    tmp_path: Path, method: str, event: str, after: int
) -> None:
    search = searching(trials=16, method=method)
    started = process(tmp_path / "killed", search)
    begin(started)
    assert started.stdout is not None
    seen = ""
    while len(numbers(seen, event)) < after:
        seen += started.stdout.readline()
    started.send_signal(signal.SIGKILL)
    seen += started.communicate()[0]
    assert started.returncode == -signal.SIGKILL
    study = opened(tmp_path / "killed", search)
    study.abandon()
    kept = {one.number for one in study.ranked()}
    assert kept >= set(numbers(seen, "told"))
    assert kept.isdisjoint(worked(study))
    worked(opened(tmp_path / "whole", search))
    assert by_slot(tmp_path / "killed", 16, method) == by_slot(tmp_path / "whole", 16, method)


def test_two_processes_share_a_study_and_never_take_the_same_trial(tmp_path: Path) -> None:
    search = searching(trials=15, parallel=2)
    both = [process(tmp_path, search) for _ in range(2)]
    for started in both:
        begin(started)
    outputs = [started.communicate()[0] for started in both]
    assert [started.returncode for started in both] == [0, 0]
    asked = [number for output in outputs for number in numbers(output, "asked")]
    assert len(asked) == len(set(asked)) == 15, "every trial once, and no more than the file says"
    study = opened(tmp_path, search)
    assert sorted(one.number for one in study.ranked()) == sorted(asked)
    assert len({str(one.parameters) for one in study.ranked()}) == 15
