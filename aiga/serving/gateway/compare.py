"""Whether two versions say the same of the same rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from aiga.serving.messages import Message, Tensor


def agreement(main: Message, other: Message, tolerance: float) -> tuple[int, int]:
    """Rows that two answers agree on, and rows in all.

    Decisions count where there are any: labels (integers, texts, truth values) must be the same. Else the greatest of a
    row of scores must be at the same place, and single numbers within `tolerance` of each other, relatively. Answers of
    different tensors or shapes agree on nothing.
    """
    theirs = {tensor.name: tensor for tensor in other.tensors}
    rows = max((tensor.shape[0] if tensor.shape else 1 for tensor in main.tensors), default=0)
    if {tensor.name for tensor in main.tensors} != set(theirs):
        return 0, rows
    decisions = [tensor for tensor in main.tensors if tensor.data.dtype.kind != "f"]
    same = np.ones(rows, dtype=np.bool_)
    for tensor in decisions or main.tensors:
        if tensor.shape != theirs[tensor.name].shape:
            return 0, rows
        agreed = _rows(tensor, theirs[tensor.name], tolerance)
        if agreed.shape != same.shape:
            agreed = np.full(rows, bool(agreed.all()))
        same &= agreed
    return int(same.sum()), rows


def _rows(main: Tensor, other: Tensor, tolerance: float) -> npt.NDArray[np.bool_]:
    ours, theirs = _table(main.data), _table(other.data)
    if ours.dtype.kind != "f":
        return np.asarray((ours == theirs).all(axis=1), dtype=np.bool_)
    if main.data.ndim > 1 and ours.shape[1] > 1:
        return np.asarray(ours.argmax(axis=1) == theirs.argmax(axis=1), dtype=np.bool_)
    close = np.isclose(ours, theirs, rtol=tolerance, atol=tolerance * 1e-3, equal_nan=True)
    return np.asarray(close.all(axis=1), dtype=np.bool_)


def _table(data: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A row for each index of the first axis."""
    return data.reshape(data.shape[0], -1) if data.ndim else data.reshape(1, 1)
