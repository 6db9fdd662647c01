"""Triton's own client as the other side, for its bytes: of REST with and without binary tensors, and of gRPC."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http
from hypothesis import given, settings
from hypothesis import strategies as st
from protocols_world import same_tensor, tensors
from tritonclient.grpc import service_pb2

from aiga.serving.messages import Message, Tensor
from aiga.serving.protocols import grpc_v2, v2
from aiga.serving.protocols.protos import inference_pb2

Http, Grpc = tritonclient.http, tritonclient.grpc
TENSORS = st.integers(1, 3).flatmap(lambda count: st.tuples(*(tensors(f"x{n}", nan=True) for n in range(count))))


def http_input(tensor: Tensor, binary: bool) -> Any:
    given = Http.InferInput(tensor.name, list(tensor.shape), tensor.datatype)
    given.set_data_from_numpy(tensor.data, binary_data=binary)
    return given


def request(parts: tuple[Tensor, ...], *, binary: bool, **more: Any) -> v2.Request[v2.Outputs]:
    given = [http_input(tensor, binary) for tensor in parts]
    text, length = Http.InferenceServerClient.generate_request_body(given, **more)
    return v2.read_request(text, {} if length is None else {"Inference-Header-Content-Length": str(length)})


@settings(max_examples=100, deadline=None)
@given(TENSORS)
def test_the_client_is_understood_as_it_asks_by_default_which_is_in_binary(parts: tuple[Tensor, ...]) -> None:
    message, form = request(parts, binary=True, request_id="7", parameters={"a": "b"})
    for one, other in zip(parts, message.tensors, strict=True):
        same_tensor(one, other)
    assert (message.id, message.parameters, form) == ("7", {"a": "b"}, v2.Outputs(rest=True))


@settings(max_examples=100, deadline=None)
@given(st.tuples(tensors("x", text=True)))
def test_the_client_is_understood_when_it_asks_in_json(parts: tuple[Tensor, ...]) -> None:
    wanted = [Http.InferRequestedOutput("y", binary_data=False), Http.InferRequestedOutput("z", binary_data=True)]
    message, form = request(parts, binary=False, outputs=wanted)
    same_tensor(parts[0], message.tensors[0])
    assert message.requested == ("y", "z")
    assert (form.is_binary("y"), form.is_binary("z")) == (False, True)


@settings(max_examples=100, deadline=None)
@given(TENSORS, st.booleans())
def test_the_client_understands_the_answer(parts: tuple[Tensor, ...], binary: bool) -> None:
    if not binary:
        parts = tuple(tensor for tensor in parts if tensor.datatype != "BYTES" and np.isfinite(tensor.data).all())
    text, headers = v2.write_response(Message(parts, "7", model="m", version="1"), v2.Outputs(rest=binary))
    length = headers.get("Inference-Header-Content-Length")
    result = Http.InferenceServerClient.parse_response_body(text, header_length=None if length is None else int(length))
    assert result.get_response()["model_name"] == "m"
    for tensor in parts:
        np.testing.assert_array_equal(result.as_numpy(tensor.name), tensor.data)


@settings(max_examples=100, deadline=None)
@given(TENSORS)
def test_the_client_is_understood_on_grpc(parts: tuple[Tensor, ...]) -> None:
    proto = service_pb2.ModelInferRequest(model_name="m", model_version="2", id="7")
    proto.parameters["priority"].uint64_param = 2**63
    for tensor in parts:
        given = Grpc.InferInput(tensor.name, list(tensor.shape), tensor.datatype)
        given.set_data_from_numpy(tensor.data)
        proto.inputs.extend([given._get_tensor()])
        proto.raw_input_contents.extend([given._get_content()])
    proto.outputs.extend([Grpc.InferRequestedOutput("y")._get_tensor()])
    message, form = grpc_v2.read_request(proto.SerializeToString())
    for one, other in zip(parts, message.tensors, strict=True):
        same_tensor(one, other)
    assert (message.model, message.version, message.id, message.requested) == ("m", "2", "7", ("y",))
    assert message.parameters == {"priority": 2**63}
    assert form == grpc_v2.Outputs(("y",), raw=True)


@settings(max_examples=100, deadline=None)
@given(TENSORS)
def test_the_client_understands_the_answer_on_grpc(parts: tuple[Tensor, ...]) -> None:
    answer = grpc_v2.write_response(Message(parts, "7", model="m"), grpc_v2.Outputs(raw=True))
    result = Grpc.InferResult(service_pb2.ModelInferResponse.FromString(answer))
    for tensor in parts:
        found = result.as_numpy(tensor.name)
        assert found.dtype == tensor.data.dtype
        np.testing.assert_array_equal(found, tensor.data)


@pytest.mark.parametrize("name", sorted(inference_pb2.DESCRIPTOR.message_types_by_name))
def test_our_messages_have_the_fields_and_numbers_of_the_clients(name: str) -> None:
    def fields(kind: Any) -> dict[str, Any]:
        return {
            field.name: (field.number, field.type, field.is_repeated, field.message_type and fields(field.message_type))
            for field in kind.fields
        }

    theirs = fields(service_pb2.DESCRIPTOR.message_types_by_name[name])
    assert fields(inference_pb2.DESCRIPTOR.message_types_by_name[name]) == theirs


def test_the_paper_s_request_goes_by_the_client() -> None:
    values = np.arange(16, dtype=np.int32).reshape(1, 16)
    given = Http.InferInput("INPUT0", [1, 16], "INT32").set_data_from_numpy(values, binary_data=False)
    text, length = Http.InferenceServerClient.generate_request_body([given])
    assert length is None and json.loads(text)["parameters"] == {"binary_data_output": True}
    message, form = v2.read_request(text)
    np.testing.assert_array_equal(message.tensors[0].data, values)
    assert form.is_binary("OUTPUT0")
