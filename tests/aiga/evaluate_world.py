"""Tables of predictions for tests."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from pydantic import TypeAdapter

from aiga.evaluate.table import Predictions, checked
from aiga.spec.evaluate import Gate


def predictions(expected: Any, predicted: Any, **columns: Any) -> Predictions:
    return checked(pd.DataFrame({"expected": expected, "predicted": predicted, **columns}), "predictions.csv")


def gate(**file: Any) -> Gate:
    return TypeAdapter[Gate](Gate).validate_python(file)


def classified(rows: int, classes: int, right: float, seed: int = 0, scores: bool = True) -> Predictions:
    """A table of a classifier that is right so often, with scores of every class that add up to 1."""
    draw = np.random.default_rng(seed)
    expected = np.random.default_rng(99).integers(classes, size=rows)
    predicted = np.where(draw.random(rows) < right, expected, draw.integers(classes, size=rows))
    raw = draw.random((rows, classes)).round(2) + 0.01 + (np.arange(classes) == predicted[:, None])
    raw /= raw.sum(axis=1, keepdims=True)
    columns = {f"score_{one}": raw[:, one] for one in range(classes)} if scores else {}
    return predictions(expected, predicted, **columns)


def regressed(rows: int, error: float, seed: int = 0) -> Predictions:
    expected = np.random.default_rng(99).normal(size=rows)
    return predictions(expected, expected + np.random.default_rng(seed).normal(scale=error, size=rows))
