"""Seldon's protocol on REST: one payload in a message, with its `meta`.

An array (`ndarray`, `tensor`, `tftensor`) is one tensor, its column names in the tensor's parameter `names`; `binData`,
`strData` and `jsonData` are one element of BYTES, marked by the tensor's parameter `content_type` (`payloads`). Members
that the protocol does not name are ignored, NaN and Infinity are numbers, both as Seldon's wrapper has it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from google.protobuf import json_format

from aiga.serving.messages import BadRequest, Message, ServingError, Tensor
from aiga.serving.protocols import payloads, seldon_meta, tensor_proto
from aiga.serving.protocols.arrays import (
    check_shape,
    datatype_of,
    flatten,
    objects,
    sized,
    to_array,
    to_lists,
    unwrapped,
)
from aiga.serving.protocols.body import (
    LIMIT,
    Body,
    Request,
    at,
    check_depth,
    member,
    of_server,
    parse,
    shown,
    texts,
    written,
)
from aiga.serving.protocols.feedback import Feedback
from aiga.serving.protocols.metadata import TensorSpec
from aiga.serving.protocols.payloads import Kind
from aiga.serving.protocols.protos import tensorflow_pb2

__all__ = [
    "Feedback",
    "Kind",
    "error",
    "read_feedback",
    "read_request",
    "read_response",
    "write_feedback",
    "write_request",
    "write_response",
]


def read_request(
    content: bytes,
    headers: Mapping[str, str] | None = None,
    *,
    inputs: Sequence[TensorSpec] = (),
    limit: int = LIMIT,
) -> Request[Kind]:
    """The request in a body.

    Args:
        content: the body, decompressed.
        headers: of HTTP; none matters.
        inputs: what the model takes, as its server tells; gives the tensor's name and data type.
        limit: the longest body in bytes.

    Raises:
        BadRequest: anything about it is wrong.
    """
    return _read(parse(content, limit=limit, nan=True), "", inputs)


def write_request(message: Message, kind: Kind = "ndarray") -> Body:
    """The body of a request.

    Raises:
        BadRequest: the message has not one tensor.
    """
    return written(_written(message, kind, names=False), nan=True)


@of_server
def read_response(content: bytes, *, outputs: Sequence[TensorSpec] = (), limit: int = LIMIT) -> Message:
    """The response that a server wrote.

    Raises:
        ServingError: what its status says when that is FAILURE; 502 when it is wrong.
    """
    fields = parse(content, limit=limit, nan=True)
    status = member(fields, "status", dict, "", {})
    if status.get("status") in ("FAILURE", 1):
        code = status.get("code")
        raise ServingError(
            code if type(code) is int and 400 <= code < 600 else 500, str(status.get("info") or "the server failed")
        )
    return _read(fields, "", outputs).message


def write_response(message: Message, kind: Kind) -> Body:
    """The body of a response, with the kind of payload that the request had where the values allow it."""
    return written(_written(message, kind, names=True), nan=True)


def error(reason: str, status: int = 400, code: str = "MICROSERVICE_BAD_DATA") -> Body:
    """The body that says why there is no answer: Seldon's status."""
    return written({"status": {"code": status, "info": reason, "reason": code, "status": "FAILURE"}})


def error_reason(content: bytes) -> str:
    """The reason in a body that `error` or a server wrote; its beginning when it has another form."""
    try:
        status = parse(content, nan=True).get("status")
    except BadRequest:
        status = None
    info = status.get("info") if type(status) is dict else None
    return info if isinstance(info, str) else str(content[:200], "utf-8", "replace")


def read_feedback(content: bytes, *, inputs: Sequence[TensorSpec] = (), limit: int = LIMIT) -> Feedback:
    """The feedback in a body: what was asked and answered, what would have been right, and how good it was.

    Raises:
        BadRequest: anything about it is wrong.
    """
    fields = parse(content, limit=limit, nan=True)
    reward = fields.get("reward")
    if reward is not None and type(reward) not in (int, float):
        raise BadRequest(f"reward: is {shown(reward)}; it must be a number")

    def part(key: str, specs: Sequence[TensorSpec] = ()) -> Message | None:
        given = member(fields, key, dict, "", {})
        return _read(given, key, specs).message if given else None

    try:
        return Feedback(part("request", inputs), part("response"), float(reward or 0), part("truth"))
    except OverflowError:
        raise BadRequest(f"reward: is {shown(reward)}; it is out of range") from None


def write_feedback(feedback: Feedback, kind: Kind = "ndarray") -> Body:
    """The body of a feedback."""
    fields: dict[str, Any] = {"reward": feedback.reward}
    for key in ("request", "response", "truth"):
        message = getattr(feedback, key)
        if message is not None:
            fields[key] = _written(message, kind, names=False)
    return written(fields, nan=True)


def _read(fields: Mapping[str, Any], where: str, specs: Sequence[TensorSpec]) -> Request[Kind]:
    given = [key for key in ("data", "binData", "strData", "jsonData", "customData") if fields.get(key) is not None]
    if len(given) != 1:
        found = f"has {' and '.join(given)}" if given else "has no payload"
        raise BadRequest(f"{where or 'the body'}: {found}; it must have one of data, binData, strData and jsonData")
    key, place = given[0], at(where, given[0])
    if key == "customData":
        raise BadRequest(f"{place}: is not taken; send data, binData, strData or jsonData")
    identity, meta = seldon_meta.read(member(fields, "meta", dict, where, {}), at(where, "meta"))
    kind: Kind
    if key == "data":
        kind, tensor = _array(member(fields, "data", dict, where), place, specs)
    else:
        kind, element = _ELEMENTS[key](fields[key], place)
        tensor = payloads.element(kind, element, specs)
    return Request(Message((tensor,), identity, meta=meta), kind)


def _array(data: Mapping[str, Any], where: str, specs: Sequence[TensorSpec]) -> tuple[Kind, Tensor]:
    given: list[Kind] = [kind for kind in payloads.ARRAYS if data.get(kind) is not None]
    if len(given) != 1:
        found = f"has {' and '.join(given)}" if given else "has no array"
        raise BadRequest(f"{where}: {found}; it must have one of {', '.join(payloads.ARRAYS)}")
    kind = given[0]
    names = texts(member(data, "names", list, where, []), f"{where}.names")
    tensor = _ARRAYS[kind](data[kind], f"{where}.{kind}")
    return kind, payloads.named(tensor, names, specs, f"{where}.{kind}")


def ndarray(values: Any, where: str) -> Tensor:
    """The tensor of nested lists that stand at `where`."""
    if type(values) is not list:
        raise BadRequest(f"{where}: is {shown(values)}; it must be a list")
    leaves, shape = flatten(values, where)
    kinds = set(map(type, leaves))
    if str in kinds and kinds <= {str, int, float, bool}:  # NumPy makes rows of mixed values text, and so Seldon does
        leaves = [leaf if type(leaf) is str else str(leaf) for leaf in leaves]
    datatype = datatype_of(leaves, where)
    if datatype == "INT64" and max(leaves) >= 2**63:
        datatype = "UINT64"
    return Tensor(payloads.UNNAMED, datatype, to_array(leaves, shape, datatype, where, nan=True))


def _flat(fields: Any, where: str) -> Tensor:
    if type(fields) is not dict:
        raise BadRequest(f"{where}: is {shown(fields)}; it must be an object with shape and values")
    shape = check_shape(member(fields, "shape", list, where, []), f"{where}.shape")
    leaves = member(fields, "values", list, where, [])
    if len(leaves) != sized(shape):
        raise BadRequest(f"{where}.values: has {len(leaves)} elements; shape {list(shape)} takes {sized(shape)}")
    array = to_array(leaves, (len(leaves),), "FP64", f"{where}.values", nan=True)
    return Tensor(payloads.UNNAMED, "FP64", array.reshape(shape))


def _tftensor(fields: Any, where: str) -> Tensor:
    if type(fields) is not dict:
        raise BadRequest(f"{where}: is {shown(fields)}; it must be TensorFlow's TensorProto as an object")
    try:
        proto = json_format.ParseDict(check_depth(fields, where), tensorflow_pb2.TensorProto())
    except (json_format.ParseError, TypeError, ValueError, OverflowError) as wrong:
        raise BadRequest(f"{where}: is no TensorProto: {' '.join(str(wrong).split())[:200]}") from None
    return tensor_proto.read(payloads.UNNAMED, proto, where)


_ARRAYS: Mapping[str, Callable[[Any, str], Tensor]] = {"ndarray": ndarray, "tensor": _flat, "tftensor": _tftensor}


def _binary(value: Any, where: str) -> tuple[Kind, bytes]:
    return "binData", unwrapped(value, where)


def _text(value: Any, where: str) -> tuple[Kind, bytes]:
    if type(value) is not str:
        raise BadRequest(f"{where}: is {shown(value)}; it must be a string")
    return "strData", value.encode()


def _json(value: Any, where: str) -> tuple[Kind, bytes]:
    return "jsonData", payloads.json_text(check_depth(value, where))


_ELEMENTS: Mapping[str, Callable[[Any, str], tuple[Kind, bytes]]] = {
    "binData": _binary,
    "strData": _text,
    "jsonData": _json,
}


def _written(message: Message, kind: Kind, *, names: bool) -> dict[str, Any]:
    meta = {**({"puid": message.id} if message.id else {}), **message.meta}
    if names and len(message.tensors) != 1:  # no payload carries several arrays: all of them go as JSON
        return {"jsonData": lists_by_name(message), "meta": meta}
    tensor = payloads.only(message)
    written = payloads.kind_of(tensor, kind)
    if written in payloads.ARRAYS:
        return {"data": {"names": payloads.names(tensor, names), written: _array_of(tensor, written)}, "meta": meta}
    element = tensor.data.item()
    value: Any = base64.b64encode(element).decode()
    if written == "strData":
        value = str(element, "utf-8")
    elif written == "jsonData":
        value = json.loads(element)
    return {written: value, "meta": meta}


def _array_of(tensor: Tensor, kind: Kind) -> Any:
    if kind == "tensor":
        return {"shape": list(tensor.shape), "values": tensor.data.ravel().tolist()}
    if kind == "tftensor":
        return json_format.MessageToDict(tensor_proto.write(tensor))
    return lists(tensor)


def lists_by_name(message: Message) -> dict[str, Any]:
    """The tensors of a message as nested lists."""
    return {tensor.name: lists(tensor) for tensor in message.tensors}


def lists(tensor: Tensor) -> Any:
    """A tensor as nested lists; bytes that are no text are in base64."""
    try:
        return to_lists(tensor.data)
    except UnicodeDecodeError:
        encoded = [base64.b64encode(element).decode() for element in tensor.data.ravel()]
        return objects(encoded, tensor.shape).tolist()
