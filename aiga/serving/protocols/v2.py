"""Open Inference Protocol (v2) on REST, with its binary tensor extension.

BYTES travel as text, or in base64 where a tensor's parameter `content_type` says so; a `Tensor` has the bytes either
way. Unknown members are ignored, as MLServer does; null is as good as a missing member.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from aiga.serving.messages import BadRequest, Message, Tensor
from aiga.serving.protocols import base64_elements
from aiga.serving.protocols.arrays import check_shape, decoded, flatten, objects, sized, to_array
from aiga.serving.protocols.body import (
    LIMIT,
    Body,
    Request,
    at,
    check_length,
    dump,
    error,
    error_reason,
    header,
    member,
    of_server,
    parse,
    shown,
)
from aiga.serving.protocols.raw import pack, unpack
from aiga.serving.protocols.rules import check_datatype, check_names, plain, wanted

__all__ = ["Outputs", "error", "error_reason", "read_request", "read_response", "write_request", "write_response"]

HEADER_LENGTH = "Inference-Header-Content-Length"
SIZE, BINARY, ALL_BINARY = "binary_data_size", "binary_data", "binary_data_output"
"""Parameters that are about the way a tensor travels; a `Message` has none of them."""


@dataclass(frozen=True)
class Outputs:
    """Form of a response: which outputs, and which of them in binary."""

    names: tuple[str, ...] = ()
    """All when empty."""
    binary: Mapping[str, bool] = field(default_factory=dict)
    """By name; what `rest` says when left out."""
    rest: bool = False

    def is_binary(self, name: str) -> bool:
        return self.binary.get(name, self.rest)


def read_request(content: bytes, headers: Mapping[str, str] | None = None, *, limit: int = LIMIT) -> Request[Outputs]:
    """The request in a body.

    Args:
        content: the body, decompressed.
        headers: of HTTP; `Inference-Header-Content-Length` is the length of the JSON before the binary tensors.
        limit: the longest body in bytes.

    Raises:
        BadRequest: anything about it is wrong.
    """
    fields, binary = _split(content, headers or {}, limit)
    tensors = _tensors(member(fields, "inputs", list, ""), "inputs", binary)
    parameters = _parameters(fields, "")
    names, flags = _outputs(member(fields, "outputs", list, "", []))
    rest = parameters.pop(ALL_BINARY, False)
    message = Message(tensors, member(fields, "id", str, "", ""), parameters, names)
    return Request(message, Outputs(names, flags, rest is True))


def write_request(message: Message, *, binary: bool = False) -> Body:
    """The body of a request.

    Args:
        message: its tensors are the inputs.
        binary: whether tensors travel in binary, both ways.
    """
    fields: dict[str, Any] = {"id": message.id} if message.id else {}
    parameters = dict(message.parameters)
    if binary:
        parameters[ALL_BINARY] = True
    if parameters:
        fields["parameters"] = _plain(parameters)
    fields["inputs"], parts = _written(message.tensors, lambda name: binary)
    if message.requested:
        fields["outputs"] = [
            {"name": name, **({"parameters": {BINARY: True}} if binary else {})} for name in message.requested
        ]
    return _joined(fields, parts)


@of_server
def read_response(content: bytes, headers: Mapping[str, str] | None = None, *, limit: int = LIMIT) -> Message:
    """The response that a server wrote; null stands for NaN.

    Raises:
        ServingError: 502, it is wrong.
    """
    fields, binary = _split(content, headers or {}, limit)
    return Message(
        _tensors(member(fields, "outputs", list, ""), "outputs", binary, served=True),
        member(fields, "id", str, "", ""),
        _parameters(fields, "", scalars=False),
        model=member(fields, "model_name", str, "", ""),
        version=member(fields, "model_version", str, "", ""),
    )


def write_response(message: Message, form: Outputs) -> Body:
    """The body of a response; numbers that are not finite become null where JSON holds them.

    Raises:
        BadRequest: the client wants an output that there is not.
    """
    fields: dict[str, Any] = {"model_name": message.model}
    if message.version:
        fields["model_version"] = message.version
    if message.id:
        fields["id"] = message.id
    if message.parameters:
        fields["parameters"] = _plain(message.parameters)
    fields["outputs"], parts = _written(wanted(message.tensors, form.names), form.is_binary)
    return _joined(fields, parts)


class _Binary:
    """What follows the JSON: taken tensor by tensor, in order."""

    def __init__(self, content: memoryview) -> None:
        self._content, self._taken = content, 0

    def take(self, size: int, where: str) -> memoryview:
        left = len(self._content) - self._taken
        if size > left:
            raise BadRequest(f"{where}: is {size}, and {left} bytes are left after the JSON")
        self._taken += size
        return self._content[self._taken - size : self._taken]

    def close(self) -> None:
        left = len(self._content) - self._taken
        if left:
            raise BadRequest(f"{left} bytes follow the last tensor; the sum of {SIZE} must be what follows the JSON")


def _split(content: bytes, headers: Mapping[str, str], limit: int) -> tuple[dict[str, Any], _Binary]:
    check_length(content, limit)
    length = header(headers, HEADER_LENGTH)
    if length is None:
        return parse(content, limit=limit), _Binary(memoryview(b""))
    if not (length.isascii() and length.isdigit() and len(length) <= 20 and int(length) <= len(content)):
        raise BadRequest(f"header {HEADER_LENGTH}: is {shown(length)}; it must be a number up to {len(content)}")
    view = memoryview(content)
    return parse(view[: int(length)], limit=limit), _Binary(view[int(length) :])


def _tensors(given: list[Any], where: str, binary: _Binary, *, served: bool = False) -> tuple[Tensor, ...]:
    if not given and not served:
        raise BadRequest(f"{where}: is empty; it must have a tensor")
    tensors = tuple(_tensor(fields, f"{where}[{index}]", binary, served) for index, fields in enumerate(given))
    check_names((tensor.name for tensor in tensors), where)
    binary.close()
    return tensors


def _tensor(fields: Any, where: str, binary: _Binary, served: bool) -> Tensor:
    if type(fields) is not dict:
        raise BadRequest(f"{where}: is {shown(fields)}; it must be an object")
    name = member(fields, "name", str, where)
    datatype = check_datatype(member(fields, "datatype", str, where), f"{where}.datatype")
    shape = check_shape(member(fields, "shape", list, where), f"{where}.shape")
    parameters = _parameters(fields, where, scalars=not served)
    size = parameters.pop(SIZE, None)
    if "shared_memory_region" in parameters:
        raise BadRequest(f"{where}.parameters: asks for shared memory, which is not offered; send the data")
    if size is None:
        array = _from_json(member(fields, "data", list, where), datatype, shape, f"{where}.data", served)
    elif fields.get("data") is not None:
        raise BadRequest(f"{where}: has both data and {SIZE}; one of them must be left out")
    elif type(size) is not int or size < 0:
        raise BadRequest(f"{where}.parameters.{SIZE}: is {shown(size)}; it must be a number of bytes")
    else:
        array = unpack(binary.take(size, f"{where}.parameters.{SIZE}"), datatype, shape, where)
    return base64_elements.read(
        Tensor(name, datatype, array, parameters), where if size is not None else f"{where}.data"
    )


def _from_json(data: list[Any], datatype: str, shape: tuple[int, ...], where: str, null: bool) -> Any:
    leaves, found = flatten(data, where)
    if found != shape and not (len(found) == 1 and found[0] == sized(shape)):
        if len(found) == 1:
            raise BadRequest(f"{where}: has {found[0]} elements; shape {list(shape)} takes {sized(shape)}")
        raise BadRequest(f"{where}: is nested as {list(found)}; it must be flat, or nested as shape {list(shape)}")
    return to_array(leaves, found, datatype, where, null=null).reshape(shape)


def _parameters(fields: Mapping[str, Any], where: str, *, scalars: bool = True) -> dict[str, Any]:
    parameters = cast("dict[str, Any]", member(fields, "parameters", dict, where, {}))
    given = {key: value for key, value in parameters.items() if value is not None}
    for key, value in given.items():
        if scalars and type(value) in (list, dict):
            place = f"{at(where, 'parameters')}.{key}"
            raise BadRequest(f"{place}: is {shown(value)}; it must be a string, a number, true or false")
    return given


def _outputs(given: list[Any]) -> tuple[tuple[str, ...], dict[str, bool]]:
    names: list[str] = []
    flags: dict[str, bool] = {}
    for index, fields in enumerate(given):
        where = f"outputs[{index}]"
        if type(fields) is not dict:
            raise BadRequest(f"{where}: is {shown(fields)}; it must be an object")
        names.append(member(fields, "name", str, where))
        parameters = _parameters(fields, where)
        for key in ("classification", "shared_memory_region"):
            if key in parameters:
                raise BadRequest(f"{where}.parameters.{key}: is an extension that is not offered")
        if BINARY in parameters:
            flags[names[-1]] = member(parameters, BINARY, bool, f"{where}.parameters")
    check_names(names, "outputs")
    return tuple(names), flags


def _written(tensors: Iterable[Tensor], is_binary: Callable[[str], bool]) -> tuple[list[dict[str, Any]], list[bytes]]:
    written: list[dict[str, Any]] = []
    parts: list[bytes] = []
    for tensor in tensors:
        fields: dict[str, Any] = {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape)}
        binary = is_binary(tensor.name)
        array, parameters = base64_elements.written(tensor, text=not binary)
        if binary:
            parts.append(pack(array))
            parameters[SIZE] = len(parts[-1])
        else:
            fields["data"] = _to_json(array)
        if parameters:
            fields["parameters"] = _plain(parameters)
        written.append(fields)
    return written, parts


def _to_json(array: np.ndarray[Any, Any]) -> list[Any]:
    flat = array.ravel()
    if flat.dtype == object:
        flat = decoded(flat)
    elif flat.dtype.kind == "f" and not np.isfinite(flat).all():
        flat = objects([value if np.isfinite(value) else None for value in flat.tolist()], flat.shape)
    return flat.tolist()


def _plain(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as the protocol allows them: what is no string, number, true or false becomes JSON text."""
    return {key: plain(value) for key, value in parameters.items()}


def _joined(fields: dict[str, Any], parts: list[bytes]) -> Body:
    text = dump(fields)
    if not parts:
        return Body(text, {"Content-Type": "application/json"})
    headers = {"Content-Type": "application/octet-stream", HEADER_LENGTH: str(len(text))}
    return Body(b"".join((text, *parts)), headers)
