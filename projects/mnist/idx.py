"""Reads IDX, the format of the MNIST files: a magic number, the sizes of the dimensions big-endian, then the values."""

from __future__ import annotations

import gzip
import struct
import zlib
from math import prod
from pathlib import Path
from typing import IO

import numpy as np

_GZIP = b"\x1f\x8b"
_UNSIGNED_BYTES = 0x08
_DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error)
_AGAIN = "fetch it again"


def read(path: Path, dimensions: int) -> np.ndarray:
    """The unsigned bytes of an IDX file, plain or compressed by gzip.

    Args:
        dimensions: how many there must be: 1 for labels, 3 for images.

    Raises:
        ValueError: it is no such file, or holds no more or no less than its header says.
    """
    with path.open("rb") as file:
        compressed = file.read(2) == _GZIP
    try:
        with gzip.open(path) if compressed else path.open("rb") as file:
            return _array(file, path.name, dimensions)
    except _DAMAGE as error:
        raise ValueError(f"{path.name}: is damaged gzip: {error} ({_AGAIN})") from error


def _array(file: IO[bytes], name: str, dimensions: int) -> np.ndarray:
    magic = bytes((0, 0, _UNSIGNED_BYTES, dimensions))
    found = file.read(len(magic))
    if found != magic:
        raise ValueError(
            f"{name}: must begin with {magic.hex(' ')}, unsigned bytes in {dimensions} dimension"
            f"{'s' * (dimensions > 1)} of IDX, got {found.hex(' ') or 'nothing'} (are images and labels mixed up?)"
        )
    header = file.read(4 * dimensions)
    if len(header) < 4 * dimensions:
        raise ValueError(f"{name}: ends within the sizes of its {dimensions} dimensions ({_AGAIN})")
    shape = struct.unpack(f">{dimensions}I", header)
    sizes, count = " × ".join(map(str, shape)), prod(shape)
    if not count:
        raise ValueError(f"{name}: must hold values, its header says {sizes} (name a file with data)")
    values = file.read()
    if len(values) != count:
        raise ValueError(f"{name}: must hold {count} bytes for {sizes}, got {len(values)} ({_AGAIN})")
    return np.frombuffer(values, dtype=np.uint8).reshape(shape)
