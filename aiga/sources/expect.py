"""The contract of a dataset, checked: every breach at once, with the rule, how many rows, and the first of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from aiga.errors import UserError
from aiga.sources import tables
from aiga.sources.duplicates import Seen, hashes
from aiga.sources.tables import Chunk
from aiga.sources.values import rules
from aiga.spec.expect import Expectation

if TYPE_CHECKING:
    from pandera.pandas import DataFrameSchema

SAMPLES = 5
"""Values of a breach that are shown."""
_LONGEST = 40
_WHOLE_ROW = ""
"""Where whole rows are compared, not a column."""


@dataclass
class Breach:
    """A rule that rows break."""

    column: str
    """Empty for a rule about whole rows."""
    rule: str
    rows: int = 0
    """How many rows break it; 0 for a rule about the whole table."""
    samples: list[tuple[str, str]] = field(default_factory=list)
    """The first values, and where they stand."""

    def __str__(self) -> str:
        where = f"column {self.column!r}" if self.column else "rows"
        if not self.rows:
            return f"{where}: {self.rule}"
        shown = ", ".join(f"{value} ({place})" if value else place for value, place in self.samples)
        more = ", …" if self.rows > len(self.samples) else ""
        return f"{where}: {self.rule}: broken by {self.rows} row{'s' * (self.rows > 1)}: {shown}{more}"


class ExpectationError(UserError):
    """Data that does not fulfil its contract."""

    def __init__(self, what: str, breaches: list[Breach]) -> None:
        self.breaches = tuple(breaches)
        remedy = f"{what}: mend the data, or its `expect:` in the project file; rows count from 1, without the header"
        super().__init__("\n".join([*(f"{what}: {breach}" for breach in breaches), remedy]))


def check(path: Path, expectation: Expectation, what: str) -> None:
    """See that the table at `path`, a file or a folder of files, fulfils its contract. It is read in chunks.

    Args:
        what: Name of the data in messages, such as `source orders`.

    Raises:
        ExpectationError: it does not; it has every breach.
        UserError: the file cannot be read as a table, or the contract contradicts itself.
    """
    try:
        examination = _Examination(expectation)
        for part in tables.files(path):
            examination.take(part, part.relative_to(path).as_posix() if path.is_dir() else "")
        breaches = examination.breaches()
    except UserError as error:
        raise UserError("\n".join(f"{what}: {line}" for line in str(error).splitlines())) from error
    if breaches:
        raise ExpectationError(what, breaches)


class _Examination:
    """What is known of a table that is read file by file, chunk by chunk."""

    def __init__(self, expectation: Expectation) -> None:
        self.expectation = expectation
        self.total = 0
        self._parts: list[tuple[int, str, Path]] = []
        self._found: dict[tuple[str, str], Breach] = {}
        self._unique = {name: Seen() for name, column in expectation.columns.items() if column.unique}
        if not expectation.rows.duplicates:
            self._unique[_WHOLE_ROW] = Seen()
        self._schemas = {text: _schema(expectation, text) for text in (False, True)}

    def take(self, part: Path, name: str) -> None:
        """All rows of one file."""
        start, seen, sparse = self.total, dict.fromkeys(tables.columns_of(part) or ()), False
        self._parts.append((start, name, part))
        wanted = None if _WHOLE_ROW in self._unique else tuple(self.expectation.columns)
        for chunk in tables.chunks(part, wanted):
            seen |= dict.fromkeys(map(str, chunk.columns))
            sparse = chunk.sparse
            self._take(chunk, start)
            self.total += chunk.rows
        self._columns(list(seen), name)
        if sparse:
            for column in set(self.expectation.columns) - set(seen):
                self._found.pop((column, _NULL), None)

    def breaches(self) -> list[Breach]:
        """All that was found, in the order of the contract."""
        for column, seen in self._unique.items():
            self._repeated(column, seen.repeated())
        rows = self.expectation.rows
        if self.total < rows.min:
            self._breach("", f"must be at least {rows.min}, got {self.total}")
        if rows.max is not None and self.total > rows.max:
            self._breach("", f"must be at most {rows.max}, got {self.total}")
        order = {name: place for place, name in enumerate(self.expectation.columns)}
        return sorted(self._found.values(), key=lambda breach: order.get(breach.column, len(order)))

    def _take(self, chunk: Chunk, start: int) -> None:
        frame = chunk.frame
        if chunk.sparse:
            frame = frame.reindex(columns=list(dict.fromkeys([*frame.columns, *self.expectation.columns])))
        frame.index = frame.index + start
        schema = self._schemas[chunk.text]
        self._validate(schema.select_columns([name for name in frame.columns if name in schema.columns]), frame)
        for name, array in chunk.arrays.items():
            if name in schema.columns:
                each = pd.DataFrame({name: array.reshape(-1)}, index=np.repeat(frame.index, array.shape[1]))
                self._validate(schema.select_columns([name]), each)
        if not self._unique:
            return
        arrays = {
            name: pd.Series([row.tobytes() for row in array], frame.index) for name, array in chunk.arrays.items()
        }
        whole = frame.assign(**arrays)
        for name, seen in self._unique.items():
            if name == _WHOLE_ROW:
                seen.add(hashes(whole), whole.index.to_numpy())
            elif name in whole:
                there = whole[[name]].dropna()
                seen.add(hashes(there), there.index.to_numpy())

    def _validate(self, schema: DataFrameSchema, frame: pd.DataFrame) -> None:
        for column, rule, cases in _failures(schema, frame):
            if cases["index"].isna().any():
                raise UserError(f"column {column!r}: {rule}: cannot be checked: {cases['failure_case'].iloc[0]}")
            first = cases.drop_duplicates("index")
            breach = self._breach(str(column), _NULL if rule == "not_nullable" else str(rule))
            breach.rows += len(first)
            for row, value in (
                first[["index", "failure_case"]].head(SAMPLES - len(breach.samples)).itertuples(index=False)
            ):
                breach.samples.append(("" if breach.rule == _NULL else _short(value), self._place(int(row))))

    def _columns(self, seen: list[str], part: str) -> None:
        """Columns that are missing, or too many."""
        known = self.expectation.columns
        within = f" in {part}" if part else ""
        for _, rule, cases in _failures(_columns_schema(self.expectation), pd.DataFrame(columns=seen)):
            for name in map(str, cases["failure_case"]):
                if rule == "column_in_dataframe":
                    others = [each for each in seen if each not in known] or ["no others"]
                    self._breach(name, f"is missing{within} (there is {', '.join(others[:SAMPLES])})")
                else:
                    self._breach(name, f"is not expected{within}, and `only` is true")

    def _repeated(self, column: str, rows: np.ndarray[Any, np.dtype[np.int64]]) -> None:
        if not len(rows):
            return
        breach = self._breach(column, "must be unique" if column else "must differ from one another")
        breach.rows = len(rows)
        for row in rows[:SAMPLES].tolist():
            breach.samples.append((self._value(row, column) if column else "", self._place(row)))

    def _value(self, row: int, column: str) -> str:
        """Read again, as only hashes were kept."""
        start, _, part = self._part(row)
        for chunk in tables.chunks(part, [column]):
            if column in chunk.frame and row - start in chunk.frame.index:
                return _short(chunk.frame.at[row - start, column])
        return ""

    def _part(self, row: int) -> tuple[int, str, Path]:
        return [part for part in self._parts if part[0] <= row][-1]

    def _place(self, row: int) -> str:
        start, name, _ = self._part(row)
        return f"{name} row {row - start + 1}".strip()

    def _breach(self, column: str, rule: str) -> Breach:
        return self._found.setdefault((column, rule), Breach(column, rule))


_NULL = "must not be null"


def _schema(expectation: Expectation, text: bool) -> DataFrameSchema:
    """What the values must be like, for pandera."""
    from pandera.pandas import Check, DataFrameSchema
    from pandera.pandas import Column as Rule

    columns, mistakes = {}, list[str]()
    for name, column in expectation.columns.items():
        try:
            checks = [Check(mask, error=rule, ignore_na=True) for rule, mask in rules(column, text).items()]
        except UserError as error:
            mistakes.append(f"column {name!r}: {error}")
            continue
        columns[name] = Rule(checks=checks, nullable=column.nulls, required=False)
    if mistakes:
        raise UserError("\n".join(mistakes))
    return DataFrameSchema(columns)


def _columns_schema(expectation: Expectation) -> DataFrameSchema:
    """Which columns there must be, for pandera."""
    from pandera.pandas import Column as Rule
    from pandera.pandas import DataFrameSchema

    columns = {name: Rule(nullable=True, required=column.required) for name, column in expectation.columns.items()}
    return DataFrameSchema(columns, strict=expectation.only)


def _failures(schema: DataFrameSchema, frame: pd.DataFrame) -> Iterable[tuple[str, str, pd.DataFrame]]:
    """Column, rule and cases (failure_case, index) of all that pandera finds."""
    from pandera.errors import SchemaErrors

    try:
        schema.validate(frame, lazy=True)
    except SchemaErrors as errors:
        cases = errors.failure_cases
        return [(*key, group) for key, group in cases.groupby(["column", "check"], sort=False, dropna=False)]
    return []


def _short(value: Any) -> str:
    plain = value.item() if isinstance(value, np.generic) else value
    text = repr(plain) if isinstance(plain, str | bytes) else str(plain)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
