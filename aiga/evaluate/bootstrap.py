"""How sure a difference between two models is: the paired bootstrap.

Rows are drawn with replacement, the same for both models, and the difference is taken anew. The interval is the
percentile interval of B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap (Chapman & Hall, 1993), chapter
13. Metrics are written as functions of how often each row was drawn, so that a resample costs one pass over the rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from aiga.errors import UserError
from aiga.evaluate.metrics import SCORED, score_table, unfit
from aiga.evaluate.table import Predictions

UNDEFINED_SHARE = 0.05
"""Share of resamples that may leave a metric undefined before the interval is."""

Weights = npt.NDArray[np.int64]
Statistic = Callable[[Weights], float]


@dataclass(frozen=True)
class Interval:
    """Difference of a metric, candidate minus production."""

    difference: float
    low: float
    high: float


def interval(
    candidate: Predictions,
    production: Predictions,
    metric: str,
    *,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """Two-sided percentile interval of the difference of `metric` on the same rows.

    Its ends are NaN where more than a twentieth of the resamples leave the metric undefined.

    Raises:
        UserError: the tables are not of the same rows, or lack what the metric needs.
    """
    if mistake := unfit(candidate, metric) or unfit(production, metric):
        raise UserError(mistake)
    if len(candidate) != len(production) or not np.array_equal(candidate.expected, production.expected):
        raise UserError(
            f"{metric}: must be compared on the same rows, got {len(candidate)} of the candidate and "
            f"{len(production)} of production (evaluate both on the same data, in the same order)"
        )
    measure, other = statistic(candidate, metric), statistic(production, metric)
    rows = len(candidate)
    draw = np.random.default_rng(seed)
    differences = np.empty(resamples)
    for number in range(resamples):
        weights = np.bincount(draw.integers(rows, size=rows), minlength=rows)
        differences[number] = measure(weights) - other(weights)
    once = np.ones(rows, dtype=np.int64)
    defined = differences[np.isfinite(differences)]
    if len(defined) < (1 - UNDEFINED_SHARE) * resamples:
        low = high = float("nan")
    else:
        low, high = np.quantile(defined, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(measure(once) - other(once)), float(low), float(high))


def statistic(table: Predictions, metric: str) -> Statistic:
    """The metric as a function of how often each row counts; all ones give the metric of the table."""
    expected, predicted = table.expected, table.predicted
    match metric:
        case "accuracy":
            return _mean((expected == predicted).astype(float))
        case "mae":
            return _mean(np.abs(expected - predicted))
        case "rmse":
            squared = _mean((expected - predicted) ** 2.0)
            return lambda weights: float(np.sqrt(squared(weights)))
        case "r2":
            return _r2(expected.astype(float), predicted.astype(float))
    if metric in SCORED:
        codes, matrix = score_table(table)
        return _log_loss(codes, matrix) if metric == "log_loss" else _roc_auc(codes, matrix)
    return _confusion(expected, predicted, metric)


def _mean(values: npt.NDArray[Any]) -> Statistic:
    return lambda weights: float(weights @ values / weights.sum())


def _r2(expected: npt.NDArray[np.float64], predicted: npt.NDArray[np.float64]) -> Statistic:
    residual = (expected - predicted) ** 2

    def of(weights: Weights) -> float:
        total = weights @ (expected - weights @ expected / weights.sum()) ** 2
        left = weights @ residual
        if total == 0:
            return 1.0 if left == 0 else 0.0
        return float(1 - left / total)

    return of


def _log_loss(codes: npt.NDArray[np.intp], matrix: npt.NDArray[np.float64]) -> Statistic:
    chosen = matrix[np.arange(len(codes)), codes] / matrix.sum(axis=1)
    tiny = np.finfo(matrix.dtype).eps
    return _mean(-np.log(np.clip(chosen, tiny, 1 - tiny)))


def _roc_auc(codes: npt.NDArray[np.intp], matrix: npt.NDArray[np.float64]) -> Statistic:
    if matrix.shape[1] == 2:
        return _area(codes == 1, matrix[:, 1])
    areas = {code: _area(codes == code, matrix[:, code]) for code in np.unique(codes)}

    def of(weights: Weights) -> float:
        drawn = np.unique(codes[weights > 0])
        return float(np.mean([areas[code](weights) for code in drawn]))

    return of


def _area(positive: npt.NDArray[np.bool_], score: npt.NDArray[np.float64]) -> Statistic:
    """Share of pairs of a positive and a negative row that the score orders rightly, ties as one half."""
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.diff(score[order], prepend=-np.inf))
    signs = positive[order]

    def of(weights: Weights) -> float:
        counts = weights[order]
        good = np.add.reduceat(counts * signs, starts)
        bad = np.add.reduceat(counts * ~signs, starts)
        pairs = float(good.sum()) * float(bad.sum())
        below = np.cumsum(bad) - bad
        return float(good @ (below + bad / 2)) / pairs if pairs else float("nan")

    return of


def _confusion(expected: npt.NDArray[Any], predicted: npt.NDArray[Any], metric: str) -> Statistic:
    found, codes = np.unique(np.concatenate([expected, predicted]), return_inverse=True)
    size = len(found)
    cells = codes[: len(expected)] * size + codes[len(expected) :]

    def of(weights: Weights) -> float:
        table = np.bincount(cells, weights=weights, minlength=size * size).reshape(size, size)
        right, rows, columns = np.diag(table), table.sum(axis=1), table.sum(axis=0)
        present = rows > 0
        below = {"precision": columns, "f1": (rows + columns) / 2}.get(metric, rows)[present]
        return float(np.mean(np.divide(right[present], below, out=np.zeros(len(below)), where=below > 0)))

    return of
