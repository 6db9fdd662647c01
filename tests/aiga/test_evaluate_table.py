from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from aiga.errors import UserError
from aiga.evaluate.table import read

FRAME = pd.DataFrame(
    {"expected": [3, 8, 8], "predicted": [3, 8, 1], "score_1": [0.1, 0.2, 0.7], "pen": ["thin", "", "thick"]}
)


def csv(path: Path) -> None:
    FRAME.to_csv(path, index=False)


def parquet(path: Path) -> None:
    FRAME.to_parquet(path)


def npz(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, **{name: np.array(FRAME[name].tolist()) for name in FRAME})  # type: ignore[arg-type]


def jsonl(path: Path) -> None:
    path.write_text("\n".join(json.dumps(row) for row in FRAME.to_dict("records")) + "\n")


@pytest.mark.parametrize("write", [csv, parquet, npz, jsonl])
@pytest.mark.parametrize("suffix", [True, False])
def test_a_table_is_read_from_every_format_with_or_without_its_suffix(
    tmp_path: Path, write: Callable[[Path], None], suffix: bool
) -> None:
    path = tmp_path / f"predictions{'.' + write.__name__ if suffix else ''}"
    write(path)
    table = read(path)
    assert table.expected.tolist() == [3, 8, 8]
    assert table.predicted.tolist() == [3, 8, 1]
    assert table.scores["1"].tolist() == [0.1, 0.2, 0.7]
    assert table.frame["pen"].tolist()[::2] == ["thin", "thick"]
    assert table.numeric


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("expected,predicted\nNA,None\nNone,NA\n", ["NA", "None"]),
        ("expected,predicted\nTrue,False\nFalse,False\n", [1, 0]),
        ("expected,predicted\n1.5,2\n2,2\n", [1.5, 2.0]),
        ("\ufeffexpected,predicted\n1,2\n", [1]),
    ],
)
def test_values_of_a_csv_are_what_is_written(tmp_path: Path, text: str, expected: list[Any]) -> None:
    path = tmp_path / "p.csv"
    path.write_text(text, encoding="utf-8")
    assert read(path).expected.tolist() == expected


def test_an_array_of_scores_stands_for_a_column_of_each_class(tmp_path: Path) -> None:
    path = tmp_path / "p.npz"
    scores = np.array([[0.2, 0.8], [0.6, 0.4]])
    np.savez(path, expected=["cat", "dog"], predicted=["dog", "dog"], score=scores, classes=["cat", "dog"])
    assert {name: column.tolist() for name, column in read(path).scores.items()} == {
        "cat": [0.2, 0.6],
        "dog": [0.8, 0.4],
    }


@pytest.mark.parametrize(
    ("name", "content", "messages"),
    [
        ("p.csv", "a,b\n1,2\n", ["expected: must be a column, got a, b", "predicted: must be a column"]),
        (
            "p.csv",
            "",
            ["expected: must be a column, got none", "predicted: must be a column", "must have at least one row"],
        ),
        ("p.csv", "expected,predicted\n", ["must have at least one row, got none"]),
        (
            "p.csv",
            "expected,predicted\n1,\n2,2\n3,\n",
            ["predicted: must have a value in every row, got none in 2"],
        ),
        ("p.csv", "expected,predicted\n1,nan\n", ["predicted: must have a value in every row"]),
        ("p.csv", "expected,predicted\n1,2\n2,inf\n", ["predicted: must be finite, got inf in row 2"]),
        ("p.csv", "expected,predicted\ncat,1\ndog,2\n", ["predicted: must be of one kind with expected, got number"]),
        ("p.csv", "expected,predicted,score\n1,1,high\n", ["score: must be numbers, got 'high'"]),
        ("p.csv", "expected,predicted,score,score_1\n,1,,\n", ["expected: must", "score: must", "score_1: must"]),
        ("p.jsonl", '{"expected": 1, "predicted": 1}\n{"exp', ["readable as jsonl: line 2 is no JSON"]),
        ("p.jsonl", "[1, 2]\n", ["line 1 is no JSON object"]),
        ("p.parquet", "expected,predicted\n1,1\n", ["must be readable as parquet"]),
        ("p.npz", "expected", ["must be readable as npz"]),
    ],
)
def test_every_mistake_in_a_table_is_told_on_a_line_of_its_own(
    tmp_path: Path, name: str, content: str, messages: list[str]
) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(UserError) as refused:
        read(path)
    lines = str(refused.value).splitlines()
    assert len(lines) == len(messages)
    for line, message in zip(lines, messages, strict=True):
        assert line.startswith(f"{path}: ") and message in line and line.endswith(")")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"expected": [1, 2], "predicted": [1]}, "equally long, got expected 2, predicted 1"),
        ({"expected": [1], "predicted": [1], "image": np.zeros((1, 2, 2))}, "image has shape"),
        ({"expected": [1], "predicted": [1], "score": [[0.5, 0.5]], "classes": [1]}, "score has 2 columns, and"),
        ({"expected": np.array([{}]), "predicted": [1]}, "must be readable as npz"),
    ],
)
def test_arrays_that_make_no_table_are_refused(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    path = tmp_path / "p.npz"
    np.savez(path, **arrays)
    with pytest.raises(UserError, match=message):
        read(path)


def test_a_table_that_was_not_written_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="must be a file with the table of predictions"):
        read(tmp_path / "predictions.csv")
