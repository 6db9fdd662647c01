"""Kinds of payload in Seldon's messages, the same on REST and on gRPC, and the tensors that they are inside."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from aiga.serving.messages import BadRequest, Message, Tensor
from aiga.serving.protocols.arrays import cast, objects
from aiga.serving.protocols.body import dump
from aiga.serving.protocols.metadata import TensorSpec, check_shape

Kind = Literal["ndarray", "tensor", "tftensor", "binData", "strData", "jsonData"]
ARRAYS: tuple[Kind, ...] = ("ndarray", "tensor", "tftensor")
METRICS = ("COUNTER", "GAUGE", "TIMER")

UNNAMED = "input-0"
"""Name of the tensor when the model tells none."""
NAMES = "names"
"""Parameter of a tensor: names of its columns, a list, or its JSON text after a way through v2."""
CONTENT_TYPE = "content_type"
"""Parameter of a tensor: whether its one element is a whole payload, and of which kind."""
TYPE_OF: Mapping[Kind, str] = {"binData": "base64", "strData": "str", "jsonData": "json"}


def named(tensor: Tensor, names: tuple[str, ...], specs: Sequence[TensorSpec], where: str) -> Tensor:
    """`tensor` with its column names, and with the name and data type of the model's one input.

    Raises:
        BadRequest: the model has several inputs, or the values cannot be of its data type or shape.
    """
    parameters = {NAMES: list(names)} if names else {}
    spec = _single(specs)
    if spec is None:
        return replace(tensor, parameters=parameters)
    array = cast(tensor.data, spec.datatype, where)
    check_shape(array.shape, spec, where)
    return Tensor(spec.name, spec.datatype, array, parameters)


def element(kind: Kind, value: bytes, specs: Sequence[TensorSpec]) -> Tensor:
    """The tensor that stands for a payload of bytes, text or JSON."""
    spec = _single(specs)
    return Tensor(spec.name if spec else UNNAMED, "BYTES", objects([value], (1,)), {CONTENT_TYPE: TYPE_OF[kind]})


def _single(specs: Sequence[TensorSpec]) -> TensorSpec | None:
    if len(specs) > 1:
        names = ", ".join(spec.name for spec in specs)
        raise BadRequest(f"the model takes {names}; Seldon's protocol carries one array, so ask by v2 or tensorflow")
    return specs[0] if specs else None


def only(message: Message) -> Tensor:
    """The one tensor of a message; BadRequest when it has another number."""
    if len(message.tensors) != 1:
        raise BadRequest(f"the message has {len(message.tensors)} tensors; Seldon's protocol carries one")
    return message.tensors[0]


def kind_of(tensor: Tensor, asked: Kind) -> Kind:
    """The kind in which a tensor is written for a client that sent `asked`: that one where the values allow it.

    Seldon's wrapper does the same: numbers keep the kind of array, and are `tensor` when none was sent; other arrays
    are `ndarray`; one element of bytes, text or JSON is what its content type says, else what the request was.
    """
    if tensor.datatype != "BYTES":
        if tensor.datatype == "BOOL":
            return "ndarray"
        return asked if asked in ARRAYS else "tensor"
    if tensor.shape not in ((), (1,)):
        return "ndarray"
    said = next((kind for kind, name in TYPE_OF.items() if tensor.parameters.get(CONTENT_TYPE) == name), None)
    if said is None and asked in ARRAYS:
        return "ndarray"
    return _possible(said or asked, tensor.data.item())


def names(tensor: Tensor, numbered: bool) -> list[str]:
    """Names of a tensor's columns; `t:0`, `t:1` and so on when it says none and they shall be `numbered`."""
    given = tensor.parameters.get(NAMES)
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except ValueError:
            given = None
    if isinstance(given, list | tuple) and all(isinstance(name, str) for name in given):
        return list(given)
    return [f"t:{index}" for index in range(tensor.shape[1])] if numbered and len(tensor.shape) > 1 else []


def json_text(value: Any) -> bytes:
    """A value of JSON as the bytes of an element."""
    return dump(value, nan=True)


def _possible(kind: Kind, value: bytes) -> Kind:
    if kind == "binData":
        return kind
    try:
        text = str(value, "utf-8")
    except UnicodeDecodeError:
        return "binData"
    if kind == "jsonData" and not _is_json(text):
        return "strData"
    return kind


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
