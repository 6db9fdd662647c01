"""Between messages and what Seldon's wrapper gives to a class and takes from it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from aiga.serving.messages import TYPES, BadRequest, Message, ServingError, Tensor
from aiga.serving.protocols import payloads
from aiga.serving.protocols.arrays import objects
from aiga.serving.runtimes.seldon_class import Payload, Result

OUTPUT = "output-0"
"""Name of the tensor that a class answers."""
_NAMES = {str(dtype): name for name, dtype in TYPES.items()}


def of_message(message: Message) -> Payload:
    """What a method gets.

    One tensor is an array, or the text, bytes or JSON value that its `content_type` says; several of one column each
    are a matrix with their names; others are a dict of arrays by name.
    """
    meta = {**({"puid": message.id} if message.id else {}), **message.meta}
    tensors = message.tensors
    if len(tensors) == 1:
        return Payload(_value(tensors[0]), payloads.names(tensors[0], False), meta)
    columns = [_value(tensor) for tensor in tensors]
    if tensors and all(_is_column(tensor, len(tensors[0].data)) for tensor in tensors):
        return Payload(np.column_stack(columns), [tensor.name for tensor in tensors], meta)
    return Payload({tensor.name: value for tensor, value in zip(tensors, columns, strict=True)}, (), meta)


def to_message(result: Result, asked: tuple[Message, ...]) -> Message:
    """The answer to messages, with the tags of all of them in its `meta`, as Seldon's wrapper has it.

    Raises:
        ServingError: the method returned what no answer can hold.
    """
    tags = {key: value for message in asked for key, value in message.meta.get("tags", {}).items()}
    said: Mapping[str, Any] = {"tags": {**tags, **result.tags}, "metrics": list(result.metrics)}
    return Message(_tensors(result), meta={key: value for key, value in said.items() if value})


def _is_column(tensor: Tensor, rows: int) -> bool:
    return tensor.datatype != "BYTES" and tensor.shape in ((rows,), (rows, 1))


def _value(tensor: Tensor) -> Any:
    if tensor.datatype != "BYTES":
        return tensor.data
    if tensor.shape in ((), (1,)):
        element, kind = tensor.data.item(), tensor.parameters.get(payloads.CONTENT_TYPE)
        try:
            if kind == "str":
                return str(element, "utf-8")
            if kind == "json":
                return json.loads(element)
        except ValueError as error:
            raise BadRequest(f"input {tensor.name}: is no {kind}, which its content_type says: {error}") from error
        if kind == "base64":
            return element
    try:
        return np.array([str(each, "utf-8") for each in tensor.data.flat]).reshape(tensor.shape)
    except UnicodeDecodeError:
        return tensor.data


def _tensors(result: Result) -> tuple[Tensor, ...]:
    data = result.data
    if isinstance(data, dict) and data and all(isinstance(value, np.ndarray) for value in data.values()):
        return tuple(_array(str(name), value, ()) for name, value in data.items())
    if isinstance(data, dict):
        try:
            return (_element(payloads.json_text(data), "json"),)
        except (TypeError, ValueError) as error:
            raise ServingError(500, f"the class returned a dict that is no JSON: {error}") from error
    if isinstance(data, str):
        return (_element(data.encode(), "str"),)
    if isinstance(data, bytes | bytearray):
        return (_element(bytes(data), "base64"),)
    if isinstance(data, list | np.ndarray):
        return (_array(OUTPUT, np.asarray(data), result.names),)
    raise ServingError(500, f"the class must return an array, a list, a dict, text or bytes, got {type(data).__name__}")


def _element(value: bytes, kind: str) -> Tensor:
    return Tensor(OUTPUT, "BYTES", objects([value], (1,)), {payloads.CONTENT_TYPE: kind})


def _array(name: str, array: np.ndarray[Any, Any], names: Any) -> Tensor:
    parameters = {payloads.NAMES: list(names)} if len(names) else {}
    if array.dtype.kind in "OUS":
        elements = [each if isinstance(each, bytes) else str(each).encode() for each in array.ravel().tolist()]
        return Tensor(name, "BYTES", objects(elements, array.shape), parameters)
    datatype = _NAMES.get(array.dtype.newbyteorder("=").name)
    if datatype is None:
        raise ServingError(500, f"the class returned an array of {array.dtype}; it must be of {', '.join(TYPES)}")
    return Tensor(name, datatype, np.ascontiguousarray(array, TYPES[datatype]), parameters)
