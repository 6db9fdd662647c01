"""Which values a model may get in another type than the client sent them in.

The rule: a number may be rounded from a wider floating-point type to a narrower one, for clients send FP64 where models
were trained in FP32; apart from that it must be the same number afterwards, or the request is refused. So 3.0 is taken
for an INT64, and 3.5 is not; 16777217 is not taken for an FP32, which has no such number.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from aiga.serving.messages import TYPES, BadRequest, Tensor

Array = npt.NDArray[Any]
DATATYPES = {str(dtype): name for name, dtype in TYPES.items()}
"""Name of a NumPy type to that of the protocol."""


def cast(tensor: Tensor, datatype: str) -> Array:
    """The tensor's values in the type that a model takes.

    Raises:
        BadRequest: a value would become another one.
    """
    data, target = tensor.data, TYPES[datatype]
    if data.dtype == target:
        return data
    if "BYTES" in (tensor.datatype, datatype):
        raise BadRequest(f"input {tensor.name}: must be {datatype}, got {tensor.datatype}")
    wrong = data[~_kept(data, target)]
    if wrong.size:
        raise BadRequest(
            f"input {tensor.name}: must be {datatype}, got {tensor.datatype} with {wrong.flat[0]}, which is no {datatype}"
        )
    return data.astype(target)


def _kept(data: Array, target: np.dtype[Any]) -> npt.NDArray[np.bool_]:
    """Where a value stays what it is, within the rule."""
    source = data.dtype
    everywhere: npt.NDArray[np.bool_] = np.ones(data.shape, np.bool_)
    if source.kind == "b" or np.can_cast(source, target, "safe") and not (source.kind in "iu" and target.kind == "f"):
        return everywhere
    if target.kind == "b":
        return (data == 0) | (data == 1)
    if target.kind == "f":
        if source.kind == "f":
            return ~np.isfinite(data) | (np.abs(data) <= np.finfo(target).max)
        exact = 2 ** (np.finfo(target).nmant + 1)
        return (data <= exact) & (data >= -exact) if source.kind == "i" else data <= exact
    return _whole(data, target)


def _whole(data: Array, target: np.dtype[Any]) -> npt.NDArray[np.bool_]:
    limits = np.iinfo(target)
    if data.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            wide = data.astype(np.float64)
            return (wide == np.floor(wide)) & (wide >= float(limits.min)) & (wide < float(limits.max) + 1)
    least, most = np.iinfo(data.dtype).min, np.iinfo(data.dtype).max
    return (data >= max(limits.min, least)) & (data <= min(limits.max, most))
