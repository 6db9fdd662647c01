"""Metrics of a table of predictions, in scikit-learn's definitions.

Classification
    accuracy            share of rows that are right.
    balanced_accuracy   mean over classes of the share of a class's rows that are right.
    precision, recall, f1
                        macro: the mean over the classes that occur in `expected`; 0 for one that is never predicted.
                        So the recall of a slice that is one class is that class's recall.
    log_loss            mean of -ln of the score of the expected class.
    roc_auc             area under the ROC curve; of more than two classes the mean of each against all others.
Regression
    mae, rmse, r2       mean absolute error, root of the mean squared error, coefficient of determination.

What the rows do not define, such as the ROC of a single class, is NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import get_args

import numpy as np
import numpy.typing as npt
from sklearn import metrics as sk

from aiga.errors import UserError
from aiga.evaluate.table import SCORE, SCORE_OF, Predictions, label
from aiga.names import EXPECTED
from aiga.spec.evaluate import Computed

COMPUTED: tuple[str, ...] = get_args(Computed)
REGRESSION = frozenset({"mae", "rmse", "r2"})
SCORED = frozenset({"log_loss", "roc_auc"})
LOWER_IS_BETTER = frozenset({"mae", "rmse", "log_loss"})
"""Metrics that measure an error."""


def compute(table: Predictions, names: Iterable[str]) -> dict[str, float]:
    """The named metrics of the table.

    Raises:
        UserError: a name that is none of `Computed`, or what a metric needs is not in the table; all of them at once.
    """
    names = list(names)
    mistakes = [mistake for name in names if (mistake := unfit(table, name))]
    if mistakes:
        raise UserError("\n".join(mistakes))
    return {name: float(_METRICS[name](table)) for name in names}


def unfit(table: Predictions, name: str) -> str | None:
    """What is wrong with the table for a metric, as a message; None when nothing is."""
    if name not in _METRICS:
        return f"{name}: must be one of {', '.join(COMPUTED)} (report other metrics from the evaluation itself)"
    if name in REGRESSION:
        return None if table.numeric else f"{name}: needs numbers, got {EXPECTED} {table.expected[0]!s} (text)"
    if table.numeric and not np.array_equal(table.expected, np.round(table.expected)):
        fraction = table.expected[table.expected != np.round(table.expected)][0]
        return f"{name}: compares classes, got {EXPECTED} {fraction:g} (use {', '.join(sorted(REGRESSION))})"
    return _unscored(table, name) if name in SCORED else None


def score_table(table: Predictions) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """For each row the position of the expected class, and the scores, rows × classes; `unfit` must have been asked."""
    if table.scores:
        order = list(table.scores)
        positions = {name: index for index, name in enumerate(order)}
        matrix = np.column_stack([table.scores[name] for name in order])
        return np.array([positions[label(value)] for value in table.expected], dtype=np.intp), matrix
    assert table.score is not None
    return (table.expected == table.positive).astype(np.intp), np.column_stack([1 - table.score, table.score])


def _unscored(table: Predictions, name: str) -> str | None:
    if not table.scores and table.score is None:
        return f"{name}: needs the column {SCORE} or columns {SCORE_OF}<class>, got neither (write the model's scores)"
    if table.scores:
        absent = [str(value) for value in np.unique(table.expected) if label(value) not in table.scores]
        if absent:
            return f"{name}: needs {SCORE_OF}<class> of every expected class, got none of {', '.join(absent[:5])}"
    elif len(table.classes) > 2:
        return f"{name}: needs {SCORE_OF}<class> for {len(table.classes)} classes, got {SCORE} alone"
    if name == "log_loss":
        matrix = score_table(table)[1]
        wrong = np.flatnonzero((matrix < 0).any(1) | (matrix > 1).any(1) | (np.abs(matrix.sum(1) - 1) > 1e-3))
        if wrong.size:
            return (
                f"{name}: needs scores that are probabilities and add up to 1, got "
                f"{', '.join(f'{value:g}' for value in matrix[wrong[0]][:5])} in row {wrong[0] + 1} (take the softmax)"
            )
    return None


def _macro(measure: Callable[..., float]) -> Callable[[Predictions], float]:
    def of(table: Predictions) -> float:
        return measure(
            table.expected, table.predicted, labels=np.unique(table.expected), average="macro", zero_division=0
        )

    return of


def _log_loss(table: Predictions) -> float:
    codes, matrix = score_table(table)
    matrix = matrix / matrix.sum(axis=1, keepdims=True)
    return float(sk.log_loss(codes, matrix, labels=range(matrix.shape[1])))


def _roc_auc(table: Predictions) -> float:
    codes, matrix = score_table(table)
    present = np.unique(codes)
    if len(present) < 2:
        return float("nan")
    if matrix.shape[1] == 2:
        return float(sk.roc_auc_score(codes == 1, matrix[:, 1]))
    return float(np.mean([sk.roc_auc_score(codes == code, matrix[:, code]) for code in present]))


def _r2(table: Predictions) -> float:
    return float(sk.r2_score(table.expected, table.predicted)) if len(table) > 1 else float("nan")


_METRICS: dict[str, Callable[[Predictions], float]] = {
    "accuracy": lambda table: sk.accuracy_score(table.expected, table.predicted),
    "balanced_accuracy": _macro(sk.recall_score),  # as scikit-learn defines it, without its warning
    "precision": _macro(sk.precision_score),
    "recall": _macro(sk.recall_score),
    "f1": _macro(sk.f1_score),
    "log_loss": _log_loss,
    "roc_auc": _roc_auc,
    "mae": lambda table: sk.mean_absolute_error(table.expected, table.predicted),
    "rmse": lambda table: sk.root_mean_squared_error(table.expected, table.predicted),
    "r2": _r2,
}
