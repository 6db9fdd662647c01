from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from evaluate_world import classified, gate, predictions
from hypothesis import given, settings
from hypothesis import strategies as st

from aiga.errors import UserError
from aiga.evaluate.gates import Scores, Verdict, judge
from aiga.evaluate.table import Predictions


def verdict(table: Predictions | None, production: Predictions | None = None, /, **file: Any) -> Verdict:
    (only,) = judge([gate(**file)], Scores(table), Scores(production) if production else None)
    assert only.kind == file["kind"]
    json.dumps(only.plain(), allow_nan=False)
    return only


def sliced(hits: dict[Any, list[int]]) -> Predictions:
    """A table with the digit that each list of hits and misses belongs to."""
    digits = [digit for digit, row in hits.items() for _ in row]
    flags = [hit for row in hits.values() for hit in row]
    return predictions([1] * len(flags), flags, digit=digits)


@pytest.mark.parametrize(
    ("right", "bounds", "passed", "reason"),
    [
        (9, {"min": 0.9}, True, "accuracy is 0.9, at least 0.9"),
        (8, {"min": 0.9}, False, "accuracy is 0.8, below 0.9"),
        (9, {"max": 0.8}, False, "accuracy is 0.9, above 0.8"),
        (8, {"max": 0.8}, True, "accuracy is 0.8, at most 0.8"),
        (9, {"min": 0.5, "max": 0.95}, True, "accuracy is 0.9, at least 0.5"),
    ],
)
def test_a_threshold_bounds_a_metric(right: int, bounds: dict[str, float], passed: bool, reason: str) -> None:
    table = predictions([1] * 10, [1] * right + [0] * (10 - right))
    found = verdict(table, kind="threshold", metric="accuracy", **bounds)
    assert (found.passed, found.reason) == (passed, reason)
    assert found.value == right / 10


def test_a_threshold_takes_a_metric_that_the_evaluation_reports() -> None:
    scores = Scores(None, {"margin": 0.4, "odd": float("nan")})
    low, nan, absent = judge(
        [gate(kind="threshold", metric=name, min=0.3) for name in ("margin", "odd", "mrgin")], scores
    )
    assert (low.passed, low.value) == (True, 0.4)
    assert (nan.passed, nan.value, nan.reason) == (False, None, "odd is undefined, which never passes")
    assert absent.reason == "not judged: mrgin: is neither reported nor computed (known are margin, odd)"


def test_a_slice_below_its_bound_is_named_with_its_rows() -> None:
    table = sliced({3: [1] * 30, 8: [1] * 37 + [0] * 4})
    found = verdict(table, kind="slice", metric="recall", by="digit", min=0.93)
    assert not found.passed
    assert found.reason == "recall of digit=8 is 0.9024, below 0.93 (41 rows)"
    assert found.gate == "recall of every digit at least 0.93"
    assert found.detail["slices"] == [
        {"slice": "3", "rows": 30, "value": 1.0, "judged": True},
        {"slice": "8", "rows": 41, "value": 37 / 41, "judged": True},
    ]


def test_slices_with_few_rows_are_reported_and_not_judged() -> None:
    found = verdict(sliced({3: [1] * 30, 8: [0] * 19}), kind="slice", metric="accuracy", by="digit", min=0.9)
    assert found.passed
    assert found.reason.endswith("; too few rows to judge: 8")
    assert found.detail["slices"][1] == {"slice": "8", "rows": 19, "value": 0.0, "judged": False}


def test_rows_without_a_value_are_a_slice_of_their_own() -> None:
    table = sliced({"a": [1] * 20, None: [0] * 20})
    found = verdict(table, kind="slice", metric="accuracy", by="digit", min=0.5)
    assert found.reason == "accuracy of digit=(missing) is 0, below 0.5 (20 rows)"


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ({"kind": "slice", "min": 0.1}, "not judged: no value of digit with 20 rows, the most are 5"),
        ({"kind": "gap", "max": 1}, "not judged: fewer than two values of digit with 20 rows, the most are 5"),
    ],
)
def test_a_gate_that_has_nothing_to_judge_does_not_pass(file: dict[str, Any], reason: str) -> None:
    found = verdict(sliced({3: [1] * 5, 8: [1] * 4}), metric="accuracy", by="digit", **file)
    assert not found.passed
    assert found.reason.startswith(reason)


@pytest.mark.parametrize(("most", "passed"), [(0.25, True), (0.2, False)])
def test_a_gap_is_between_the_best_and_the_worst_group(most: float, passed: bool) -> None:
    table = sliced({"a": [1] * 20, "b": [1] * 18 + [0] * 2, "c": [1] * 15 + [0] * 5, "tiny": [0]})
    found = verdict(table, kind="gap", metric="accuracy", by="digit", max=most)
    assert (found.passed, found.value) == (passed, 0.25)
    assert found.reason.startswith("accuracy is 1 for digit=a and 0.75 for digit=c: 0.25 apart, ")
    assert "tiny" in found.reason


@pytest.mark.parametrize("kind", ["slice", "gap"])
def test_an_undefined_metric_in_a_group_never_passes(kind: str) -> None:
    table = predictions(
        [0, 1] * 20 + [1] * 20, [0, 1] * 20 + [1] * 20, score=[0.1, 0.9] * 30, by=["a"] * 40 + ["b"] * 20
    )
    found = verdict(table, kind=kind, metric="roc_auc", by="by", max=1)
    assert not found.passed and found.value is None
    assert "roc_auc of by=b is undefined" in found.reason


@pytest.mark.parametrize("kind", ["slice", "gap"])
@pytest.mark.parametrize(
    ("by", "metric", "reason"),
    [
        ("colour", "accuracy", "colour: must be a column of the predictions, which has expected, predicted, id"),
        ("id", "accuracy", "id: must have at most 1000 values"),
        ("id", "margin", "margin: must be computed of rows"),
        ("id", "roc_auc", "roc_auc: needs the column score"),
    ],
)
def test_groups_that_cannot_be_made_fail_with_the_reason(kind: str, by: str, metric: str, reason: str) -> None:
    table = predictions([1] * 1001, [1] * 1001, id=range(1001))
    found = verdict(table, kind=kind, metric=metric, by=by, max=1)
    assert not found.passed and found.reason.startswith(f"not judged: {reason}")


def test_without_a_production_model_the_comparison_passes() -> None:
    found = verdict(predictions([1], [0]), kind="production", metric="accuracy")
    assert (found.passed, found.reason) == (True, "there is no production model yet")


@pytest.mark.parametrize(
    ("ours", "theirs", "file", "passed"),
    [
        (0.95, 0.5, {}, True),
        (0.5, 0.95, {}, False),
        (0.95, 0.5, {"minDelta": 0.9}, False),
        (0.5, 0.95, {"minDelta": -0.9}, True),
        (0.95, 0.5, {"metric": "log_loss", "goal": "min"}, True),
        (0.5, 0.95, {"metric": "log_loss", "goal": "min"}, False),
        (0.95, 0.5, {"metric": "log_loss", "goal": "min", "minDelta": 5}, False),
    ],
)
def test_the_unfavourable_end_of_the_interval_decides_beside_production(
    ours: float, theirs: float, file: dict[str, Any], passed: bool
) -> None:
    candidate, production = classified(300, 3, ours, 1), classified(300, 3, theirs, 2)
    found = verdict(candidate, production, **{"kind": "production", "metric": "accuracy", "resamples": 200, **file})
    assert found.passed == passed
    assert found.detail["low"] < found.value < found.detail["high"]
    assert found.detail["candidate"] - found.detail["production"] == pytest.approx(found.value)
    assert "with 95% confidence" in found.reason


def test_a_difference_too_small_to_be_sure_of_does_not_pass() -> None:
    expected = np.ones(200, int)
    candidate, production = expected.copy(), expected.copy()
    candidate[:10], production[10:21] = 0, 0
    found = verdict(
        predictions(expected, candidate), predictions(expected, production), kind="production", metric="accuracy"
    )
    assert found.value is not None and found.value > 0
    assert not found.passed
    assert "the lower end is not at least 0" in found.reason


def test_the_model_in_production_passes_beside_itself() -> None:
    table = classified(100, 3, 0.8)
    assert verdict(table, table, kind="production", metric="f1", resamples=100).passed


def test_production_on_other_rows_is_not_compared() -> None:
    found = verdict(predictions([1, 0], [1, 0]), predictions([1], [1]), kind="production", metric="accuracy")
    assert not found.passed and "must be compared on the same rows" in found.reason


@pytest.mark.parametrize(("took", "passed"), [(0.02, True), (0.021, False), (float("nan"), False)])
def test_latency_is_bounded_in_seconds(took: float, passed: bool) -> None:
    (found,) = judge([gate(kind="latency", max="20ms")], Scores(None), None, lambda _: took)
    assert found.passed == passed and found.bound == 0.02
    if took > 0.02:
        assert found.reason == "percentile 95 of 200 predictions is 21 ms, above 20ms"


def test_latency_of_what_cannot_be_timed_fails_and_the_other_gates_are_judged_still() -> None:
    def refuse(_: object) -> float:
        raise UserError("model: must be an ONNX model")

    gates = [gate(kind="latency", max="20ms"), gate(kind="threshold", metric="accuracy", min=0.5)]
    for latency, reason in ((None, "latency is measured of ONNX models alone"), (refuse, "model: must be an ONNX")):
        timed, other = judge(gates, Scores(predictions([1], [1])), None, latency)
        assert not timed.passed and timed.reason.startswith(f"not judged: {reason}")
        assert other.passed


HITS = st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=3, max_size=40)


@given(HITS, st.integers(0, 39), st.floats(0, 1), st.sampled_from(["threshold", "slice"]))
@settings(deadline=None)
def test_one_more_right_answer_never_turns_a_pass_into_a_failure(
    rows: list[tuple[int, bool]], place: int, bound: float, kind: str
) -> None:
    better = [(digit, hit or number == place % len(rows)) for number, (digit, hit) in enumerate(rows)]
    by = {"by": "digit", "minRows": 2} if kind == "slice" else {}
    before, after = (
        verdict(
            predictions([1] * len(rows), [int(hit) for _, hit in table], digit=[digit for digit, _ in table]),
            kind=kind,
            metric="accuracy",
            min=bound,
            **by,
        )
        for table in (rows, better)
    )
    assert after.passed or not before.passed


@given(HITS, st.floats(0, 1), st.floats(0, 1), st.sampled_from(["threshold", "slice", "gap"]))
@settings(deadline=None)
def test_a_stricter_bound_never_turns_a_failure_into_a_pass(
    rows: list[tuple[int, bool]], first: float, second: float, kind: str
) -> None:
    by = {} if kind == "threshold" else {"by": "digit", "minRows": 2}
    side = "max" if kind == "gap" else "min"
    loose, strict = sorted((first, second), reverse=kind == "gap")
    table = predictions([1] * len(rows), [int(hit) for _, hit in rows], digit=[digit for digit, _ in rows])
    lax, tight = (verdict(table, kind=kind, metric="accuracy", **{side: bound}, **by) for bound in (loose, strict))
    assert lax.passed or not tight.passed
