"""Triton's `config.pbtxt` for an ONNX model, from the inputs and outputs of its graph."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from aiga.errors import UserError

BATCH = 64
"""Largest batch that Triton makes of requests, where the first dimension of all inputs and outputs is left open."""
_TYPES = {
    "FLOAT": "FP32",
    "DOUBLE": "FP64",
    "FLOAT16": "FP16",
    "BFLOAT16": "BF16",
    "INT8": "INT8",
    "INT16": "INT16",
    "INT32": "INT32",
    "INT64": "INT64",
    "UINT8": "UINT8",
    "UINT16": "UINT16",
    "UINT32": "UINT32",
    "UINT64": "UINT64",
    "BOOL": "BOOL",
    "STRING": "STRING",
}
"""ONNX's name of a type to Triton's."""


@dataclass(frozen=True)
class Tensor:
    """An input or output; a dimension that is left open is -1."""

    name: str
    type: str
    dimensions: tuple[int, ...]


def config(model: Path, name: str) -> str:
    """The configuration that serves an ONNX file under `name`.

    Raises:
        UserError: it is no ONNX file, or has inputs or outputs that are no tensors of known rank.
    """
    inputs, outputs = _tensors(model)
    batched = all(tensor.dimensions[:1] == (-1,) for tensor in (*inputs, *outputs))
    lines = [f'name: "{name}"', 'backend: "onnxruntime"', f"max_batch_size: {BATCH if batched else 0}"]
    for kind, tensors in (("input", inputs), ("output", outputs)):
        lines += [f"{kind} [", ",\n".join(_entry(tensor, batched) for tensor in tensors), "]"]
    if batched:
        lines.append("dynamic_batching { }")
    return "\n".join(lines) + "\n"


def _entry(tensor: Tensor, batched: bool) -> str:
    dimensions = tensor.dimensions[1:] if batched else tensor.dimensions
    shape = "" if dimensions else "\n    reshape: { shape: [ ] }"  # dims must not be empty: one value a row is [1]
    dims = ", ".join(map(str, dimensions or (1,)))
    return f'  {{\n    name: "{tensor.name}"\n    data_type: TYPE_{tensor.type}\n    dims: [ {dims} ]{shape}\n  }}'


def _tensors(model: Path) -> tuple[list[Tensor], list[Tensor]]:
    from google.protobuf.message import DecodeError
    from onnx import load

    try:
        graph = load(model, load_external_data=False).graph
    except DecodeError as error:
        raise UserError(f"{model}: is no ONNX file: {error}") from error
    constants = {tensor.name for tensor in graph.initializer}
    mistakes: list[str] = []
    inputs = _read((value for value in graph.input if value.name not in constants), "input", mistakes)
    outputs = _read(graph.output, "output", mistakes)
    if mistakes or not outputs:
        raise UserError("\n".join(f"{model}: {mistake}" for mistake in mistakes or ["is no ONNX model: no outputs"]))
    return inputs, outputs


def _read(values: Iterable[object], kind: str, mistakes: list[str]) -> list[Tensor]:
    from onnx import TensorProto, ValueInfoProto

    found = []
    for value in values:
        assert isinstance(value, ValueInfoProto)
        tensor = value.type.tensor_type
        type_ = _TYPES.get(TensorProto.DataType.Name(tensor.elem_type))
        if not value.type.HasField("tensor_type"):
            what = (value.type.WhichOneof("value") or "unknown").removesuffix("_type")
            mistakes.append(f"{kind} {value.name}: is a {what}, Triton serves tensors (skl2onnx: options zipmap False)")
        elif type_ is None or not tensor.HasField("shape"):
            mistakes.append(f"{kind} {value.name}: must have a known type and number of dimensions for Triton")
        else:
            sizes = tuple(each.dim_value if each.HasField("dim_value") else -1 for each in tensor.shape.dim)
            found.append(Tensor(value.name, type_, tuple(size if size > 0 else -1 for size in sizes)))
    return found
