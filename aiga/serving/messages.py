"""What travels inside: tensors with names, whatever protocol a client speaks. Everything else translates to these.

Data types are those of the Open Inference Protocol (v2); arrays are C-contiguous, of exactly the tensor's shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

GONE = 499
"""Status of what nobody waits for any more, its client gone or the rest of its work failed, as nginx counts them."""
TYPES: Mapping[str, np.dtype[Any]] = {
    "BOOL": np.dtype(np.bool_),
    "UINT8": np.dtype(np.uint8),
    "UINT16": np.dtype(np.uint16),
    "UINT32": np.dtype(np.uint32),
    "UINT64": np.dtype(np.uint64),
    "INT8": np.dtype(np.int8),
    "INT16": np.dtype(np.int16),
    "INT32": np.dtype(np.int32),
    "INT64": np.dtype(np.int64),
    "FP16": np.dtype(np.float16),
    "FP32": np.dtype(np.float32),
    "FP64": np.dtype(np.float64),
    "BYTES": np.dtype(object),
}
"""Data type of the protocol to that of NumPy; the elements of BYTES are `bytes`."""


@dataclass(frozen=True, eq=False)
class Tensor:
    """One named array."""

    name: str
    datatype: str
    data: npt.NDArray[Any]
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.data.shape


@dataclass(frozen=True, eq=False)
class Message:
    """A request or a response."""

    tensors: tuple[Tensor, ...]
    id: str = ""
    """Of the request; its response carries the same."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    requested: tuple[str, ...] = ()
    """Outputs that a request asks for; all when empty."""
    model: str = ""
    version: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)
    """Seldon's `meta`: tags, metrics, routing, requestPath."""

    @property
    def size(self) -> int:
        """Bytes of its tensors' values."""
        return sum(
            sum(map(len, each.data.flat)) if each.datatype == "BYTES" else each.data.nbytes for each in self.tensors
        )

    def with_(self, **changes: Any) -> Message:
        return replace(self, **changes)


class ServingError(Exception):
    """What a client is answered in place of a prediction: an HTTP status, and a reason that it may read."""

    def __init__(self, status: int, reason: str, *, of_model: bool = False) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason
        self.of_model = of_model
        """Whether the model's own code raised it, so that it says nothing of the server, which is well."""


class BadRequest(ServingError):
    """The request itself is wrong: status 400."""

    def __init__(self, reason: str) -> None:
        super().__init__(400, reason)
