"""Parameters that are given for one run."""

from __future__ import annotations

import pytest
from spec_world import SOURCE, project

from aiga.errors import UserError
from aiga.spec import Project
from aiga.spec.parameters import override

TEXT = (
    SOURCE
    + """\
etl:
  - {name: clean, run: a:b, parameters: {drop: true, rate: 0.5, words: a, count: 3}}
  - {name: split, run: a:b, parameters: {rate: 0.5}}
train:
  run: a:b
  out: [model]
  parameters: {epochs: 3, lr: 0.1}
  search:
    objective: {metric: acc}
    space: {lr: {log: [1e-4, 0.1]}, depth: {int: [1, 9]}, kind: {choice: [relu, tanh]}, mixed: {choice: [1, true, a]}}
"""
)


@pytest.fixture(scope="module")
def plan() -> Project:
    return project(TEXT)


@pytest.mark.parametrize(
    ("assignment", "step", "name", "value"),
    [
        ("drop=false", "clean", "drop", False),
        ("clean.rate=1", "clean", "rate", 1.0),
        ("split.rate=1e-3", "split", "rate", 0.001),
        ("words=1", "clean", "words", "1"),
        ("words=a=b", "clean", "words", "a=b"),
        ("words=", "clean", "words", ""),
        ("count=-4", "clean", "count", -4),
        ("epochs=5", "train", "epochs", 5),
        ("lr=1", "train", "lr", 1.0),
        ("train.depth=20", "train", "depth", 20),
        ("kind=gelu", "train", "kind", "gelu"),
        ("mixed=true", "train", "mixed", True),
        ("mixed=1", "train", "mixed", 1),
    ],
)
def test_a_value_has_the_type_that_the_file_declares(
    plan: Project, assignment: str, step: str, name: str, value: object
) -> None:
    found = override(plan, [assignment])
    steps = {**{step.name: step for step in found.etl}, "train": found.train}
    chosen = steps[step].parameters[name]
    assert chosen == value and type(chosen) is type(value)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("epoch=3", "-p epoch=3: no step has this parameter (did you mean epochs?)"),
        ("train.epoch=3", "(did you mean train.epochs?)"),
        ("rate=1", "more than one step has this parameter (write clean.rate or split.rate)"),
        ("drop=yes", "must be true or false, as in project.yaml"),
        ("epochs=3.5", "must be a whole number, as in project.yaml (write 1.0 there for any number)"),
        ("epochs=1_000", "must be a whole number"),
        ("lr=nan", "must be a number, as in project.yaml"),
        ("lr=1e999", "must be a number, as in project.yaml"),
        ("mixed=b", "must be one of the values in project.yaml, which are of several types (1, true, a)"),
        ("seed=-1", "must be a whole number of at least 0 (such as 1)"),
        ("epochs", "must be name=value or step.name=value"),
        ("=3", "must be name=value or step.name=value"),
    ],
)
def test_a_wrong_assignment_is_told_in_one_line(plan: Project, assignment: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        override(plan, [assignment])
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_all_wrong_assignments_are_told_at_once(plan: Project) -> None:
    with pytest.raises(UserError) as caught:
        override(plan, ["a=1", "epochs=2", "b=1"])
    assert len(str(caught.value).splitlines()) == 2


def test_a_fixed_parameter_is_not_searched_for_any_more(plan: Project) -> None:
    train = override(plan, ["lr=0.01", "depth=2"]).train
    assert train and train.search and set(train.search.space) == {"kind", "mixed"}
    assert train.parameters == {"epochs": 3, "lr": 0.01, "depth": 2}


def test_with_the_last_parameter_the_search_goes(plan: Project) -> None:
    train = override(plan, ["lr=1", "depth=2", "kind=relu", "mixed=a"]).train
    assert train and train.search is None


def test_the_seed_is_that_of_training(plan: Project) -> None:
    for assignment in ("seed=7", "train.seed=7"):
        train = override(plan, [assignment]).train
        assert train and train.seed == 7 and "seed" not in train.parameters and train.search


def test_the_last_of_two_wins_and_the_project_stays_as_it_was(plan: Project) -> None:
    before = plan.model_dump()
    train = override(plan, ["epochs=1", "epochs=2"]).train
    assert train and train.parameters["epochs"] == 2
    assert plan.model_dump() == before
    assert override(plan, []) == plan
