"""Open Inference Protocol (v2) on gRPC: tensors as typed values, or as bytes in `raw_input_contents`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aiga.serving.messages import TYPES, BadRequest, Message, Tensor
from aiga.serving.protocols import base64_elements, raw
from aiga.serving.protocols.arrays import Array, check_shape, objects, place, sized
from aiga.serving.protocols.body import LIMIT, Request, check_length, of_server, shown
from aiga.serving.protocols.metadata import ModelMetadata, ServerMetadata, TensorSpec
from aiga.serving.protocols.protos import inference_pb2 as pb
from aiga.serving.protocols.protos.methods import parse
from aiga.serving.protocols.rules import check_datatype, check_names, plain, wanted


@dataclass(frozen=True)
class Outputs:
    """Form of a response: which outputs, and whether as bytes, as the request's inputs were."""

    names: tuple[str, ...] = ()
    """All when empty."""
    raw: bool = False


def read_request(content: bytes, *, limit: int = LIMIT) -> Request[Outputs]:
    """The request in a ModelInferRequest.

    Raises:
        BadRequest: anything about it is wrong.
    """
    check_length(content, limit)
    request = parse(pb.ModelInferRequest, content)
    if not request.inputs:
        raise BadRequest("inputs: is empty; it must have a tensor")
    names = tuple(output.name for output in request.outputs)
    check_names(names, "outputs")
    for index, output in enumerate(request.outputs):
        for key in ("classification", "shared_memory_region"):
            if key in output.parameters:
                raise BadRequest(f"outputs[{index}].parameters.{key}: is an extension that is not offered")
    message = Message(
        _tensors(request.inputs, request.raw_input_contents, "input"),
        request.id,
        _read_parameters(request.parameters),
        names,
        request.model_name,
        request.model_version,
    )
    return Request(message, Outputs(names, bool(request.raw_input_contents)))


def write_request(message: Message, *, as_raw: bool = True) -> bytes:
    """A ModelInferRequest; with `as_raw` tensors travel as bytes, which is faster."""
    as_raw = as_raw or _only_raw(message.tensors)
    request = pb.ModelInferRequest(
        model_name=message.model,
        model_version=message.version,
        id=message.id,
        parameters=_parameters(message.parameters),
        outputs=[pb.ModelInferRequest.InferRequestedOutputTensor(name=name) for name in message.requested],
    )
    _write(message.tensors, request.inputs, request.raw_input_contents, as_raw)
    return _bytes(request)


@of_server
def read_response(content: bytes, *, limit: int = LIMIT) -> Message:
    """The response in a ModelInferResponse.

    Raises:
        ServingError: 502, it is wrong.
    """
    check_length(content, limit)
    response = parse(pb.ModelInferResponse, content)
    return Message(
        _tensors(response.outputs, response.raw_output_contents, "output"),
        response.id,
        _read_parameters(response.parameters),
        model=response.model_name,
        version=response.model_version,
    )


def write_response(message: Message, form: Outputs) -> bytes:
    """A ModelInferResponse.

    Raises:
        BadRequest: the client wants an output that there is not.
    """
    tensors = wanted(message.tensors, form.names)
    response = pb.ModelInferResponse(
        model_name=message.model,
        model_version=message.version,
        id=message.id,
        parameters=_parameters(message.parameters),
    )
    _write(tensors, response.outputs, response.raw_output_contents, form.raw or _only_raw(tensors))
    return _bytes(response)


def read_model_name(content: bytes) -> tuple[str, str]:
    """Model and version that a ModelReadyRequest or a ModelMetadataRequest asks for.

    Raises:
        BadRequest: it is none, or names no model.
    """
    request = parse(pb.ModelReadyRequest, content)
    if not request.name:
        raise BadRequest("name: is empty; it must be a model's")
    return request.name, request.version


def write_model_name(model: str, version: str = "") -> bytes:
    """A ModelReadyRequest or ModelMetadataRequest, which are alike."""
    return _bytes(pb.ModelReadyRequest(name=model, version=version))


def write_flag(value: bool) -> bytes:
    """A ServerLiveResponse, ServerReadyResponse or ModelReadyResponse, which are alike."""
    return _bytes(pb.ServerReadyResponse(ready=value))


@of_server
def read_flag(content: bytes) -> bool:
    """What a ServerLiveResponse, ServerReadyResponse or ModelReadyResponse says."""
    return bool(parse(pb.ServerReadyResponse, content).ready)


def write_server(metadata: ServerMetadata) -> bytes:
    """A ServerMetadataResponse."""
    return _bytes(
        pb.ServerMetadataResponse(name=metadata.name, version=metadata.version, extensions=metadata.extensions)
    )


@of_server
def read_server(content: bytes) -> ServerMetadata:
    """What a ServerMetadataResponse says."""
    response = parse(pb.ServerMetadataResponse, content)
    return ServerMetadata(response.name, response.version, tuple(response.extensions))


def write_model(metadata: ModelMetadata) -> bytes:
    """A ModelMetadataResponse."""
    return _bytes(
        pb.ModelMetadataResponse(
            name=metadata.name,
            versions=metadata.versions,
            platform=metadata.platform,
            inputs=_infos(metadata.inputs),
            outputs=_infos(metadata.outputs),
        )
    )


@of_server
def read_model(content: bytes) -> ModelMetadata:
    """What a ModelMetadataResponse says.

    Raises:
        ServingError: 502, it is none, or has a data type that is not ours.
    """
    response = parse(pb.ModelMetadataResponse, content)
    return ModelMetadata(
        response.name, tuple(response.versions), response.platform, _specs(response.inputs), _specs(response.outputs)
    )


_FIELDS: Mapping[str, str] = {
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
    "BOOL": "bool_contents",
    "INT64": "int64_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
"""Data type to the field of InferTensorContents that holds its values; FP16 has none."""


def _tensors(given: Sequence[Any], contents: Sequence[bytes], side: str) -> tuple[Tensor, ...]:
    if contents and len(contents) != len(given):
        raise BadRequest(f"raw_{side}_contents: has {len(contents)} elements for {len(given)} {side}s; each needs one")
    check_names((tensor.name for tensor in given), f"{side}s")
    return tuple(
        _tensor(tensor, contents[index] if contents else None, f"{side}s[{index}]", f"raw_{side}_contents[{index}]")
        for index, tensor in enumerate(given)
    )


def _tensor(given: Any, content: bytes | None, where: str, raw_where: str) -> Tensor:
    datatype = check_datatype(given.datatype, f"{where}.datatype")
    shape = check_shape(given.shape, f"{where}.shape")
    parameters = _read_parameters(given.parameters)
    if "shared_memory_region" in parameters:
        raise BadRequest(f"{where}.parameters: asks for shared memory, which is not offered; send the data")
    filled = [field.name for field, _ in given.contents.ListFields()]
    if content is not None:
        if filled:
            raise BadRequest(f"{where}.contents: has {filled[0]} beside {raw_where}; one of them must be left out")
        array = raw.unpack(content, datatype, shape, raw_where)
    else:
        array = _typed(given.contents, filled, datatype, shape, f"{where}.contents")
    return base64_elements.read(Tensor(given.name, datatype, array, parameters), where)


def _typed(contents: Any, filled: list[str], datatype: str, shape: tuple[int, ...], where: str) -> Array:
    field = _FIELDS.get(datatype)
    if field is None:
        raise BadRequest(f"{where}: cannot hold {datatype}; send it in raw_input_contents")
    if set(filled) - {field}:
        raise BadRequest(f"{where}: has {', '.join(filled)}; {datatype} goes in {field}")
    values = getattr(contents, field)
    if len(values) != sized(shape):
        raise BadRequest(f"{where}.{field}: has {len(values)} elements; shape {list(shape)} takes {sized(shape)}")
    if datatype == "BYTES":
        return objects(list(values), shape)
    try:
        return np.array(values, dtype=TYPES[datatype]).reshape(shape)
    except OverflowError:
        bounds = np.iinfo(TYPES[datatype])
        index = next(i for i, value in enumerate(values) if not bounds.min <= value <= bounds.max)
        raise BadRequest(
            f"{place(f'{where}.{field}', index, (len(values),))}: is {shown(values[index])}; "
            f"{datatype} takes whole numbers from {bounds.min} to {bounds.max}"
        ) from None


def _only_raw(tensors: Iterable[Tensor]) -> bool:
    return any(tensor.datatype not in _FIELDS for tensor in tensors)


def _write(tensors: Iterable[Tensor], into: Any, contents: Any, as_raw: bool) -> None:
    for tensor in tensors:
        array, parameters = base64_elements.written(tensor, text=False)
        proto = into.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        for key, value in _parameters(parameters).items():
            proto.parameters[key].CopyFrom(value)
        if as_raw:
            contents.append(raw.pack(array))
        else:
            getattr(proto.contents, _FIELDS[tensor.datatype]).extend(array.ravel().tolist())


def _parameters(parameters: Mapping[str, Any]) -> dict[str, pb.InferParameter]:
    return {key: _parameter(plain(value)) for key, value in parameters.items()}


def _parameter(value: bool | int | float | str) -> pb.InferParameter:
    if isinstance(value, bool):
        return pb.InferParameter(bool_param=value)
    if isinstance(value, str):
        return pb.InferParameter(string_param=value)
    if isinstance(value, float):
        return pb.InferParameter(double_param=value)
    if -(2**63) <= value < 2**63:
        return pb.InferParameter(int64_param=value)
    if 0 < value < 2**64:
        return pb.InferParameter(uint64_param=value)
    return pb.InferParameter(string_param=str(value))


def _read_parameters(parameters: Mapping[str, pb.InferParameter]) -> dict[str, Any]:
    read: dict[str, Any] = {}
    for key, parameter in parameters.items():
        choice = parameter.WhichOneof("parameter_choice")
        if choice:
            read[key] = getattr(parameter, choice)
    return read


def _infos(specs: Iterable[TensorSpec]) -> list[pb.ModelMetadataResponse.TensorMetadata]:
    kind = pb.ModelMetadataResponse.TensorMetadata
    return [kind(name=spec.name, datatype=spec.datatype, shape=spec.shape) for spec in specs]


def _specs(infos: Iterable[Any]) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(info.name, check_datatype(info.datatype, f"{info.name}.datatype"), tuple(info.shape))
        for info in infos
    )


def _bytes(message: Any) -> bytes:
    return bytes(message.SerializeToString())
