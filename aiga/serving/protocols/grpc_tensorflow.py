"""TensorFlow Serving's PredictionService on gRPC: Predict and GetModelMetadata."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.wrappers_pb2 import Int64Value

from aiga.serving.messages import BadRequest, Message
from aiga.serving.protocols import tensor_proto
from aiga.serving.protocols.body import LIMIT, Request, check_length, of_server
from aiga.serving.protocols.metadata import ModelMetadata, TensorSpec
from aiga.serving.protocols.protos import tensorflow_pb2 as pb
from aiga.serving.protocols.protos.methods import parse
from aiga.serving.protocols.rules import wanted
from aiga.serving.protocols.tensor_proto import DT_OF
from aiga.serving.protocols.tensorflow import SIGNATURE
from aiga.serving.protocols.tensorflow_bodies import METHOD
from aiga.serving.protocols.tensorflow_bodies import SIGNATURE as DEFAULT

SIGNATURES = "signature_def"
SIGNATURES_TYPE = "type.googleapis.com/tensorflow.serving.SignatureDefMap"


def read_request(content: bytes, *, limit: int = LIMIT) -> Request[tuple[str, ...]]:
    """The request in a PredictRequest; its form is the names of the outputs that are wanted, all when empty.

    Raises:
        BadRequest: anything about it is wrong.
    """
    check_length(content, limit)
    request = parse(pb.PredictRequest, content)
    if not request.inputs:
        raise BadRequest("inputs: is empty; it must have a tensor")
    tensors = tuple(
        tensor_proto.read(name, proto, f"inputs.{name}", limit=limit) for name, proto in sorted(request.inputs.items())
    )
    spec = request.model_spec
    names = tuple(request.output_filter)
    parameters = {SIGNATURE: spec.signature_name} if spec.signature_name else {}
    message = Message(tensors, parameters=parameters, requested=names, model=spec.name, version=_version(spec))
    return Request(message, names)


def write_request(message: Message) -> bytes:
    """A PredictRequest."""
    spec = _spec(message.model, message.version, message.parameters.get(SIGNATURE, ""))
    request = pb.PredictRequest(model_spec=spec, output_filter=message.requested)
    for tensor in message.tensors:
        request.inputs[tensor.name].CopyFrom(tensor_proto.write(tensor))
    return _bytes(request)


@of_server
def read_response(content: bytes, *, limit: int = LIMIT) -> Message:
    """The response in a PredictResponse.

    Raises:
        ServingError: 502, it is wrong.
    """
    check_length(content, limit)
    response = parse(pb.PredictResponse, content)
    tensors = tuple(
        tensor_proto.read(name, proto, f"outputs.{name}", limit=limit)
        for name, proto in sorted(response.outputs.items())
    )
    return Message(tensors, model=response.model_spec.name, version=_version(response.model_spec))


def write_response(message: Message, form: tuple[str, ...] = ()) -> bytes:
    """A PredictResponse.

    Raises:
        BadRequest: the client wants an output that there is not.
    """
    response = pb.PredictResponse(model_spec=_spec(message.model, message.version))
    for tensor in wanted(message.tensors, form):
        response.outputs[tensor.name].CopyFrom(tensor_proto.write(tensor))
    return _bytes(response)


def read_metadata_request(content: bytes) -> tuple[str, str]:
    """Model and version that a GetModelMetadataRequest asks for.

    Raises:
        BadRequest: it is none, or asks for other than `signature_def`, which is all that there is.
    """
    request = parse(pb.GetModelMetadataRequest, content)
    if list(request.metadata_field) != [SIGNATURES]:
        raise BadRequest(f"metadata_field: is {list(request.metadata_field)}; it must be {SIGNATURES}")
    return request.model_spec.name, _version(request.model_spec)


def write_metadata(metadata: ModelMetadata, version: str = "") -> bytes:
    """A GetModelMetadataResponse: the inputs and outputs as the signature `serving_default`."""
    signature = pb.SignatureDef(inputs=_infos(metadata.inputs), outputs=_infos(metadata.outputs), method_name=METHOD)
    value = _bytes(pb.SignatureDefMap(signature_def={DEFAULT: signature}))
    response = pb.GetModelMetadataResponse(
        model_spec=_spec(metadata.name, version or "".join(metadata.versions[-1:])),
        metadata={SIGNATURES: AnyMessage(type_url=SIGNATURES_TYPE, value=value)},
    )
    return _bytes(response)


def _infos(specs: Iterable[TensorSpec]) -> dict[str, pb.TensorInfo]:
    return {
        spec.name: pb.TensorInfo(
            name=f"{spec.name}:0",
            dtype=pb.DataType.Value(DT_OF[spec.datatype]),
            tensor_shape=pb.TensorShapeProto(dim=[pb.TensorShapeProto.Dim(size=size) for size in spec.shape]),
        )
        for spec in specs
    }


def _spec(model: str, version: str, signature: str = "") -> pb.ModelSpec:
    """Versions that are no number are labels."""
    spec = pb.ModelSpec(name=model, signature_name=signature)
    if version.isascii() and version.isdigit() and int(version) < 2**63:
        spec.version.CopyFrom(Int64Value(value=int(version)))
    elif version:
        spec.version_label = version
    return spec


def _version(spec: pb.ModelSpec) -> str:
    chosen = spec.WhichOneof("version_choice")
    if chosen is None:
        return ""
    return str(spec.version.value) if chosen == "version" else spec.version_label


def _bytes(message: Any) -> bytes:
    return bytes(message.SerializeToString(deterministic=True))
