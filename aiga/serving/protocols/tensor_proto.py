"""TensorFlow's TensorProto: in its own gRPC API, and inside Seldon's messages on gRPC and in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from aiga.serving.messages import TYPES, BadRequest, Tensor
from aiga.serving.protocols import raw
from aiga.serving.protocols.arrays import Array, check_shape, objects, place, sized
from aiga.serving.protocols.body import LIMIT, shown
from aiga.serving.protocols.protos import tensorflow_pb2 as pb

DT_OF: Mapping[str, str] = {
    "BOOL": "DT_BOOL",
    "UINT8": "DT_UINT8",
    "UINT16": "DT_UINT16",
    "UINT32": "DT_UINT32",
    "UINT64": "DT_UINT64",
    "INT8": "DT_INT8",
    "INT16": "DT_INT16",
    "INT32": "DT_INT32",
    "INT64": "DT_INT64",
    "FP16": "DT_HALF",
    "FP32": "DT_FLOAT",
    "FP64": "DT_DOUBLE",
    "BYTES": "DT_STRING",
}
"""Data type of v2 to TensorFlow's."""

_FIELDS: Mapping[str, str] = {
    **dict.fromkeys(("INT8", "INT16", "INT32", "UINT8", "UINT16"), "int_val"),
    "BOOL": "bool_val",
    "UINT32": "uint32_val",
    "UINT64": "uint64_val",
    "INT64": "int64_val",
    "FP16": "half_val",
    "FP32": "float_val",
    "FP64": "double_val",
    "BYTES": "string_val",
}
"""Data type to the field of TensorProto that holds its values."""
_BY_NUMBER = {pb.DataType.Value(name): datatype for datatype, name in DT_OF.items()}


def read(name: str, proto: pb.TensorProto, where: str, *, limit: int = LIMIT) -> Tensor:
    """The tensor in a TensorProto.

    Args:
        name: that it gets.
        proto: what came.
        where: its place in the message.
        limit: bytes that it may have; a few values can stand for many, the last is repeated to fill the shape.

    Raises:
        BadRequest: its data type is none of ours, or its values do not fit its shape or its data type.
    """
    datatype = _BY_NUMBER.get(proto.dtype)
    if datatype is None:
        raise BadRequest(f"{where}.dtype: is {_dtype(proto.dtype)}; it must be one of {', '.join(DT_OF.values())}")
    if proto.tensor_shape.unknown_rank:
        raise BadRequest(f"{where}.tensor_shape: is of unknown rank; a tensor with values has a shape")
    shape = check_shape((dim.size for dim in proto.tensor_shape.dim), f"{where}.tensor_shape")
    if sized(shape) * TYPES[datatype].itemsize > limit:
        raise BadRequest(f"{where}.tensor_shape: is {list(shape)}, more than the {limit} bytes that are read")
    values = getattr(proto, _FIELDS[datatype])
    if not proto.tensor_content:
        return Tensor(name, datatype, _filled(values, datatype, shape, f"{where}.{_FIELDS[datatype]}"))
    if len(values):
        raise BadRequest(f"{where}: has both tensor_content and {_FIELDS[datatype]}; one of them must be left out")
    if datatype == "BYTES":
        raise BadRequest(f"{where}.tensor_content: cannot hold strings; they must be in string_val")
    return Tensor(name, datatype, raw.unpack(proto.tensor_content, datatype, shape, f"{where}.tensor_content"))


def write(tensor: Tensor) -> pb.TensorProto:
    """A TensorProto with the values in the field of their type, as TensorFlow Serving answers."""
    shape = pb.TensorShapeProto(dim=[pb.TensorShapeProto.Dim(size=size) for size in tensor.shape])
    proto = pb.TensorProto(dtype=pb.DataType.Value(DT_OF[tensor.datatype]), tensor_shape=shape)
    flat = tensor.data.ravel()
    if tensor.datatype == "FP16":
        flat = flat.view(np.uint16)
    getattr(proto, _FIELDS[tensor.datatype]).extend(flat.tolist())
    return proto


def _filled(values: Any, datatype: str, shape: tuple[int, ...], where: str) -> Array:
    wanted, given = sized(shape), len(values)
    if given > wanted or (wanted and not given):
        raise BadRequest(f"{where}: has {given} values; shape {list(shape)} takes {wanted}")
    if datatype == "BYTES":
        elements = list(values)
        return objects(elements + elements[-1:] * (wanted - given), shape)
    flat = _numbers(values, datatype, where)
    if given < wanted:
        flat = np.pad(flat, (0, wanted - given), mode="edge")
    return flat.reshape(shape)


def _numbers(values: Any, datatype: str, where: str) -> Array:
    bits = "UINT16" if datatype == "FP16" else datatype
    try:
        array: Array = np.array(values, dtype=TYPES[bits])
    except OverflowError:
        bounds = np.iinfo(TYPES[bits])
        index = next(i for i, value in enumerate(values) if not bounds.min <= value <= bounds.max)
        rule = f"{datatype} takes numbers from {bounds.min} to {bounds.max}"
        at = place(where, index, (len(values),))
        raise BadRequest(f"{at}: is {shown(values[index])}; {rule}") from None
    return array.view(np.float16) if datatype == "FP16" else array


def _dtype(number: int) -> str:
    return pb.DataType.Name(number) if number in pb.DataType.values() else str(number)
