"""Seldon's helpers: variables, and what leads from its messages, as protobuf or JSON, to arrays and back.

What differs: `tftensor` needs no TensorFlow.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from google.protobuf import json_format
from google.protobuf.struct_pb2 import ListValue

from aiga.serving.messages import TYPES, Tensor
from aiga.serving.protocols import tensor_proto
from aiga.serving.protocols.arrays import objects
from aiga.serving.protocols.protos.tensorflow_pb2 import TensorProto
from aiga.serving.runtimes.seldon_core.env_utils import NONIMPLEMENTED_MSG, get_image_name, get_model_name
from aiga.serving.runtimes.seldon_core.flask_utils import SeldonMicroserviceException
from aiga.serving.runtimes.seldon_core.proto import prediction_pb2
from aiga.serving.runtimes.seldon_core.user_model import client_class_names, client_custom_tags, client_feature_names

__all__ = [
    "NONIMPLEMENTED_MSG",
    "SeldonMicroserviceException",
    "array_to_grpc_datadef",
    "array_to_list_value",
    "array_to_rest_datadef",
    "construct_response_json",
    "extract_feedback_request_parts",
    "extract_request_parts",
    "extract_request_parts_json",
    "feedback_to_json",
    "get_data_from_proto",
    "get_meta_from_proto",
    "get_request_path",
    "getenv",
    "getenv_as_bool",
    "grpc_datadef_to_array",
    "json_to_feedback",
    "json_to_seldon_message",
    "prediction_pb2",
    "seldon_message_to_json",
]
_DATATYPE_OF = {dtype: name for name, dtype in TYPES.items()}
_M = TypeVar("_M")
Array = npt.NDArray[Any]


def getenv(*env_vars: str, default: Any = None) -> Any:
    """The first of several variables that is set."""
    return next((os.environ[name] for name in env_vars if name in os.environ), default)


def getenv_as_bool(*env_vars: str, default: bool = False) -> bool:
    """Whether the first of several variables that is set says 1, true or t."""
    value = getenv(*env_vars)
    return default if value is None else value.lower() in ("1", "true", "t")


def get_request_path() -> dict[str, str]:
    """The node and its image, where Seldon's variables tell the node."""
    name = get_model_name()
    return {} if name == NONIMPLEMENTED_MSG else {name: get_image_name()}


def json_to_seldon_message(message_json: Mapping[str, Any] | None) -> prediction_pb2.SeldonMessage:
    """The message of its JSON. SeldonMicroserviceException where it is none."""
    return _parsed(message_json, prediction_pb2.SeldonMessage())


def json_to_feedback(message_json: Mapping[str, Any] | None) -> prediction_pb2.Feedback:
    """The feedback of its JSON. SeldonMicroserviceException where it is none."""
    return _parsed(message_json, prediction_pb2.Feedback())


def seldon_message_to_json(message_proto: prediction_pb2.SeldonMessage) -> dict[str, Any]:
    """The JSON of a message."""
    return dict(_json(message_proto))


def feedback_to_json(message_proto: prediction_pb2.Feedback) -> dict[str, Any]:
    """The JSON of a feedback."""
    return dict(_json(message_proto))


def get_meta_from_proto(request: prediction_pb2.SeldonMessage) -> dict[str, Any]:
    """The JSON of a message's `meta`."""
    return dict(_json(request.meta))


def get_data_from_proto(request: prediction_pb2.SeldonMessage) -> Any:
    """What a message holds: an array, bytes, text, a value of JSON, or an Any.

    Raises:
        SeldonMicroserviceException: nothing.
    """
    kind = request.WhichOneof("data_oneof")
    if kind is None:
        raise SeldonMicroserviceException("Unknown data in SeldonMessage")
    if kind == "data":
        return grpc_datadef_to_array(request.data)
    return _json(request.jsonData) if kind == "jsonData" else getattr(request, kind)


def grpc_datadef_to_array(datadef: prediction_pb2.DefaultData) -> Array:
    """The array of a message's `data`; an empty one where there is none."""
    kind = datadef.WhichOneof("data_oneof")
    if kind == "tensor":
        return np.array(datadef.tensor.values, np.float64).reshape(tuple(datadef.tensor.shape))
    if kind == "tftensor":
        return tensor_proto.read("", datadef.tftensor, "data.tftensor").data
    return np.array(_json(datadef.ndarray) if kind else [])


def array_to_list_value(array: Array, lv: ListValue | None = None) -> ListValue:
    """An array as protobuf's lists in lists, added to `lv` where it is given."""
    made = ListValue() if lv is None else lv
    made.extend(array.tolist())
    return made


def array_to_grpc_datadef(data_type: str, array: Array, names: Sequence[str] | None = ()) -> prediction_pb2.DefaultData:
    """The `data` of a message: `tensor`, `tftensor`, and `ndarray` for every other `data_type`."""
    datadef = prediction_pb2.DefaultData(names=names)
    if data_type == "tensor":
        datadef.tensor.CopyFrom(prediction_pb2.Tensor(shape=array.shape, values=array.ravel().tolist()))
    elif data_type == "tftensor":
        datadef.tftensor.CopyFrom(_tftensor(array))
    else:
        array_to_list_value(array, datadef.ndarray)
    return datadef


def array_to_rest_datadef(data_type: str, array: Array, names: Sequence[str] | None = ()) -> dict[str, Any]:
    """The JSON of a message's `data`: `tensor`, `tftensor`, and `ndarray` for every other `data_type`."""
    return {"names": list(names or ()), **_array_json(data_type, array)}


def extract_request_parts(request: prediction_pb2.SeldonMessage) -> tuple[Any, dict[str, Any], Any, str]:
    """What a message holds, its `meta`, its `data`, and the kind of its payload."""
    return get_data_from_proto(request), get_meta_from_proto(request), request.data, request.WhichOneof("data_oneof")


def extract_request_parts_json(request: Mapping[str, Any]) -> tuple[Any, Any, Any, str]:
    """What the JSON of a message holds, its `meta`, its `data`, and the kind of its payload.

    Raises:
        SeldonMicroserviceException: it has no payload.
    """
    kinds = ("data", "jsonData", "strData", "binData")
    kind = next((kind for kind in kinds if kind in request), None) if isinstance(request, dict) else None
    if kind is None:
        raise SeldonMicroserviceException(f"Invalid request data type: {request}")
    features, data = request[kind], request.get("data")
    if data is not None:
        features = _array_of_json(data)
    elif kind == "binData":
        features = base64.b64decode(features)
    return features, request.get("meta"), data, kind


def extract_feedback_request_parts(request: prediction_pb2.Feedback) -> tuple[Any, Array, Array, float]:
    """The request's `data` and its array, the truth's array, and the reward."""
    data = request.request.data
    return data, grpc_datadef_to_array(data), grpc_datadef_to_array(request.truth.data), request.reward


def construct_response_json(  # noqa: PLR0917 - positions are Seldon's
    user_model: Any,
    is_request: bool,
    client_request_raw: Mapping[str, Any],
    client_raw_response: Any,
    meta: Mapping[str, Any] | None = None,
    custom_metrics: Sequence[Mapping[str, Any]] | None = None,
    runtime_tags: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The JSON of the message that answers a request.

    Args:
        user_model: the class's instance, which gives names of columns and tags.
        is_request: whether the answer goes on to the next node, as features, or is the answer of a model.
        client_request_raw: the JSON of the request; numbers are answered as the kind of array that it has.
        client_raw_response: what the class said.
        meta: that of the request, whose tags, metrics and path stay.
        custom_metrics: added to them.
        runtime_tags: added to them.

    Raises:
        SeldonMicroserviceException: no message can hold what the class said.
    """
    given = meta or {}
    tags = {**given.get("tags", {}), **(client_custom_tags(user_model) or {}), **(runtime_tags or {})}
    metrics = [*given.get("metrics", ()), *(custom_metrics or ())]
    path = {**get_request_path(), **given.get("requestPath", {})}
    puid = client_request_raw.get("meta", {}).get("puid")
    told = {"tags": tags, "metrics": metrics, "puid": puid, "requestPath": path}
    payload = _payload_json(user_model, is_request, client_request_raw.get("data"), client_raw_response)
    return {**payload, "meta": {name: value for name, value in told.items() if value}}


def _payload_json(user_model: Any, is_request: bool, asked: Mapping[str, Any] | None, said: Any) -> dict[str, Any]:
    if isinstance(said, dict):
        return {"jsonData": said}
    if isinstance(said, bytes | bytearray):
        return {"binData": base64.b64encode(said).decode()}
    if isinstance(said, str):
        return {"strData": said}
    if not isinstance(said, list | np.ndarray):
        raise SeldonMicroserviceException(f"Unknown data type returned as payload (must be list or np array):{said}")
    array = np.array(said)
    kind = "ndarray"
    if np.issubdtype(array.dtype, np.number):
        kinds = ("tensor", "tftensor", "ndarray")
        kind = "tensor" if asked is None else next((each for each in kinds if each in asked), kind)
    names = (
        client_feature_names(user_model, (asked or {}).get("names", []))
        if is_request
        else client_class_names(user_model, array)
    )
    return {"data": array_to_rest_datadef(kind, array, names)}


def _array_json(kind: str, array: Array) -> dict[str, Any]:
    if kind == "tensor":
        return {"tensor": {"shape": list(array.shape), "values": array.ravel().tolist()}}
    if kind == "tftensor":
        return {"tftensor": _json(_tftensor(array))}
    return {"ndarray": array.tolist()}


def _array_of_json(data: Mapping[str, Any]) -> Array:
    if "tensor" in data:
        return np.array(data["tensor"]["values"]).reshape(data["tensor"]["shape"])
    if "tftensor" in data:
        return tensor_proto.read("", _parsed(data["tftensor"], TensorProto()), "data.tftensor").data
    return np.array(data.get("ndarray", []))


def _tftensor(array: Array) -> TensorProto:
    if array.dtype.kind in "OUS":
        elements = [each if isinstance(each, bytes) else str(each).encode() for each in array.ravel().tolist()]
        return tensor_proto.write(Tensor("", "BYTES", objects(elements, array.shape)))
    datatype = _DATATYPE_OF.get(array.dtype)
    if datatype is None:
        raise SeldonMicroserviceException(f"an array of {array.dtype} is no tftensor (one of {', '.join(TYPES)} is)")
    return tensor_proto.write(Tensor("", datatype, array))


def _json(message: Any) -> Any:
    """A dict, but of Value and ListValue what they hold."""
    return json_format.MessageToDict(message)


def _parsed(given: Any, message: _M) -> _M:
    try:
        json_format.ParseDict({} if given is None else given, message)
    except json_format.ParseError as error:
        raise SeldonMicroserviceException(f"Invalid JSON: {error}") from error
    return message
