"""What tests of the protocols share: arrays of every data type, and whether two messages are the same."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from aiga.serving.messages import TYPES, Message, Tensor
from aiga.serving.protocols.metadata import TensorSpec

DATATYPES = tuple(TYPES)
NUMBERS = tuple(datatype for datatype in DATATYPES if datatype != "BYTES")


def tensor(name: str, datatype: str, values: Any, **parameters: Any) -> Tensor:
    """A tensor of nested lists."""
    return Tensor(name, datatype, np.array(values, dtype=TYPES[datatype]), parameters)


def strings(name: str, *elements: bytes, **parameters: Any) -> Tensor:
    data = np.empty(len(elements), dtype=object)
    data[:] = elements
    return Tensor(name, "BYTES", data, parameters)


def specs(message: Message) -> tuple[TensorSpec, ...]:
    """What a model tells that takes this message, and others with any number of rows."""
    return tuple(TensorSpec(t.name, t.datatype, (-1, *t.shape[1:]) if t.shape else ()) for t in message.tensors)


@st.composite
def tensors(
    draw: st.DrawFn,
    name: str,
    datatypes: tuple[str, ...] = DATATYPES,
    *,
    nan: bool = False,
    text: bool = False,
    shapes: st.SearchStrategy[tuple[int, ...]] | None = None,
) -> Tensor:
    """Tensors of these data types and shapes.

    Args:
        draw: given by Hypothesis.
        name: of each.
        datatypes: that they have.
        nan: whether numbers may be NaN and infinite.
        text: whether strings are text.
        shapes: up to four dimensions, of any size up to 3, when left out.
    """
    datatype = draw(st.sampled_from(datatypes))
    if shapes is None:
        shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3)
    shape = draw(shapes)
    if datatype == "BYTES":
        element = st.text(max_size=8).map(str.encode) if text else st.binary(max_size=8)
        count = int(np.prod(shape))
        data = np.empty(count, dtype=object)
        data[:] = draw(st.lists(element, min_size=count, max_size=count))
        return Tensor(name, datatype, data.reshape(shape))
    elements = None
    if TYPES[datatype].kind == "f":
        elements = hnp.from_dtype(TYPES[datatype], allow_nan=nan, allow_infinity=nan)
    return Tensor(name, datatype, draw(hnp.arrays(TYPES[datatype], shape, elements=elements)))


def same_tensor(one: Tensor, other: Tensor) -> None:
    assert (one.name, one.datatype, one.shape) == (other.name, other.datatype, other.shape)
    assert one.data.dtype == other.data.dtype == TYPES[one.datatype]
    assert other.data.flags.c_contiguous
    if one.datatype == "BYTES":
        assert one.data.tolist() == other.data.tolist()
    else:
        np.testing.assert_array_equal(one.data, other.data)


def same(one: Message, other: Message) -> None:
    assert len(one.tensors) == len(other.tensors)
    for a, b in zip(one.tensors, other.tensors, strict=True):
        same_tensor(a, b)
        assert dict(a.parameters) == dict(b.parameters)
    assert (one.id, one.requested, one.model, one.version) == (other.id, other.requested, other.model, other.version)
    assert dict(one.parameters) == dict(other.parameters)
    assert dict(one.meta) == dict(other.meta)
