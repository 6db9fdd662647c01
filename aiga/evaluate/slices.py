"""A metric within each group of the rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from aiga.errors import UserError
from aiga.evaluate.metrics import compute
from aiga.evaluate.table import Predictions, label

MISSING = "(missing)"
LIMIT = 1000
"""Values above which a column makes no slices."""


@dataclass(frozen=True)
class SliceScore:
    """A metric of the rows with one value."""

    name: str
    rows: int
    value: float
    judged: bool
    """Whether there are rows enough."""


def scored(table: Predictions, metric: str, by: str, min_rows: int) -> list[SliceScore]:
    """The metric for every value of a column, in the order of the values; rows without one are a slice of their own.

    Raises:
        UserError: there is no such column, it has too many values, or the table lacks what the metric needs.
    """
    if by not in table.frame:
        raise UserError(f"{by}: must be a column of the predictions, which has {', '.join(table.frame.columns)}")
    whole = compute(table, [metric])  # says at once what the table lacks
    groups = table.frame.groupby(by, dropna=False, sort=True, observed=True).indices
    if len(groups) > LIMIT:
        raise UserError(f"{by}: must have at most {LIMIT} values to make slices, got {len(groups)} (write it in bins)")
    found = []
    for value, rows in groups.items():
        part = table.take(rows)
        score = whole[metric] if len(part) == len(table) else compute(part, [metric])[metric]
        name = MISSING if _absent(value) else label(value)
        found.append(SliceScore(name, len(part), score, len(part) >= min_rows))
    return found


def _absent(value: Any) -> bool:
    return bool(pd.isna(value))
