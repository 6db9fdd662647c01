"""Rows that are alike, found by a 64-bit hash of each: eight bytes a row, however wide it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

_Rows = np.ndarray[Any, np.dtype[np.int64]]
_Hashes = np.ndarray[Any, np.dtype[np.uint64]]


class Seen:
    """What was seen of a column, or of whole rows.

    Two different rows with one hash would count as alike: one chance in a billion for 200,000 rows, and one in four
    thousand for a hundred million.
    """

    def __init__(self) -> None:
        self._hashes: list[_Hashes] = []
        self._rows: list[_Rows] = []

    def add(self, hashes: _Hashes, rows: _Rows) -> None:
        """More rows, with their numbers."""
        self._hashes.append(hashes)
        self._rows.append(rows)

    def repeated(self) -> _Rows:
        """The rows that are like an earlier one, in order."""
        if not self._hashes:
            return np.empty(0, dtype=np.int64)
        hashes, rows = np.concatenate(self._hashes), np.concatenate(self._rows)
        order = np.argsort(hashes, kind="stable")
        alike = hashes[order][1:] == hashes[order][:-1]
        return np.sort(rows[order][1:][alike])


def hashes(frame: pd.DataFrame) -> _Hashes:
    """One hash a row, of all columns together."""
    plain = {name: _hashable(frame[name]) for name in frame.columns}
    found = pd.util.hash_pandas_object(pd.DataFrame(plain, index=frame.index), index=False)
    return np.asarray(found, dtype=np.uint64)


def _hashable(column: pd.Series[Any]) -> pd.Series[Any]:
    """Lists and other objects as they are written."""
    return column.map(repr) if types.is_object_dtype(column.dtype) else column
