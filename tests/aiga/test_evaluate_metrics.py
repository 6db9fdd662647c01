from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from evaluate_world import classified, predictions, regressed
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from aiga.errors import UserError
from aiga.evaluate.bootstrap import interval, statistic
from aiga.evaluate.metrics import COMPUTED, REGRESSION, compute
from aiga.evaluate.table import Predictions


def only(table: Predictions, name: str) -> float:
    return compute(table, [name])[name]


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("accuracy", 4 / 6),
        ("balanced_accuracy", (2 / 3 + 1 / 2 + 1) / 3),
        ("recall", (2 / 3 + 1 / 2 + 1) / 3),
        ("precision", (2 / 3 + 1 / 2 + 1) / 3),
        ("f1", (2 / 3 + 1 / 2 + 1) / 3),
    ],
)
def test_metrics_of_classes_by_hand(metric: str, value: float) -> None:
    table = predictions([*"aaabbc"], [*"aabbac"])
    assert only(table, metric) == pytest.approx(value)


@pytest.mark.parametrize(("metric", "value"), [("mae", 0.75), ("rmse", math.sqrt(3.5 / 4)), ("r2", 1 - 3.5 / 5)])
def test_metrics_of_numbers_by_hand(metric: str, value: float) -> None:
    table = predictions([1.0, 2.0, 3.0, 4.0], [1.0, 2.5, 4.5, 5.0])
    assert only(table, metric) == pytest.approx(value)


def test_the_recall_of_one_class_is_the_share_of_its_rows_that_are_right() -> None:
    assert only(predictions([8] * 4, [8, 8, 8, 3]), "recall") == 0.75


def test_scores_of_two_classes_may_be_one_column_or_two() -> None:
    expected, scores = ["no", "yes", "yes", "no"], np.array([0.1, 0.4, 0.8, 0.6])
    one = predictions(expected, ["no", "no", "yes", "yes"], score=scores)
    two = predictions(expected, ["no", "no", "yes", "yes"], score_no=1 - scores, score_yes=scores)
    found = compute(one, ["roc_auc", "log_loss"])
    assert found == pytest.approx(compute(two, ["roc_auc", "log_loss"]))
    assert found["roc_auc"] == pytest.approx(0.75)
    assert found["log_loss"] == pytest.approx(-np.log([0.9, 0.4, 0.8, 0.4]).mean())


def test_a_score_is_of_the_same_class_in_a_part_of_the_table() -> None:
    table = predictions(["a", "a", "b", "b"], ["a", "a", "b", "b"], score=[0.1, 0.2, 0.9, 0.8])
    assert only(table.take([0, 1]), "log_loss") == pytest.approx(-np.log([0.9, 0.8]).mean())


def test_many_classes_are_scored_as_scikit_learn_does() -> None:
    table = classified(300, 4, 0.6)
    matrix = np.column_stack([table.scores[str(one)] for one in range(4)])
    assert only(table, "roc_auc") == pytest.approx(sk.roc_auc_score(table.expected, matrix, multi_class="ovr"))
    assert only(table, "log_loss") == pytest.approx(sk.log_loss(table.expected, matrix))


@pytest.mark.parametrize(
    ("metric", "columns"), [("roc_auc", {"score": [0.2, 0.9]}), ("r2", {})], ids=["one class", "one row"]
)
def test_what_rows_do_not_define_is_nan(metric: str, columns: dict[str, Any]) -> None:
    rows = 2 if columns else 1
    assert math.isnan(only(predictions([1] * rows, [1] * rows, **columns), metric))


@pytest.mark.parametrize(
    ("table", "metric", "message"),
    [
        (predictions([0.5, 1.0], [0.5, 1.0]), "accuracy", "accuracy: compares classes, got expected 0.5 (use mae"),
        (predictions(["a"], ["b"]), "rmse", "rmse: needs numbers, got expected a"),
        (predictions([0, 1], [0, 1]), "roc_auc", "needs the column score or columns score_<class>, got neither"),
        (predictions([0, 1, 2], [0, 1, 2], score=[0.1] * 3), "roc_auc", "needs score_<class> for 3 classes"),
        (predictions([0, 1], [0, 1], score_0=[1.0, 0.0]), "log_loss", "of every expected class, got none of 1"),
        (predictions([0, 1], [0, 1], score=[-3.0, 2.0]), "log_loss", "needs scores that are probabilities"),
        (predictions([0, 1], [0, 1]), "auc", "auc: must be one of accuracy, balanced_accuracy"),
    ],
)
def test_a_metric_says_what_the_table_lacks(table: Predictions, metric: str, message: str) -> None:
    with pytest.raises(UserError) as refused:
        compute(table, [metric])
    assert message in str(refused.value)


def test_what_several_metrics_lack_is_told_at_once() -> None:
    with pytest.raises(UserError) as refused:
        compute(predictions(["a"], ["b"]), ["mae", "accuracy", "roc_auc"])
    assert [line.split(":")[0] for line in str(refused.value).splitlines()] == ["mae", "roc_auc"]


def _table(metric: str, rows: int, classes: int, seed: int) -> Predictions:
    return regressed(rows, 0.5, seed) if metric in REGRESSION else classified(rows, classes, 0.7, seed)


@given(st.sampled_from(COMPUTED), st.integers(2, 60), st.integers(2, 4), st.integers(0, 50), st.integers(0, 9))
@settings(deadline=None, max_examples=120)
def test_the_bootstrap_measures_drawn_rows_as_the_metric_measures_a_table_of_them(
    metric: str, rows: int, classes: int, seed: int, draw: int
) -> None:
    table = _table(metric, rows, classes, seed)
    drawn = np.random.default_rng(draw).integers(rows, size=rows)
    measured = statistic(table, metric)(np.bincount(drawn, minlength=rows))
    assert measured == pytest.approx(only(table.take(drawn), metric), nan_ok=True)


@pytest.mark.parametrize("metric", COMPUTED)
def test_a_model_beside_itself_differs_by_nothing(metric: str) -> None:
    table = _table(metric, 200, 3, 1)
    found = interval(table, table, metric, resamples=100)
    assert (found.difference, found.low, found.high) == (0, 0, 0)


@pytest.mark.parametrize("metric", COMPUTED)
def test_an_interval_holds_the_difference_and_turns_with_it(metric: str) -> None:
    better = regressed(400, 0.2, 1) if metric in REGRESSION else classified(400, 3, 0.95, 1)
    worse = regressed(400, 0.8, 2) if metric in REGRESSION else classified(400, 3, 0.5, 2)
    found, turned = (interval(*pair, metric, resamples=200, seed=5) for pair in ((better, worse), (worse, better)))
    assert found.low < found.difference < found.high
    assert found.low > 0 or found.high < 0
    assert (turned.difference, turned.low, turned.high) == pytest.approx((-found.difference, -found.high, -found.low))


def test_an_interval_is_as_wide_as_theory_says_and_the_same_for_a_seed() -> None:
    rows = 4000
    draw = np.random.default_rng(0)
    ours, theirs = draw.random(rows) < 0.9, draw.random(rows) < 0.8
    candidate, production = (predictions(np.ones(rows, int), hits.astype(int)) for hits in (ours, theirs))
    found = interval(candidate, production, "accuracy", resamples=2000, seed=1)
    width = 2 * 1.96 * np.std(ours.astype(float) - theirs) / math.sqrt(rows)
    assert found.high - found.low == pytest.approx(width, rel=0.1)
    assert found == interval(candidate, production, "accuracy", resamples=2000, seed=1)
    assert found != interval(candidate, production, "accuracy", resamples=2000, seed=2)
    wider = interval(candidate, production, "accuracy", resamples=2000, seed=1, confidence=0.99)
    assert wider.low < found.low and wider.high > found.high


def test_an_interval_of_something_mostly_undefined_is_undefined() -> None:
    table = predictions([1] + [0] * 9, [1] + [0] * 9, score=np.linspace(0, 1, 10))
    found = interval(table, table, "roc_auc", resamples=200)
    assert math.isnan(found.low) and math.isnan(found.high)


@pytest.mark.parametrize("other", [predictions([0, 1], [0, 1]), predictions([0, 1, 1], [0, 1, 1])])
def test_models_are_compared_on_the_same_rows_only(other: Predictions) -> None:
    with pytest.raises(UserError, match="must be compared on the same rows, got 3 of the candidate"):
        interval(predictions([0, 0, 1], [0, 0, 1]), other, "accuracy")
