"""TensorFlow Serving's REST API: tensors in rows (`instances`) or in columns (`inputs`).

Data types come from the model's metadata; without it whole numbers are INT32 or INT64, others FP32, as TensorFlow takes
them. Members that the protocol does not name are ignored, NaN and Infinity are numbers: so does TensorFlow Serving.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from aiga.serving.messages import BadRequest, Message, Tensor
from aiga.serving.protocols.arrays import Array, datatype_of, decoded, flatten, objects, to_array
from aiga.serving.protocols.body import (
    LIMIT,
    Body,
    Request,
    error,
    error_reason,
    member,
    of_server,
    parse,
    shown,
    written,
)
from aiga.serving.protocols.metadata import TensorSpec, check_shape

__all__ = ["Form", "error", "error_reason", "read_request", "read_response", "write_request", "write_response"]

Form = Literal["row", "column"]
SIGNATURE = "signature_name"
"""Parameter of a message, and member of a request."""
UNNAMED = "input-0"
"""Name of the one tensor of a request whose model tells no names."""
OUTPUT = "output-0"
"""The same of a response."""


def read_request(
    content: bytes,
    headers: Mapping[str, str] | None = None,
    *,
    inputs: Sequence[TensorSpec] = (),
    limit: int = LIMIT,
) -> Request[Form]:
    """The request in a body.

    Args:
        content: the body, decompressed.
        headers: of HTTP; none matters.
        inputs: what the model takes, as its server tells.
        limit: the longest body in bytes.

    Raises:
        BadRequest: anything about it is wrong.
    """
    fields = parse(content, limit=limit, nan=True)
    signature = member(fields, SIGNATURE, str, "", "")
    parameters = {SIGNATURE: signature} if signature else {}
    if ("instances" in fields) is ("inputs" in fields):
        raise BadRequest(
            f"the body has {'both' if 'inputs' in fields else 'neither'} instances and inputs; it must have one of them"
        )
    if "instances" in fields:
        rows = member(fields, "instances", list, "")
        if not rows:
            raise BadRequest("instances: is empty; it must have a row")
        return Request(Message(_rows(rows, inputs), parameters=parameters), "row")
    return Request(Message(_columns(fields["inputs"], "inputs", inputs), parameters=parameters), "column")


def write_request(message: Message, form: Form = "row") -> Body:
    """The body of a request.

    Raises:
        BadRequest: rows are wanted, and the tensors have not the same number of them.
    """
    fields = {SIGNATURE: message.parameters[SIGNATURE]} if SIGNATURE in message.parameters else {}
    named = len(message.tensors) > 1
    if form == "row":
        return written({**fields, "instances": _to_rows(message.tensors, named)}, nan=True)
    return written({**fields, "inputs": _to_columns(message.tensors, named)}, nan=True)


@of_server
def read_response(content: bytes, *, outputs: Sequence[TensorSpec] = (), limit: int = LIMIT) -> Message:
    """The response that a server wrote.

    Args:
        content: the body.
        outputs: what the model gives; without it data types are guessed as in a request, and one output is `output-0`.
        limit: the longest body in bytes.

    Raises:
        ServingError: 502, it is wrong.
    """
    fields = parse(content, limit=limit, nan=True)
    if "predictions" in fields:
        return Message(_rows(member(fields, "predictions", list, ""), outputs, "predictions", OUTPUT))
    if "outputs" not in fields:
        raise BadRequest("the body has neither predictions nor outputs")
    return Message(_columns(fields["outputs"], "outputs", outputs, OUTPUT))


def write_response(message: Message, form: Form) -> Body:
    """The body of a response; a single output goes without its name.

    Raises:
        BadRequest: the request had rows, and the outputs have not the same number of them.
    """
    named = len(message.tensors) > 1
    if form == "row":
        return written({"predictions": _to_rows(message.tensors, named)}, nan=True)
    return written({"outputs": _to_columns(message.tensors, named)}, nan=True)


def _rows(
    rows: list[Any], specs: Sequence[TensorSpec], where: str = "instances", unnamed: str = UNNAMED
) -> tuple[Tensor, ...]:
    named = set(map(_is_named, rows))
    if len(named) > 1:
        index = next(i for i, row in enumerate(rows) if _is_named(row) != _is_named(rows[0]))
        raise BadRequest(f"{where}[{index}]: is {shown(rows[index])} beside {shown(rows[0])}; all rows must be alike")
    if named != {True}:
        return (_tensor(rows, _single(specs, where, unnamed), where),)
    names = tuple(spec.name for spec in specs) or tuple(rows[0])
    wanted = set(names)
    for index, row in enumerate(rows):
        if row.keys() != wanted:
            lacking, more = sorted(wanted - row.keys()), sorted(row.keys() - wanted)
            fault = f"lacks {', '.join(lacking)}" if lacking else f"has {', '.join(map(shown, more))} too many"
            raise BadRequest(f"{where}[{index}]: {fault}; each row must have {', '.join(names)}")
    return tuple(
        _tensor([row[spec.name] for row in rows], spec, f"{where}[*].{spec.name}") for spec in _named(names, specs)
    )


def _columns(value: Any, where: str, specs: Sequence[TensorSpec], unnamed: str = UNNAMED) -> tuple[Tensor, ...]:
    if not _is_named(value):
        return (_tensor(value, _single(specs, where, unnamed), where),)
    names = tuple(spec.name for spec in specs) or tuple(value)
    for name in names:
        if name not in value:
            raise BadRequest(f"{where}.{name}: is missing; it must have {', '.join(names)}")
    if not names:
        raise BadRequest(f"{where}: is empty; it must have a tensor")
    return tuple(_tensor(value[spec.name], spec, f"{where}.{spec.name}") for spec in _named(names, specs))


def _named(names: Iterable[str], specs: Sequence[TensorSpec]) -> Sequence[TensorSpec]:
    return specs or [TensorSpec(name, "", ()) for name in names]


def _single(specs: Sequence[TensorSpec], where: str, unnamed: str) -> TensorSpec:
    if len(specs) > 1:
        names = ", ".join(spec.name for spec in specs)
        raise BadRequest(f"{where}: has no names, and the model has {names}; each value must stand under its name")
    return specs[0] if specs else TensorSpec(unnamed, "", ())


def _is_named(value: Any) -> bool:
    return type(value) is dict and not (len(value) == 1 and type(value.get("b64")) is str)


def _tensor(values: Any, spec: TensorSpec, where: str) -> Tensor:
    leaves, shape = flatten(values, where)
    datatype = spec.datatype or datatype_of(leaves, where, whole=_whole(leaves), real="FP32")
    array = to_array(leaves, shape, datatype, where, nan=True, wrapped=True)
    if spec.datatype:
        check_shape(shape, spec, where)
    return Tensor(spec.name, datatype, array)


def _whole(leaves: list[Any]) -> str:
    if set(map(type, leaves)) != {int}:
        return "INT32"
    return "INT32" if min(leaves) >= -(2**31) and max(leaves) < 2**31 else "INT64"


def _to_rows(tensors: tuple[Tensor, ...], named: bool) -> list[Any]:
    sizes = {tensor.shape[:1] for tensor in tensors}
    if len(sizes) != 1 or () in sizes:
        shapes = ", ".join(f"{tensor.name} {list(tensor.shape)}" for tensor in tensors)
        raise BadRequest(f"{shapes}: are no rows, which must be equally many in each; ask in columns (inputs)")
    columns = [_to_json(tensor) for tensor in tensors]
    if not named:
        return list(columns[0])
    names = [tensor.name for tensor in tensors]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _to_columns(tensors: tuple[Tensor, ...], named: bool) -> Any:
    return {tensor.name: _to_json(tensor) for tensor in tensors} if named else _to_json(tensors[0])


def _to_json(tensor: Tensor) -> Any:
    array = tensor.data
    if array.dtype == object:
        return _strings(tensor).tolist()
    if array.dtype.kind == "f" and array.dtype.itemsize < 8:  # 0.2, and not 0.20000000298, as TensorFlow Serving writes
        array = array.astype(np.str_).astype(np.float64)
    return array.tolist()


def _strings(tensor: Tensor) -> Array:
    """Text, and objects {"b64": ...} where the name says bytes or they are no text."""
    if not tensor.name.endswith("_bytes"):
        try:
            return decoded(tensor.data)
        except UnicodeDecodeError:
            pass
    wrapped = [{"b64": base64.b64encode(element).decode()} for element in tensor.data.ravel()]
    return objects(wrapped, tensor.shape)
