from __future__ import annotations

from typing import Any

import pytest
from evaluate_world import predictions

from aiga.evaluate.suites import SuiteScore, judge, score
from aiga.spec.evaluate import Suite


def suite(**changes: Any) -> Suite:
    return Suite.model_validate({"name": "blurred", "version": 2, "data": "blurred", **changes})


def scored(value: float, version: int = 2, metric: str = "accuracy") -> dict[str, SuiteScore]:
    return {"blurred": SuiteScore("blurred", version, metric, value, 10)}


def test_a_score_names_the_version_it_was_got_in() -> None:
    assert score(suite(), predictions([1, 1], [1, 0])) == SuiteScore("blurred", 2, "accuracy", 0.5, 2)


@pytest.mark.parametrize(
    ("file", "own", "production", "passed", "reason"),
    [
        ({}, 0.8, 0.8, True, "accuracy in blurred is 0.8, at least production's 0.8 (10 rows)"),
        ({}, 0.7, 0.8, False, "accuracy in blurred is 0.7, not at least production's 0.8 (10 rows)"),
        ({}, 0.7, None, True, "accuracy in blurred is 0.7; there is no production model yet"),
        ({}, float("nan"), None, False, "accuracy in blurred is undefined; there is no production model yet"),
        ({}, float("nan"), 0.1, False, "accuracy in blurred is undefined, not at least production's 0.1 (10 rows)"),
        ({"min": 0.6}, 0.7, 0.8, True, "accuracy in blurred is 0.7, at least 0.6 (10 rows)"),
        ({"min": 0.6}, 0.5, None, False, "accuracy in blurred is 0.5, not at least 0.6 (10 rows)"),
        ({"min": 0.0}, -0.1, None, False, "accuracy in blurred is -0.1, not at least 0 (10 rows)"),
        ({"metric": "mae"}, 0.7, 0.8, True, "mae in blurred is 0.7, at most production's 0.8 (10 rows)"),
        ({"metric": "mae", "min": 0.6}, 0.7, 0.8, False, "mae in blurred is 0.7, not at most 0.6 (10 rows)"),
    ],
)
def test_a_suite_is_judged_by_its_bound_or_by_production(
    file: dict[str, Any], own: float, production: float | None, passed: bool, reason: str
) -> None:
    metric = file.get("metric", "accuracy")
    theirs = None if production is None else scored(production, metric=metric)
    (verdict,) = judge([suite(**file)], scored(own, metric=metric), theirs)
    assert (verdict.passed, verdict.reason) == (passed, reason)


@pytest.mark.parametrize(
    ("own", "production", "reason"),
    [
        ({}, None, "the candidate was not scored in blurred"),
        (scored(1), {}, "production was not scored in blurred"),
        (scored(1), scored(0, version=1), "production was scored by accuracy in version 1 of blurred, not by accuracy"),
        (scored(1, version=1), None, "the candidate was scored by accuracy in version 1"),
        (scored(1), scored(0, metric="f1"), "production was scored by f1 in version 2"),
    ],
)
def test_scores_of_different_versions_are_not_compared(own: Any, production: Any, reason: str) -> None:
    (verdict,) = judge([suite()], own, production)
    assert not verdict.passed
    assert verdict.reason.startswith(f"not judged: {reason}")
