"""The table of predictions: one row an example, with what was expected, what was predicted, and columns to slice by.

Columns: `expected` and `predicted`; where the model gives scores, `score` (of the greater of two classes) or one
`score_<class>` for every class; any others make slices. Files: CSV, Parquet, .npz of arrays named like the columns (a
two-dimensional `score` stands for its columns, an array `classes` names them), or JSON lines.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from aiga.errors import UserError
from aiga.names import EXPECTED, PREDICTED

SCORE = "score"
SCORE_OF = "score_"
CLASSES = "classes"
"""Array of an .npz that names the columns of a two-dimensional `score`."""

Format = Literal["csv", "parquet", "npz", "jsonl"]
_SUFFIXES: dict[str, Format] = {
    ".csv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".npz": "npz",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
}


@dataclass(frozen=True, eq=False)
class Predictions:
    """A table that was checked: at least one row, nothing missing or infinite where metrics look."""

    frame: pd.DataFrame
    classes: tuple[Any, ...] = ()
    """What was expected or predicted in the whole table, in order; `score` is of the last."""

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def expected(self) -> npt.NDArray[Any]:
        return _plain(self.frame[EXPECTED])

    @property
    def predicted(self) -> npt.NDArray[Any]:
        return _plain(self.frame[PREDICTED])

    @property
    def numeric(self) -> bool:
        """Whether expected and predicted are numbers."""
        return self.expected.dtype.kind in "iuf"

    @cached_property
    def scores(self) -> dict[str, npt.NDArray[np.float64]]:
        """Scores by the class's label; empty when there are none."""
        names = [name for name in self.frame.columns if name.startswith(SCORE_OF)]
        return {name.removeprefix(SCORE_OF): self.frame[name].to_numpy(float) for name in names}

    @cached_property
    def score(self) -> npt.NDArray[np.float64] | None:
        """The one score of a table with two classes; None when there is none."""
        return self.frame[SCORE].to_numpy(float) if SCORE in self.frame else None

    @property
    def positive(self) -> Any:
        """The class that `score` is of: the greater of two; where only one occurs, that one unless it is 0."""
        return self.classes[-1] if len(self.classes) > 1 or label(self.classes[0]) != "0" else None

    def take(self, rows: npt.ArrayLike) -> Predictions:
        """The rows at these positions, of the same classes."""
        return Predictions(self.frame.iloc[np.asarray(rows)], self.classes)


def label(value: Any) -> str:
    """How a class is written in the name of its score's column: 3.0 as 3, True as 1."""
    if isinstance(value, bool | np.bool_):
        return str(int(value))
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


def read(path: Path) -> Predictions:
    """The table in a file.

    Raises:
        UserError: there is none, it is in no known format, or it lacks what every metric needs; all of it at once.
    """
    if not path.is_file():
        raise UserError(f"{path}: must be a file with the table of predictions (write it, or name it in evaluate.out)")
    kind = _SUFFIXES.get(path.suffix.lower()) or _sniffed(path)
    readers: dict[Format, Callable[[Path], pd.DataFrame]] = {
        "csv": _csv,
        "parquet": pd.read_parquet,
        "npz": _npz,
        "jsonl": _jsonl,
    }
    try:
        frame = readers[kind](path)
    except (ValueError, OSError, KeyError, zipfile.BadZipFile, UnicodeDecodeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(
            f"{path}: must be readable as {kind}: {reason} (write CSV, Parquet, .npz or JSON lines, with that suffix)"
        ) from error
    return checked(frame, str(path))


def checked(frame: pd.DataFrame, where: str) -> Predictions:
    """The table if it holds what every metric needs.

    Raises:
        UserError: every mistake, one a line.
    """
    frame = frame.rename(columns=str)
    mistakes = [
        f"{where}: {name}: must be a column, got {', '.join(frame.columns) or 'none'} (write {name} values under it)"
        for name in (EXPECTED, PREDICTED)
        if name not in frame
    ]
    if frame.empty:
        mistakes.append(f"{where}: must have at least one row, got none (does the evaluation see any data?)")
    judged = [name for name in map(str, frame) if name in (EXPECTED, PREDICTED, SCORE) or name.startswith(SCORE_OF)]
    for name in judged:
        mistakes += [f"{where}: {name}: {mistake}" for mistake in _mistakes(frame[name], name)]
    if not mistakes:
        kinds = {
            name: "number" if _plain(frame[name]).dtype.kind in "iuf" else "text" for name in (EXPECTED, PREDICTED)
        }
        if kinds[EXPECTED] != kinds[PREDICTED]:
            mistakes.append(
                f"{where}: {PREDICTED}: must be of one kind with {EXPECTED}, got {kinds[PREDICTED]} beside "
                f"{kinds[EXPECTED]} (write both as class names or both as numbers)"
            )
    if mistakes:
        raise UserError("\n".join(mistakes))
    found = np.unique(np.concatenate([_plain(frame[name]) for name in (EXPECTED, PREDICTED)]))
    return Predictions(frame.reset_index(drop=True), tuple(found.tolist()))


def _mistakes(column: pd.Series[Any], name: str) -> list[str]:
    missing = np.flatnonzero(column.isna().to_numpy())
    if missing.size:
        return [
            f"must have a value in every row, got none in {missing.size}, first in row {missing[0] + 1} "
            "(does the model give NaN?)"
        ]
    numbers = _plain(column)
    if numbers.dtype.kind not in "iuf":
        return [] if name in (EXPECTED, PREDICTED) else [f"must be numbers, got {column.iloc[0]!r} (write scores)"]
    infinite = np.flatnonzero(~np.isfinite(numbers))
    if infinite.size:
        return [f"must be finite, got {numbers[infinite[0]]} in row {infinite[0] + 1} ({infinite.size} in all)"]
    return []


def _plain(column: pd.Series[Any]) -> npt.NDArray[Any]:
    """Numbers as they are, truth values as 0 and 1, everything else as text."""
    if pd.api.types.is_bool_dtype(column.dtype):
        return column.to_numpy(dtype=np.int64)
    if pd.api.types.is_integer_dtype(column.dtype):
        return column.to_numpy(dtype=np.int64)
    if pd.api.types.is_numeric_dtype(column.dtype):
        return column.to_numpy(dtype=np.float64)
    return column.astype(str).to_numpy(dtype=str)


def _sniffed(path: Path) -> Format:
    with path.open("rb") as file:
        start = file.read(64)
    if start.startswith(b"PAR1"):
        return "parquet"
    if start.startswith(b"PK\x03\x04"):
        return "npz"
    return "jsonl" if start.lstrip().startswith(b"{") else "csv"


def _csv(path: Path) -> pd.DataFrame:
    if not path.stat().st_size:
        return pd.DataFrame()
    # "NA" or "None" may well be the name of a class.
    return pd.read_csv(path, keep_default_na=False, na_values=["", "nan", "NaN"], encoding="utf-8-sig")


def _jsonl(path: Path) -> pd.DataFrame:
    rows = []
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(f"line {number} is no JSON") from error
            if not isinstance(row, dict):
                raise ValueError(f"line {number} is no JSON object")
            rows.append(row)
    return pd.DataFrame(rows)


def _npz(path: Path) -> pd.DataFrame:
    with np.load(path, allow_pickle=False) as arrays:
        return _columns({name: arrays[name] for name in arrays.files})


def _columns(arrays: Mapping[str, npt.NDArray[Any]]) -> pd.DataFrame:
    columns: dict[str, npt.NDArray[Any]] = {}
    for name, array in arrays.items():
        if name == CLASSES and arrays.get(SCORE, array).ndim == 2:
            continue
        if name == SCORE and array.ndim == 2 and array.shape[1] > 1:
            classes = list(arrays.get(CLASSES, np.arange(array.shape[1])))
            if len(classes) != array.shape[1]:
                raise ValueError(f"score has {array.shape[1]} columns, and classes names {len(classes)}")
            columns |= {SCORE_OF + label(value): array[:, index] for index, value in enumerate(classes)}
        elif array.ndim == 1 or (array.ndim == 2 and array.shape[1] == 1):
            columns[name] = array.reshape(-1)
        else:
            raise ValueError(f"{name} has shape {array.shape}, where a column has one dimension")
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError("arrays must be equally long, got " + ", ".join(f"{k} {v}" for k, v in lengths.items()))
    return pd.DataFrame(columns)
