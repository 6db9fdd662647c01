from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from evaluate_world import predictions
from hypothesis import given, settings
from hypothesis import strategies as st

from aiga.evaluate.baseline import CATEGORIES, COLUMNS, summarise, summary


def test_a_numeric_column_is_summarised_by_quantiles_and_counts() -> None:
    found = summary(pd.Series([*range(101), np.nan, np.inf]))
    assert (found["count"], found["missing"], found["infinite"]) == (102, 1, 1)
    assert found["quantiles"] == pytest.approx([5 * step for step in range(21)])
    assert found["bins"]["edges"] == [float(10 * step) for step in range(11)]
    assert found["bins"]["counts"] == [10] * 9 + [11]
    assert found["mean"] == 50


@pytest.mark.parametrize("values", [["a", "b", "a", None], [True, False, True, None], [True, True, False]])
def test_any_other_column_is_summarised_by_its_categories(values: list[Any]) -> None:
    found = summary(pd.Series(values))
    assert found["type"] == "category"
    assert list(found["values"].values()) == [2, 1]
    assert found["missing"] == values.count(None)


def test_rare_categories_are_counted_together() -> None:
    found = summary(pd.Series([f"user-{number}" for number in range(1000)] + ["user-7"] * 9))
    assert found["distinct"] == 1000
    assert len(found["values"]) == CATEGORIES
    assert found["values"]["user-7"] == 10
    assert sum(found["values"].values()) + found["other"] == 1009


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), max_size=50))
@settings(deadline=None)
def test_every_finite_number_falls_into_one_bin(values: list[float]) -> None:
    found = summary(pd.Series(values, dtype=float))
    counted = sum(found["bins"]["counts"]) if "bins" in found else 0
    assert counted == np.isfinite(np.array(values, dtype=float)).sum()
    json.dumps(found, allow_nan=False)


def test_images_are_pooled_beyond_a_number_of_columns_and_the_size_is_bounded() -> None:
    images = np.random.default_rng(0).random((50, 28, 28))
    labels = np.arange(50) % 10
    found = summarise({"image": images}, predictions(labels, labels, score=np.linspace(0, 1, 50)))
    assert len(found["inputs"]) == COLUMNS
    assert "image[0,0]" in found["inputs"]
    assert found["pooled"]["columns"] == 28 * 28 - COLUMNS
    assert found["pooled"]["count"] == 50 * (28 * 28 - COLUMNS)
    assert (found["rows"], found["columns"]) == (50, 784)
    assert len(json.dumps(found, allow_nan=False)) < 200_000


def test_predictions_of_classes_are_counted_and_numbers_are_binned() -> None:
    classes = summarise({}, predictions([0, 1, 1], [0, 0, 1], score=[0.1, 0.2, 0.9]))["predictions"]
    assert classes["predicted"]["values"] == {"0": 2, "1": 1}
    assert classes["score"]["type"] == "number"
    numbers = summarise({}, predictions([0.5, 1.5], [0.6, 1.4]))
    assert numbers["predictions"]["predicted"]["type"] == "number"
    assert numbers["rows"] == 2


def test_a_frame_without_predictions_has_a_baseline_too() -> None:
    found = summarise(pd.DataFrame({"age": [1, 2], "name": ["a", "b"]}), None)
    assert list(found["inputs"]) == ["age", "name"]
    assert "predictions" not in found
