"""Suites: sets of chosen inputs that candidate and production are scored on, both in the same version."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aiga.evaluate.gates import Verdict, number
from aiga.evaluate.metrics import LOWER_IS_BETTER, compute
from aiga.evaluate.table import Predictions
from aiga.spec.evaluate import Suite

KIND = "suite"


@dataclass(frozen=True)
class SuiteScore:
    """What one model got in one version of a suite."""

    suite: str
    version: int
    metric: str
    value: float
    rows: int


def score(suite: Suite, table: Predictions) -> SuiteScore:
    """A model's score in a suite.

    Raises:
        UserError: its predictions lack what the suite's metric needs.
    """
    value = compute(table, [suite.metric])[suite.metric]
    return SuiteScore(suite.name, suite.version, suite.metric, value, len(table))


def judge(
    suites: Iterable[Suite], candidate: Mapping[str, SuiteScore], production: Mapping[str, SuiteScore] | None
) -> list[Verdict]:
    """One verdict for each suite, its bound being `min`, or production's score where there is no `min`.

    Of a metric that measures an error the bound is the greatest score that passes, of others the least. Scores are by
    the suite's name; `production` is None where there is no such model, and then only a `min` can fail.
    """
    return [_judged(suite, candidate.get(suite.name), production) for suite in suites]


def _judged(suite: Suite, own: SuiteScore | None, production: Mapping[str, SuiteScore] | None) -> Verdict:
    lower = suite.metric in LOWER_IS_BETTER
    side = "at most" if lower else "at least"
    title = f"suite {suite.name} version {suite.version}: {suite.metric} {side} "
    title += "that of production" if suite.min is None else f"{suite.min:g}"
    other = None if production is None else production.get(suite.name)
    mistake = _unlike(suite, own, "the candidate")
    if not mistake and suite.min is None and production is not None:
        mistake = _unlike(suite, other, "production")
    if mistake or own is None:
        return Verdict(title, KIND, False, None, suite.min, f"not judged: {mistake}")
    shown = f"{suite.metric} in {suite.name} is " + ("undefined" if math.isnan(own.value) else f"{own.value:.4g}")
    bound = suite.min if suite.min is not None or other is None else other.value
    if bound is None:
        passed, reason = not math.isnan(own.value), f"{shown}; there is no production model yet"
    else:
        passed = own.value <= bound if lower else own.value >= bound
        whose = "production's " if suite.min is None else ""
        reason = f"{shown}, {side if passed else f'not {side}'} {whose}{bound:.4g} ({own.rows} rows)"
    detail = {"rows": own.rows, "version": suite.version, "production": number(other.value) if other else None}
    return Verdict(title, KIND, passed, number(own.value), number(bound), reason, detail)


def _unlike(suite: Suite, found: SuiteScore | None, whose: str) -> str | None:
    if found is None:
        return f"{whose} was not scored in {suite.name}"
    if (found.version, found.metric) != (suite.version, suite.metric):
        return (
            f"{whose} was scored by {found.metric} in version {found.version} of {suite.name}, "
            f"not by {suite.metric} in version {suite.version}"
        )
    return None
