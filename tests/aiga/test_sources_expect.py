"""Contracts of datasets: every breach at once, with its rule, how many rows, and the first values."""

from __future__ import annotations

import json
import re
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from aiga.errors import UserError
from aiga.sources import tables
from aiga.sources.expect import ExpectationError, check
from aiga.spec.expect import Expectation

ORDERS = {
    "id": [1, 2, 3, 4],
    "price": [1.5, 2.0, None, -3.0],
    "kind": ["a", "b", "c", None],
    "paid": [True, False, True, True],
}


def contract(rows: dict[str, Any] | None = None, only: bool = False, **columns: dict[str, Any]) -> Expectation:
    return Expectation.model_validate({"columns": columns, "rows": rows or {}, "only": only})


def write(folder: Path, suffix: str, data: dict[str, list[Any]]) -> Path:
    path = folder / f"orders{suffix}"
    if suffix in (".csv", ".tsv"):
        pd.DataFrame(data, dtype=object).to_csv(path, index=False, sep="," if suffix == ".csv" else "\t")
    elif suffix == ".parquet":
        parquet.write_table(pa.table(data), path)
    elif suffix == ".jsonl":
        rows = [dict(zip(data, values, strict=True)) for values in zip(*data.values(), strict=True)]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        np.savez(path, **{name: np.array(values) for name, values in data.items()})
    return path


def breaches(path: Path, expectation: Expectation) -> list[str]:
    try:
        check(path, expectation, "orders")
    except ExpectationError as error:
        return [str(breach) for breach in error.breaches]
    return []


def unquoted(found: list[str]) -> list[str]:
    """Without what tells text from numbers: in CSV, all is text."""
    return [each.replace("'", "") for each in found]


FORMATS = (".csv", ".tsv", ".parquet", ".jsonl")


@pytest.mark.parametrize("suffix", FORMATS)
def test_data_that_fulfils_its_contract_passes(suffix: str, tmp_path: Path) -> None:
    expectation = contract(
        rows={"min": 4, "max": 4, "duplicates": False},
        only=True,
        id={"type": "integer", "unique": True, "min": 1, "max": 4},
        price={"type": "number", "nulls": True, "max": 2},
        kind={"type": "text", "nulls": True, "values": ["a", "b", "c"], "pattern": "[a-c]"},
        paid={"type": "boolean", "values": [True, False]},
        comment={"required": False},
    )
    assert breaches(write(tmp_path, suffix, ORDERS), expectation) == []


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize(
    ("column", "rule", "breach"),
    [
        ("price", {}, "column 'price': must not be null: broken by 1 row: row 3"),
        ("price", {"nulls": True, "min": 0}, "column 'price': must be at least 0: broken by 1 row: -3.0 (row 4)"),
        ("price", {"nulls": True, "max": 1.5}, "column 'price': must be at most 1.5: broken by 1 row: 2.0 (row 2)"),
        (
            "kind",
            {"nulls": True, "values": ["a", "b"]},
            "column 'kind': must be one of a, b: broken by 1 row: 'c' (row 3)",
        ),
        ("kind", {"nulls": True, "pattern": "[ab]"}, "column 'kind': must match [ab]: broken by 1 row: 'c' (row 3)"),
        ("id", {"values": [1, 2, 4]}, "column 'id': must be one of 1, 2, 4: broken by 1 row: 3 (row 3)"),
        ("paid", {"values": [True]}, "column 'paid': must be one of True: broken by 1 row: False (row 2)"),
        ("cost", {}, "column 'cost': is missing (there is id, price, kind, paid)"),
        (
            "kind",
            {"nulls": True, "type": "number"},
            "column 'kind': must be a number: broken by 3 rows: 'a' (row 1), 'b' (row 2), 'c' (row 3)",
        ),
    ],
)
def test_each_rule_is_told_with_values_and_rows(
    column: str, rule: dict[str, Any], breach: str, suffix: str, tmp_path: Path
) -> None:
    found = breaches(write(tmp_path, suffix, ORDERS), contract(**{column: rule}))
    assert unquoted(found) == unquoted([breach])


@pytest.mark.parametrize(
    ("suffix", "kind", "good", "bad"),
    [
        (".csv", "integer", ["1", "-7", "2.0"], ["x", "1.5"]),
        (".csv", "number", ["1", "1e3", "-.5"], ["x", "1,5"]),
        (".csv", "text", ["1", "x"], []),
        (".csv", "boolean", ["true", "False"], ["1", "yes"]),
        (".csv", "datetime", ["2026-01-31", "2026-01-31T10:00:00Z"], ["31.1.2026", "x"]),
        (".jsonl", "integer", [1, 2.0, 2**60], ["1", 1.5, True]),
        (".jsonl", "number", [1, 2.5], ["1", True, [1]]),
        (".jsonl", "text", ["1", ""], [1, False, {"a": 1}]),
        (".jsonl", "boolean", [True, False], [1, "true"]),
        (".jsonl", "datetime", ["2026-01-31", "2026-01-31T10:00:00+02:00"], ["soon", 5]),
        (".parquet", "integer", [1, 2], []),
        (".parquet", "integer", [1.0, 2.0], []),
        (".parquet", "integer", [], [1.5]),
        (".parquet", "text", ["x"], []),
        (".parquet", "text", [], [1, 2]),
        (".parquet", "number", [], [True, False]),
        (".parquet", "boolean", [], [1, 0]),
        (".parquet", "datetime", [datetime(2026, 1, 31)], []),
        (".parquet", "datetime", [date(2026, 1, 31)], []),
        (".parquet", "datetime", [], [1, 2]),
        (".parquet", "integer", [], [datetime(2026, 1, 31)]),
        (".parquet", "number", [Decimal("1.5"), Decimal("2")], []),
        (".parquet", "number", [], [[1], [2]]),
    ],
)
def test_types(suffix: str, kind: str, good: list[Any], bad: list[Any], tmp_path: Path) -> None:
    values = [*good, *bad]
    found = breaches(
        write(tmp_path, suffix, {"x": values, "row": list(range(len(values)))}), contract(x={"type": kind})
    )
    rows = [str(len(good) + 1 + place) for place in range(len(bad))]
    assert [re.findall(r"\(row (\d+)\)", each) for each in found] == ([rows] if bad else [])


def test_categories_are_judged_by_their_values(tmp_path: Path) -> None:
    path = tmp_path / "orders.parquet"
    parquet.write_table(pa.table({"x": pa.array(["a", None, "b"]).dictionary_encode()}), path)
    assert breaches(path, contract(x={"nulls": True, "values": ["a"]})) == [
        "column 'x': must be one of a: broken by 1 row: 'b' (row 3)"
    ]
    assert breaches(path, contract(x={"nulls": True, "min": 1})) == [
        "column 'x': must be a number: broken by 2 rows: 'a' (row 1), 'b' (row 3)"
    ]


@pytest.mark.parametrize("suffix", FORMATS)
def test_rows_are_numbered_across_chunks(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "ROWS", 3)
    data = {"id": [1, 2, 3, 4, 2, 6, 1], "x": [None, None, None, 5, 6, 7, 8]}
    expectation = contract(id={"unique": True}, x={"nulls": True, "max": 6}, rows={"min": 8})
    found = unquoted(breaches(write(tmp_path, suffix, data), expectation))
    assert [each.replace(".0", "") for each in found] == [
        "column id: must be unique: broken by 2 rows: 2 (row 5), 1 (row 7)",
        "column x: must be at most 6: broken by 2 rows: 7 (row 6), 8 (row 7)",
        "rows: must be at least 8, got 7",
    ]


@pytest.mark.parametrize("suffix", FORMATS)
def test_rows_that_are_alike_are_found_across_chunks(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "ROWS", 2)
    data = {"a": [1, 2, 1, 1, None], "b": ["x", "y", "z", "x", None]}
    expectation = contract(rows={"duplicates": False})
    assert breaches(write(tmp_path, suffix, data), expectation) == [
        "rows: must differ from one another: broken by 1 row: row 4"
    ]


def test_only_the_first_values_are_shown(tmp_path: Path) -> None:
    path = write(tmp_path, ".csv", {"x": list(range(100)), "y": ["z" * 90] * 100})
    found = breaches(path, contract(x={"min": 1000}, y={"values": ["a"]}))
    assert found[0].startswith("column 'x': must be at least 1000: broken by 100 rows: '0' (row 1), ")
    assert found[0].endswith("'4' (row 5), …")
    assert all(len(each) < 400 for each in found)


def test_the_message_has_all_breaches_and_a_remedy(tmp_path: Path) -> None:
    path = write(tmp_path, ".csv", ORDERS)
    with pytest.raises(UserError) as raised:
        check(path, contract(price={"min": 0}, cost={}, only=True), "source orders")
    lines = str(raised.value).splitlines()
    assert len(lines) == 7 and all(line.startswith("source orders: ") for line in lines)
    assert "mend the data, or its `expect:`" in lines[-1]
    assert "source orders: column 'id': is not expected, and `only` is true" in lines


def test_json_lines_may_leave_columns_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "ROWS", 1)
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n{"a": 2, "b": 3}\n')
    assert breaches(path, contract(a={}, b={"nulls": True}, c={"required": False})) == []
    assert breaches(path, contract(b={}, c={})) == [
        "column 'b': must not be null: broken by 1 row: row 1",
        "column 'c': is missing (there is a)",
    ]


def test_arrays_are_checked_number_by_number_and_counted_by_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "CELLS", 100)
    images = np.zeros((6, 8, 8), dtype=np.float32)
    images[4, 1, :3] = 300
    images[2, 0, 0] = np.nan
    path = write(tmp_path, ".npz", {"image": list(images), "label": [0, 1, 2, 3, 4, 12]})
    expectation = contract(image={"max": 255, "unique": True}, label={"type": "integer", "max": 9}, rows={"max": 5})
    assert breaches(path, expectation) == [
        "column 'image': must not be null: broken by 1 row: row 3",
        "column 'image': must be at most 255: broken by 1 row: 300.0 (row 5)",
        "column 'image': must be unique: broken by 3 rows: row 2, row 4, row 6",
        "column 'label': must be at most 9: broken by 1 row: 12 (row 6)",
        "rows: must be at most 5, got 6",
    ]


def test_a_folder_is_one_table_whose_files_are_named(tmp_path: Path) -> None:
    for name, values in {"a": [1, 2], "b": [2, 9]}.items():
        (tmp_path / name).mkdir()
        write(tmp_path / name, ".csv", {"x": values, **({"y": [0, 0]} if name == "a" else {})})
    expectation = contract(x={"max": 5, "unique": True}, y={}, rows={"max": 3})
    assert unquoted(breaches(tmp_path, expectation)) == [
        "column x: must be at most 5: broken by 1 row: 9 (b/orders.csv row 2)",
        "column x: must be unique: broken by 1 row: 2 (b/orders.csv row 1)",
        "column y: is missing in b/orders.csv (there is no others)",
        "rows: must be at most 3, got 4",
    ]


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_table_without_rows_breaks_the_least_number_alone(suffix: str, tmp_path: Path) -> None:
    path = write(tmp_path, suffix, {"x": []})
    expectation = contract(x={"type": "integer", "min": 0, "unique": True, "required": suffix != ".jsonl"})
    assert breaches(path, expectation) == ["rows: must be at least 1, got 0"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.parquet", b"no parquet", "orders: x.parquet: cannot be read as .parquet"),
        ("x.csv", b"", "orders: x.csv: cannot be read as .csv: No columns"),
        ("x.csv", b'a,b\n1,2\n1,2,3,"\n', "orders: x.csv: cannot be read as .csv"),
        ("x.jsonl", b'{"a": 1}\n{"a": \n', "orders: x.jsonl: cannot be read as .jsonl: line 2"),
        ("x.jsonl", b"[1]\n", "line 1: must be a JSON object"),
        ("x.npz", b"no archive", "orders: x.npz: cannot be read as .npz"),
        ("x.png", b"", "no table: x.png: must be .csv"),
    ],
)
def test_a_file_that_is_no_table_is_the_users_mistake(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message) as raised:
        check(tmp_path / name, contract(a={}), "orders")
    assert not isinstance(raised.value, ExpectationError)


def test_a_contract_that_contradicts_itself_is_told_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, ".csv", ORDERS)
    with pytest.raises(UserError) as raised:
        check(path, contract(kind={"type": "text", "min": 1}, id={"type": "boolean", "max": 1}), "orders")
    assert str(raised.value).splitlines() == [
        "orders: column 'kind': min and max need type integer or number, got text",
        "orders: column 'id': min and max need type integer or number, got boolean",
    ]
