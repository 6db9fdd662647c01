"""Between nested lists of JSON values and arrays, at the speed of NumPy; every element's type and range is checked."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Iterable, Sequence
from itertools import chain
from types import NoneType
from typing import Any

import numpy as np
import numpy.typing as npt

from aiga.serving.messages import TYPES, BadRequest
from aiga.serving.protocols.body import DEEPEST, shown

Array = npt.NDArray[Any]


def flatten(values: Any, where: str) -> tuple[list[Any], tuple[int, ...]]:
    """The elements of nested lists in row-major order, and their shape; of a single value, itself and ().

    Raises:
        BadRequest: the lists are ragged or nested too deep.
    """
    if type(values) is not list:
        return [values], ()
    level = values
    shape: tuple[int, ...] = (len(values),)
    while True:
        kinds = set(map(type, level))
        if list not in kinds:
            return level, shape
        if len(kinds) > 1:
            first = type(level[0]) is list
            index = next(i for i, value in enumerate(level) if (type(value) is list) is not first)
            found, wanted = shown(level[index]), shown(level[0])
            raise BadRequest(f"{place(where, index, shape)}: is {found} beside {wanted}; all must be nested alike")
        lengths = set(map(len, level))
        if len(lengths) > 1:
            index = next(i for i, value in enumerate(level) if len(value) != len(level[0]))
            sizes = f"{len(level[index])} elements where the first has {len(level[0])}"
            raise BadRequest(f"{place(where, index, shape)}: has {sizes}; lists side by side must be equally long")
        if len(shape) == DEEPEST:
            raise BadRequest(f"{where}: has more than {DEEPEST} dimensions")
        shape = (*shape, *lengths)
        level = list(chain.from_iterable(level))


def place(where: str, index: int, shape: Sequence[int]) -> str:
    """Where the element number `index` of an array of that shape stands in the body.

    A `[*]` in `where` is the first dimension: rows that are objects, each with its value for one tensor.
    """
    path = [f"[{number}]" for number in np.unravel_index(index, tuple(shape))] if shape else []
    if "[*]" in where and path:
        where = where.replace("[*]", path.pop(0), 1)
    return where + "".join(path)


def to_array(
    leaves: list[Any],
    shape: tuple[int, ...],
    datatype: str,
    where: str,
    *,
    nan: bool = False,
    null: bool = False,
    wrapped: bool = False,
) -> Array:
    """The array of `leaves`, which `flatten` gave.

    Args:
        leaves: values of JSON.
        shape: of the array, and of the lists in which the leaves stood.
        datatype: one of `TYPES`.
        where: their place in the body.
        nan: whether numbers need not be finite; where they must, infinity is a number with too large an exponent.
        null: whether null stands for NaN in arrays of floating point, as servers write it.
        wrapped: whether elements of BYTES may be objects {"b64": ...}.

    Raises:
        BadRequest: an element has another type than `datatype`, or is out of its range.
    """
    allowed = _LEAVES[datatype]
    if wrapped and datatype == "BYTES":
        allowed = allowed | {dict}
    if null and datatype in _FLOATS:
        allowed = allowed | {NoneType}
    if not set(map(type, leaves)) <= allowed:
        index = next(i for i, leaf in enumerate(leaves) if type(leaf) not in allowed)
        raise BadRequest(
            f"{place(where, index, shape)}: is {shown(leaves[index])}; {datatype} takes {_WANTED[datatype]}"
        )
    if datatype == "BYTES":
        return objects(_encoded(leaves, shape, where), shape)
    if datatype in _FLOATS:
        return _real(leaves, shape, datatype, where, nan or null)
    try:
        return np.array(leaves, dtype=TYPES[datatype]).reshape(shape)
    except OverflowError:
        bounds = np.iinfo(TYPES[datatype])
        index = next(i for i, leaf in enumerate(leaves) if not bounds.min <= leaf <= bounds.max)
        raise _out_of_range(leaves[index], datatype, place(where, index, shape)) from None


def cast(array: Array, datatype: str, where: str) -> Array:
    """`array` in another data type, when no value changes more than by rounding.

    Raises:
        BadRequest: a number is out of range, has a fraction where whole numbers are wanted, or it is text.
    """
    dtype = TYPES[datatype]
    if array.dtype == dtype:
        return array
    if datatype == "BYTES" or array.dtype == object:
        raise BadRequest(f"{where}: has {'text' if array.dtype == object else 'numbers'}; the model takes {datatype}")
    with np.errstate(over="ignore", invalid="ignore"):
        out = array.astype(dtype)
    wrong = _changed(array, out, datatype)
    if wrong.any():
        index = int(wrong.argmax())
        raise _out_of_range(array.ravel()[index].item(), datatype, place(where, index, array.shape))
    return out


def datatype_of(leaves: Iterable[Any], where: str, *, whole: str = "INT64", real: str = "FP64") -> str:
    """The data type of values whose model says none: `whole` and `real` for numbers, BOOL, or BYTES for text."""
    kinds = set(map(type, leaves))
    if kinds <= {int, float}:
        return whole if kinds == {int} else real
    if kinds == {bool}:
        return "BOOL"
    if kinds <= {str, dict}:
        return "BYTES"
    raise BadRequest(f"{where}: has values of different types; all must be numbers, all strings, or all true or false")


def objects(elements: Sequence[Any], shape: tuple[int, ...]) -> Array:
    """An array of objects, of that shape."""
    array = np.empty(len(elements), dtype=object)
    array[:] = elements
    return array.reshape(shape)


def unwrapped(text: Any, where: str) -> bytes:
    """The bytes that a string holds in base64."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise BadRequest(f"{where}: is {shown(text)}; it must be a string in base64") from None


def to_lists(array: Array) -> Any:
    """Nested lists of Python's values; bytes become text.

    Raises:
        UnicodeDecodeError: bytes that are no UTF-8.
    """
    return decoded(array).tolist() if array.dtype == object else array.tolist()


def decoded(array: Array) -> Array:
    """An array of text, of one of bytes."""
    return objects([str(element, "utf-8") for element in array.ravel()], array.shape)


def sized(shape: Sequence[int]) -> int:
    """How many elements an array of that shape has."""
    return math.prod(shape)


def check_shape(shape: Iterable[Any], where: str) -> tuple[int, ...]:
    """A shape that a client names: at most `DEEPEST` whole numbers, none negative.

    Raises:
        BadRequest: it is not.
    """
    found = tuple(shape)
    for index, size in enumerate(found):
        if type(size) is not int or not 0 <= size < 2**31:
            raise BadRequest(f"{where}[{index}]: is {shown(size)}; it must be a whole number from 0 to {2**31 - 1}")
    if len(found) > DEEPEST:
        raise BadRequest(f"{where}: has {len(found)} dimensions; at most {DEEPEST} are taken")
    if math.prod(size for size in found if size) >= 2**60:
        raise BadRequest(f"{where}: is too large for any array")
    return found


def _encoded(leaves: list[Any], shape: tuple[int, ...], where: str) -> list[bytes]:
    try:
        return list(map(str.encode, leaves))
    except TypeError:  # an object among them
        return [_element(leaf, place(where, index, shape)) for index, leaf in enumerate(leaves)]


def _element(leaf: Any, where: str) -> bytes:
    if type(leaf) is not dict:
        return str(leaf).encode()
    if leaf.keys() != {"b64"}:
        raise BadRequest(f'{where}: is an object; it must be a string, or bytes as {{"b64": "..."}}')
    return unwrapped(leaf["b64"], f"{where}.b64")


def _real(leaves: list[Any], shape: tuple[int, ...], datatype: str, where: str, nan: bool) -> Array:
    try:
        wide: Array = np.array(leaves, dtype=np.float64)
    except OverflowError:
        index = next(i for i, leaf in enumerate(leaves) if type(leaf) is int and abs(leaf) >= 2**1023)
        raise _out_of_range(leaves[index], datatype, place(where, index, shape)) from None
    with np.errstate(over="ignore"):
        array = wide.astype(TYPES[datatype], copy=False)
    finite = np.isfinite(array)
    if not finite.all():
        wrong = np.isinf(array) & np.isfinite(wide) if nan else np.logical_not(finite)
        if wrong.any():
            index = int(wrong.argmax())
            raise _out_of_range(leaves[index], datatype, place(where, index, shape))
    return array.reshape(shape)


def _changed(array: Array, out: Array, datatype: str) -> Array:
    """Which elements of `array` are others in `out`, its cast to `datatype`."""
    fits: Array
    if datatype in _FLOATS:
        fits = np.isfinite(out) | ~np.isfinite(array)
    elif datatype == "BOOL":
        fits = (array == 0) | (array == 1)
    else:
        bounds = np.iinfo(TYPES[datatype])
        fits = (array >= bounds.min) & (array <= bounds.max)
        if array.dtype.kind == "f":  # the greatest INT64 is no float, the number after it is
            fits = (array >= float(bounds.min)) & (array < float(bounds.max) + 1) & (np.trunc(array) == array)
    return np.logical_not(fits)


def _out_of_range(value: Any, datatype: str, where: str) -> BadRequest:
    if datatype == "BOOL":
        return BadRequest(f"{where}: is {shown(value)}; BOOL takes 0 and 1")
    if datatype in _FLOATS:
        most = float(np.finfo(TYPES[datatype]).max)
        return BadRequest(f"{where}: is {shown(value)}; {datatype} takes numbers from {-most:g} to {most:g}")
    bounds = np.iinfo(TYPES[datatype])
    return BadRequest(f"{where}: is {shown(value)}; {datatype} takes whole numbers from {bounds.min} to {bounds.max}")


_FLOATS = frozenset({"FP16", "FP32", "FP64"})
_LEAVES: dict[str, frozenset[type]] = {
    **{datatype: frozenset({int}) for datatype in TYPES},
    **{datatype: frozenset({int, float}) for datatype in _FLOATS},
    "BOOL": frozenset({bool}),
    "BYTES": frozenset({str}),
}
_WANTED = {
    **dict.fromkeys(TYPES, "whole numbers"),
    **dict.fromkeys(_FLOATS, "numbers"),
    "BOOL": "true and false",
    "BYTES": "strings",
}
