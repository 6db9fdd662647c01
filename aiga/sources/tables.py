"""Tables on disk, read a chunk at a time: CSV, TSV, Parquet, JSON lines, arrays of an .npz, or a folder of them."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from aiga.errors import UserError

ROWS = 1 << 16
"""Rows of a chunk."""
CELLS = 1 << 20
"""Numbers of a chunk of arrays, which may have many in a row."""


@dataclass(frozen=True)
class Chunk:
    """Consecutive rows of a table."""

    frame: pd.DataFrame
    """Columns of single values; its index counts the rows of the file from 0."""
    arrays: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)
    """Columns with more than one number in a row, rows first; only an .npz has them."""
    text: bool = False
    """Whether every value is text that stands for another type: CSV."""
    sparse: bool = False
    """Whether a row may leave a column out, which then is null there: JSON lines."""

    @property
    def columns(self) -> list[str]:
        return [*self.frame.columns, *self.arrays]

    @property
    def rows(self) -> int:
        return len(self.frame.index)


def files(path: Path) -> list[Path]:
    """The files that make up the table at `path`, sorted by name.

    Raises:
        UserError: one of them is no table, or there is none.
    """
    parts = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    strange = [each.name for each in parts if _reader(each) is None]
    if strange or not parts:
        found = ", ".join(strange[:3]) if strange else "an empty folder"
        raise UserError(
            f"{path.name}: no table: {found}: must be {', '.join(_READERS)} (leave `expect:` out for others)"
        )
    return parts


def chunks(path: Path, columns: Sequence[str] | None = None) -> Iterator[Chunk]:
    """The rows of one file, at least one chunk, in order.

    Args:
        columns: Those that are needed; a format that can leaves the others out of the chunks.

    Raises:
        UserError: the file is not of the format that its suffix says.
    """
    reader = _reader(path)
    if reader is None:
        raise UserError(f"{path.name}: must be {', '.join(_READERS)}")
    with _explained(path):
        yield from reader(path, columns)


_UNREADABLE = (pa.ArrowException, pd.errors.ParserError, ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except _UNREADABLE as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(f"{path.name}: cannot be read as {path.suffix}: {reason}") from error


def columns_of(path: Path) -> list[str] | None:
    """All columns of a Parquet file; None for formats whose chunks have them all."""
    if path.suffix.lower() != ".parquet":
        return None
    with _explained(path):
        return list(parquet.read_schema(path).names)


def count(path: Path) -> int | None:
    """Rows of a Parquet file, which knows them; None where one would have to read it."""
    if path.suffix.lower() != ".parquet" or not path.is_file():
        return None
    try:
        return int(parquet.read_metadata(path).num_rows)
    except pa.ArrowException:
        return None


def _delimited(separator: str) -> Callable[[Path, Sequence[str] | None], Iterator[Chunk]]:
    def read(path: Path, _columns: Sequence[str] | None) -> Iterator[Chunk]:
        with pd.read_csv(path, sep=separator, dtype=str, chunksize=ROWS, index_col=False) as reader:
            for frame in reader:
                yield Chunk(frame, text=True)

    return read


def _parquet(path: Path, columns: Sequence[str] | None) -> Iterator[Chunk]:
    with parquet.ParquetFile(path) as file:
        names = file.schema_arrow.names
        wanted = names if columns is None else [each for each in names if each in columns]
        start = 0
        for batch in file.iter_batches(batch_size=ROWS, columns=wanted):
            frame = batch.to_pandas(types_mapper=_NULLABLE.get, ignore_metadata=True)
            frame.index = pd.RangeIndex(start, start + len(frame))
            start += len(frame)
            yield Chunk(frame)
        if not start:
            yield Chunk(pd.DataFrame(columns=wanted))


def _json_lines(path: Path, _columns: Sequence[str] | None) -> Iterator[Chunk]:
    start, rows = 0, list[dict[str, Any]]()
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                rows.append(_object(line, number))
            if len(rows) == ROWS:
                yield _sparse(rows, start)
                start, rows = start + len(rows), []
    if rows or not start:
        yield _sparse(rows, start)


def _object(line: str, number: int) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise ValueError(f"line {number}: {error}") from error
    if not isinstance(value, dict):
        raise ValueError(f"line {number}: must be a JSON object, got {line.strip()[:40]}")
    return value


def _sparse(rows: list[dict[str, Any]], start: int) -> Chunk:
    frame = pd.DataFrame(rows, index=pd.RangeIndex(start, start + len(rows)), dtype=object)
    return Chunk(frame, sparse=True)


def _arrays(path: Path, _columns: Sequence[str] | None) -> Iterator[Chunk]:
    with np.load(path, allow_pickle=False) as archive:
        columns = {name: archive[name] for name in archive.files}
    lengths = {name: len(array) if array.ndim else -1 for name, array in columns.items()}
    if len(set(lengths.values())) > 1 or -1 in lengths.values():
        shapes = ", ".join(f"{name} {array.shape}" for name, array in columns.items())
        raise ValueError(f"arrays must have one row a sample, all as many: {shapes}")
    total = next(iter(lengths.values()), 0)
    widest = max((array[:1].size for array in columns.values()), default=1)
    step = max(1, min(ROWS, CELLS // max(widest, 1)))
    for start in range(0, max(total, 1), step):
        part = {name: array[start : start + step] for name, array in columns.items()}
        index = pd.RangeIndex(start, min(start + step, total))
        flat = {name: array for name, array in part.items() if array.ndim == 1}
        yield Chunk(
            pd.DataFrame(flat, index=index),
            arrays={name: array.reshape(len(array), -1) for name, array in part.items() if array.ndim > 1},
        )


_NULLABLE: dict[pa.DataType, Any] = {
    pa.bool_(): pd.BooleanDtype(),
    **{getattr(pa, name.lower())(): pd.api.types.pandas_dtype(name) for name in ("Int8", "Int16", "Int32", "Int64")},
    **{
        getattr(pa, name.lower())(): pd.api.types.pandas_dtype(name) for name in ("UInt8", "UInt16", "UInt32", "UInt64")
    },
}
"""Types that stay themselves where values are missing, so that every chunk of a column has the same."""
_READERS: dict[str, Callable[[Path, Sequence[str] | None], Iterator[Chunk]]] = {
    ".csv": _delimited(","),
    ".csv.gz": _delimited(","),
    ".tsv": _delimited("\t"),
    ".parquet": _parquet,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".npz": _arrays,
}


def _reader(path: Path) -> Callable[[Path, Sequence[str] | None], Iterator[Chunk]] | None:
    return next((reader for suffix, reader in _READERS.items() if path.name.lower().endswith(suffix)), None)
