"""What inputs and predictions looked like in training, for monitors to compare with: a plain dict of bounded size.

Layout: `rows`; `inputs`, column to summary; `pooled`, one summary of all values of the numeric columns that were too
many; `predictions`, summaries of the table of predictions.

Summary of a numeric column: `type: number`, `count`, `missing`, `infinite`, `mean`, `std`, `quantiles` (of 0, 5, …, 100
percent) and `bins` with `edges` (n+1 values at tenths of the rows, equal ones merged) and `counts` (n; the last bin has
both its ends). Of any other: `type: category`, `count`, `missing`, `distinct`, `values` (the most frequent, counted)
and `other`, the count of the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from aiga.evaluate.table import SCORE, SCORE_OF, Predictions
from aiga.names import EXPECTED, PREDICTED

COLUMNS = 100
"""Columns that are summarised each by itself."""
CATEGORIES = 50
TEXT = 100
"""Characters of a category's name that are kept."""
CLASSES = 20
"""Different whole numbers up to which a prediction is a class."""
_PERCENT = np.arange(0, 101, 5)
_TENTHS = np.linspace(0, 1, 11)


Inputs = pd.DataFrame | Mapping[str, npt.ArrayLike]
"""By column, or by array with the rows first."""


def summarise(inputs: Inputs, predictions: Predictions | None) -> dict[str, Any]:
    """The baseline of inputs, which may be none, and of the predictions that were made for them."""
    columns = _columns(inputs)
    kept = dict(list(columns.items())[:COLUMNS])
    rest = [column for name, column in columns.items() if name not in kept and _numeric(column)]
    baseline: dict[str, Any] = {
        "rows": max([len(column) for column in columns.values()], default=len(predictions or ())),
        "columns": len(columns),
        "inputs": {name: summary(column) for name, column in kept.items()},
    }
    if rest:
        pooled = pd.Series(np.concatenate([column.to_numpy(float, na_value=np.nan) for column in rest]))
        baseline["pooled"] = {"columns": len(rest), **summary(pooled)}
    if predictions is not None:
        frame = predictions.frame
        names = [str(name) for name in frame if name in (EXPECTED, PREDICTED, SCORE) or str(name).startswith(SCORE_OF)]
        baseline["predictions"] = {
            name: summary(_classes(frame[name]) if name in (EXPECTED, PREDICTED) else frame[name])
            for name in names[:COLUMNS]
        }
    return baseline


def summary(column: pd.Series[Any]) -> dict[str, Any]:
    """What one column holds."""
    missing = int(column.isna().sum())
    if not _numeric(column):
        counts = column.dropna().astype(str).str[:TEXT].value_counts()
        values = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:CATEGORIES]
        return {
            "type": "category",
            "count": len(column) - missing,
            "missing": missing,
            "distinct": len(counts),
            "values": {str(name): int(count) for name, count in values},
            "other": int(counts.sum()) - sum(int(count) for _, count in values),
        }
    numbers = column.to_numpy(float, na_value=np.nan)
    finite = numbers[np.isfinite(numbers)]
    found: dict[str, Any] = {
        "type": "number",
        "count": len(column) - missing,
        "missing": missing,
        "infinite": int(np.isinf(numbers).sum()),
    }
    if finite.size:
        edges = np.unique(np.quantile(finite, _TENTHS, method="inverted_cdf"))
        edges = edges if len(edges) > 1 else np.repeat(edges, 2)
        places = np.searchsorted(np.sort(finite), edges[1:-1])
        counted = np.diff(places, prepend=0, append=finite.size)
        found |= {
            "mean": float(finite.mean()),
            "std": float(finite.std()),
            "quantiles": [float(value) for value in np.percentile(finite, _PERCENT)],
            "bins": {"edges": [float(edge) for edge in edges], "counts": [int(count) for count in counted]},
        }
    return found


def _columns(inputs: Inputs) -> dict[str, pd.Series[Any]]:
    if isinstance(inputs, pd.DataFrame):
        return {str(name): inputs[name] for name in inputs.columns}
    columns: dict[str, pd.Series[Any]] = {}
    for name, values in inputs.items():
        array = np.asarray(values)
        if array.ndim < 2:
            columns[name] = pd.Series(array.reshape(-1))
            continue
        for place in np.ndindex(array.shape[1:]):
            columns[f"{name}[{','.join(map(str, place))}]"] = pd.Series(array[(slice(None), *place)])
    return columns


def _numeric(column: pd.Series[Any]) -> bool:
    return bool(pd.api.types.is_numeric_dtype(column.dtype)) and not pd.api.types.is_bool_dtype(column.dtype)


def _classes(column: pd.Series[Any]) -> pd.Series[Any]:
    """Whole numbers of few values are names of classes."""
    whole = pd.api.types.is_integer_dtype(column.dtype) and column.nunique() <= CLASSES
    return column.astype(str) if whole else column
