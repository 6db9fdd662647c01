"""Seldon's service on gRPC: Predict and SendFeedback, with the payloads that REST has."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from aiga.serving.messages import BadRequest, Message, ServingError, Tensor
from aiga.serving.protocols import payloads, seldon, tensor_proto, values
from aiga.serving.protocols.arrays import check_shape, sized
from aiga.serving.protocols.body import LIMIT, Request, at, check_length, of_server
from aiga.serving.protocols.feedback import Feedback
from aiga.serving.protocols.metadata import TensorSpec
from aiga.serving.protocols.payloads import Kind
from aiga.serving.protocols.protos import seldon_pb2 as pb
from aiga.serving.protocols.protos.methods import parse


def read_request(content: bytes, *, inputs: Sequence[TensorSpec] = (), limit: int = LIMIT) -> Request[Kind]:
    """The request in a SeldonMessage.

    Args:
        content: the message.
        inputs: what the model takes, as its server tells; gives the tensor's name and data type.
        limit: the longest message in bytes.

    Raises:
        BadRequest: anything about it is wrong.
    """
    check_length(content, limit)
    return _read(parse(pb.SeldonMessage, content), "", inputs)


def write_request(message: Message, kind: Kind = "tensor") -> bytes:
    """A SeldonMessage.

    Raises:
        BadRequest: the message has not one tensor.
    """
    return _bytes(_written(message, kind, names=False))


@of_server
def read_response(content: bytes, *, outputs: Sequence[TensorSpec] = (), limit: int = LIMIT) -> Message:
    """The response in a SeldonMessage.

    Raises:
        ServingError: what its status says when that is FAILURE; 502 when it is wrong.
    """
    check_length(content, limit)
    message = parse(pb.SeldonMessage, content)
    if message.status.status == pb.Status.FAILURE:
        code = message.status.code
        raise ServingError(code if 400 <= code < 600 else 500, message.status.info or "the server failed")
    return _read(message, "", outputs).message


def write_response(message: Message, kind: Kind) -> bytes:
    """A SeldonMessage, with the kind of payload that the request had where the values allow it."""
    return _bytes(_written(message, kind, names=True))


def read_feedback(content: bytes, *, inputs: Sequence[TensorSpec] = (), limit: int = LIMIT) -> Feedback:
    """The feedback in a Feedback message.

    Raises:
        BadRequest: anything about it is wrong.
    """
    check_length(content, limit)
    feedback = parse(pb.Feedback, content)

    def part(key: str, specs: Sequence[TensorSpec] = ()) -> Message | None:
        return _read(getattr(feedback, key), key, specs).message if feedback.HasField(key) else None

    return Feedback(part("request", inputs), part("response"), feedback.reward, part("truth"))


def write_feedback(feedback: Feedback, kind: Kind = "tensor") -> bytes:
    """A Feedback message."""
    written = pb.Feedback(reward=feedback.reward)
    for key in ("request", "response", "truth"):
        message = getattr(feedback, key)
        if message is not None:
            getattr(written, key).CopyFrom(_written(message, kind, names=False))
    return _bytes(written)


def write_empty() -> bytes:
    """The SeldonMessage that answers feedback."""
    return _bytes(pb.SeldonMessage(meta=pb.Meta()))


def _read(message: pb.SeldonMessage, where: str, specs: Sequence[TensorSpec]) -> Request[Kind]:
    key = message.WhichOneof("data_oneof")
    if key is None or key == "customData":
        found = "customData is not taken" if key else "has no payload"
        raise BadRequest(f"{where or 'the message'}: {found}; it must have one of data, binData, strData and jsonData")
    kind: Kind
    if key == "data":
        kind, tensor = _array(message.data, at(where, "data"), specs)
    else:
        kind, value = _element(message, key)
        tensor = payloads.element(kind, value, specs)
    return Request(Message((tensor,), message.meta.puid, meta=_meta(message.meta)), kind)


def _element(message: pb.SeldonMessage, key: str) -> tuple[Kind, bytes]:
    if key == "binData":
        return "binData", message.binData
    if key == "strData":
        return "strData", message.strData.encode()
    return "jsonData", payloads.json_text(values.read(message.jsonData))


def _array(data: pb.DefaultData, where: str, specs: Sequence[TensorSpec]) -> tuple[Kind, Tensor]:
    key = data.WhichOneof("data_oneof")
    if key is None:
        raise BadRequest(f"{where}: has no array; it must have one of {', '.join(payloads.ARRAYS)}")
    kind: Kind
    where = f"{where}.{key}"
    if key == "tensor":
        kind, tensor = "tensor", _flat(data.tensor, where)
    elif key == "tftensor":
        kind, tensor = "tftensor", tensor_proto.read(payloads.UNNAMED, data.tftensor, where)
    else:
        kind, tensor = "ndarray", seldon.ndarray(values.read_list(data.ndarray), where)
    return kind, payloads.named(tensor, tuple(data.names), specs, where)


def _flat(tensor: pb.Tensor, where: str) -> Tensor:
    shape = check_shape(tensor.shape, f"{where}.shape")
    if len(tensor.values) != sized(shape):
        given = len(tensor.values)
        raise BadRequest(f"{where}.values: has {given} elements; shape {list(shape)} takes {sized(shape)}")
    return Tensor(payloads.UNNAMED, "FP64", np.array(tensor.values, dtype=np.float64).reshape(shape))


def _meta(meta: pb.Meta) -> dict[str, Any]:
    metrics = [
        {
            "key": metric.key,
            "type": payloads.METRICS[metric.type] if metric.type < len(payloads.METRICS) else payloads.METRICS[0],
            "value": metric.value,
            **({"tags": dict(metric.tags)} if metric.tags else {}),
        }
        for metric in meta.metrics
    ]
    read: dict[str, Any] = {
        "tags": {name: values.read(value) for name, value in meta.tags.items()},
        "routing": dict(meta.routing),
        "requestPath": dict(meta.requestPath),
        "metrics": metrics,
    }
    return {key: value for key, value in read.items() if value}


def _written(message: Message, kind: Kind, *, names: bool) -> pb.SeldonMessage:
    written = pb.SeldonMessage(meta=_written_meta(message))
    if names and len(message.tensors) != 1:
        written.jsonData.CopyFrom(values.write(seldon.lists_by_name(message)))
        return written
    tensor = payloads.only(message)
    found = payloads.kind_of(tensor, kind)
    if found in payloads.ARRAYS:
        written.data.CopyFrom(_data(tensor, found, names))
    elif found == "binData":
        written.binData = tensor.data.item()
    elif found == "strData":
        written.strData = str(tensor.data.item(), "utf-8")
    else:
        written.jsonData.CopyFrom(values.write(json.loads(tensor.data.item())))
    return written


def _data(tensor: Tensor, kind: Kind, numbered: bool) -> pb.DefaultData:
    data = pb.DefaultData(names=payloads.names(tensor, numbered))
    if kind == "tensor":
        data.tensor.CopyFrom(pb.Tensor(shape=tensor.shape, values=tensor.data.ravel().tolist()))
    elif kind == "tftensor":
        data.tftensor.CopyFrom(tensor_proto.write(tensor))
    else:
        lists = seldon.lists(tensor)
        data.ndarray.CopyFrom(values.write_list(lists if isinstance(lists, list) else [lists]))
    return data


def _written_meta(message: Message) -> pb.Meta:
    meta = message.meta
    return pb.Meta(
        puid=message.id,
        tags={name: values.write(value) for name, value in meta.get("tags", {}).items()},
        routing=meta.get("routing", {}),
        requestPath=meta.get("requestPath", {}),
        metrics=[
            pb.Metric(
                key=metric["key"],
                type=pb.Metric.MetricType.Value(metric.get("type", payloads.METRICS[0])),
                value=metric["value"],
                tags=metric.get("tags", {}),
            )
            for metric in meta.get("metrics", [])
        ],
    )


def _bytes(message: Any) -> bytes:
    return bytes(message.SerializeToString(deterministic=True))
