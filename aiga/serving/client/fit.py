"""From what a file holds to the tensors that a model takes, or the reason why not, before anything is sent."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, assert_never

import numpy as np
import numpy.typing as npt

from aiga.serving.client.files import Given, Named, Picture, Table, Values
from aiga.serving.client.pictures import pixels
from aiga.serving.messages import BadRequest, Message, Tensor
from aiga.serving.protocols import arrays
from aiga.serving.protocols.metadata import ModelMetadata, TensorSpec, check_shape

Array = npt.NDArray[Any]

ANY = "input-0"
"""Name of the one tensor that goes to a model which tells nothing of its inputs."""


def fit(given: Given, model: ModelMetadata, white: float | None = None) -> Message:
    """The request that a model takes.

    - Nested lists go to the model's only input; a missing batch or dimensions of size 1 are added.
    - A table gives one tensor per column where every input has one, its other columns being left out; else its columns,
      in their order, are the rows of the only input.
    - An image is resized to the only input, in grey or colours as its shape says.

    Args:
        given: What the file holds.
        model: What the model's server tells of it.
        white: The value of a white pixel; 1 for inputs of floating point and 255 for others when left out.

    Raises:
        BadRequest: the model does not take it.
    """
    if isinstance(given, Message):
        _check(given, model)
        return given
    return Message(_tensors(given, model, white))


def _check(message: Message, model: ModelMetadata) -> None:
    """Names and shapes of a request as it stands; servers cast data types, and take any name for an only input."""
    specs = {spec.name: spec for spec in model.inputs}
    if len(specs) == len(message.tensors) == 1:
        specs = {message.tensors[0].name: model.inputs[0]}
    names = [tensor.name for tensor in message.tensors]
    if specs and sorted(names) != sorted(specs):
        raise BadRequest(f"inputs {', '.join(names)}: {model.name} takes {', '.join(specs)}")
    for tensor in message.tensors if specs else ():
        check_shape(tensor.shape, specs[tensor.name], f"input {tensor.name}")


def _tensors(given: Values | Named | Table | Picture, model: ModelMetadata, white: float | None) -> tuple[Tensor, ...]:
    match given:
        case Values(data):
            return (_listed(data, _only(model), ANY, "the file"),)
        case Named(data):
            return _named(data, model)
        case Table(frame):
            return _columns(frame, model)
        case Picture():
            spec = _only(model)
            if spec is None:
                raise BadRequest(f"{model.name} tells no inputs: an image cannot be brought into shape (send JSON)")
            return (Tensor(spec.name, spec.datatype, pixels(given, spec, white)),)
    assert_never(given)


def _only(model: ModelMetadata) -> TensorSpec | None:
    """The one input of a model; None where it tells of none."""
    if len(model.inputs) > 1:
        takes = ", ".join(spec.name for spec in model.inputs)
        raise BadRequest(
            f"{model.name} takes {takes}: write an object with a list for each, or a table with such columns"
        )
    return model.inputs[0] if model.inputs else None


def _listed(data: Any, spec: TensorSpec | None, name: str, where: str) -> Tensor:
    leaves, shape = arrays.flatten(data, where)
    datatype = spec.datatype if spec is not None else arrays.datatype_of(leaves, where)
    array = arrays.to_array(leaves, shape, datatype, where, wrapped=True)
    if spec is None:
        return Tensor(name, datatype, array)
    return Tensor(spec.name, datatype, _shaped(array, spec, where))


def _named(data: Mapping[str, Any], model: ModelMetadata) -> tuple[Tensor, ...]:
    specs = {spec.name: spec for spec in model.inputs}
    if specs and data.keys() != specs.keys():
        takes, given = ", ".join(specs), ", ".join(data) or "nothing"
        raise BadRequest(f"inputs {given}: {model.name} takes {takes}")
    return tuple(_listed(values, specs.get(name), name, name) for name, values in data.items())


def _columns(frame: Any, model: ModelMetadata) -> tuple[Tensor, ...]:
    names = [spec.name for spec in model.inputs]
    missing = [name for name in names if name not in frame.columns]
    if names and not missing:
        return tuple(_column(frame[spec.name], spec) for spec in model.inputs)
    if len(names) > 1:
        raise BadRequest(f"columns {', '.join(missing)}: are missing; {model.name} takes {', '.join(names)}")
    return (_matrix(frame, _only(model)),)


def _column(values: Any, spec: TensorSpec) -> Tensor:
    return Tensor(spec.name, spec.datatype, _shaped(_cells(values, spec), spec, f"column {spec.name}"))


def _matrix(frame: Any, spec: TensorSpec | None) -> Tensor:
    """The rows of a table as one tensor; an image may lie in a row, flat."""
    name, datatype = (spec.name, spec.datatype) if spec is not None else (ANY, "FP32")
    if datatype != "BYTES" and (
        words := [column for column in frame.columns if frame[column].dtype.kind not in "biuf"]
    ):
        raise BadRequest(f"columns {', '.join(words)}: hold text; {name} takes {datatype} (leave them out)")
    columns = [_cells(frame[column], TensorSpec(name, datatype, (-1,))) for column in frame.columns]
    matrix = np.stack(columns, axis=1)
    if spec is None or spec.takes(matrix.shape):
        return Tensor(name, datatype, matrix)
    sizes = spec.shape[1:]
    if -1 not in sizes and math.prod(sizes) == matrix.shape[1] and spec.shape[0] in (-1, len(matrix)):
        return Tensor(name, datatype, matrix.reshape((len(matrix), *sizes)))
    raise BadRequest(
        f"{len(frame)} rows of {matrix.shape[1]} columns, {_some(frame.columns)}: {spec.name} takes {_rule(spec)}"
    )


def _cells(values: Any, spec: TensorSpec) -> Array:
    """One column in the data type of an input."""
    if values.isna().any():
        row = int(values.isna().to_numpy().argmax())
        if spec.datatype not in ("FP16", "FP32", "FP64"):
            raise BadRequest(f"column {values.name}: row {row} is empty; {spec.name} takes {spec.datatype}")
    if spec.datatype == "BYTES":
        return arrays.objects([str(value).encode() for value in values], (len(values),))
    cells = values.to_numpy()
    return arrays.cast(
        cells if cells.dtype.kind in "biuf" else cells.astype(object), spec.datatype, f"column {values.name}"
    )


def _shaped(array: Array, spec: TensorSpec, where: str) -> Array:
    """The array, with the dimensions of size 1 that the model has besides, or without those that it has not."""
    if spec.takes(array.shape):
        return array
    kept = [size for size in array.shape if size != 1]
    for batch in dict.fromkeys((array.shape[0] if array.shape else 1, 1)):
        wanted = tuple(batch if place == 0 and size == -1 else size for place, size in enumerate(spec.shape))
        if -1 not in wanted and [size for size in wanted if size != 1] == kept:
            return array.reshape(wanted)
    if spec.takes((1, *array.shape)):
        return array[np.newaxis]
    raise BadRequest(f"{where}: shape {list(array.shape)}: {spec.name} takes {_rule(spec)}")


def _rule(spec: TensorSpec) -> str:
    return f"{spec.datatype} {list(spec.shape)} (-1 is any size)"


def _some(names: Sequence[Any]) -> str:
    shown = [str(name) for name in names[:3]]
    return ", ".join(shown) + (" …" if len(names) > 3 else "")
