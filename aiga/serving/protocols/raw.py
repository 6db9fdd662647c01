"""Tensors as bytes: little-endian and row-major; strings each with their length in four bytes before them.

The same in the binary extension of v2 on REST and in `raw_input_contents` on gRPC.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from aiga.serving.messages import TYPES, BadRequest
from aiga.serving.protocols.arrays import objects, sized

_LENGTH = struct.Struct("<I")


def unpack(content: bytes | memoryview, datatype: str, shape: tuple[int, ...], where: str) -> npt.NDArray[Any]:
    """The array in `content`; it may share its memory, and then cannot be written to.

    Raises:
        BadRequest: it does not have exactly the bytes that the shape needs, or a BOOL that is neither 0 nor 1.
    """
    if datatype == "BYTES":
        return objects(_strings(memoryview(content), sized(shape), where), shape)
    dtype = TYPES[datatype]
    wanted = sized(shape) * dtype.itemsize
    if len(content) != wanted:
        raise BadRequest(f"{where}: has {len(content)} bytes; {datatype} of shape {list(shape)} takes {wanted}")
    if datatype == "BOOL" and wanted and np.frombuffer(content, dtype=np.uint8).max() > 1:
        raise BadRequest(f"{where}: has bytes other than 0 and 1; BOOL takes no others")
    array = np.frombuffer(content, dtype=dtype.newbyteorder("<")).astype(dtype, copy=False)
    return np.require(array, requirements="A").reshape(shape)


def pack(array: npt.NDArray[Any]) -> bytes:
    """The bytes of an array."""
    if array.dtype != object:
        return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    return join(array.ravel().tolist())


def join(elements: Sequence[bytes]) -> bytes:
    """Strings, each with its length before it."""
    parts: list[bytes] = []
    for element in elements:
        parts += (_LENGTH.pack(len(element)), element)
    return b"".join(parts)


def _strings(content: memoryview, wanted: int, where: str) -> list[bytes]:
    found: list[bytes] = []
    position, end = 0, len(content)
    while position < end:
        start = position + _LENGTH.size
        if start > end:
            raise BadRequest(f"{where}: string {len(found)} has no length; four bytes must be before each")
        position = start + _LENGTH.unpack_from(content, position)[0]
        if position > end:
            raise BadRequest(f"{where}: string {len(found)} ends {position - end} bytes after the last of the tensor")
        found.append(bytes(content[start:position]))
    if len(found) != wanted:
        raise BadRequest(f"{where}: has {len(found)} strings; its shape takes {wanted}")
    return found
