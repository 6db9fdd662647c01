"""The three protocols on gRPC: wire, values, what is refused and why; and a server and a client with these bytes."""

from __future__ import annotations

import asyncio
import struct
from dataclasses import replace
from typing import Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from protocols_world import NUMBERS, same, same_tensor, specs, strings, tensor, tensors

from aiga.serving.messages import BadRequest, Message, ServingError
from aiga.serving.protocols import grpc_seldon, grpc_tensorflow, grpc_v2, values
from aiga.serving.protocols.metadata import ModelMetadata, ServerMetadata, TensorSpec
from aiga.serving.protocols.protos import inference_pb2, methods, seldon_pb2, tensorflow_pb2

SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=3)
META = {
    "tags": {"a": 1.0, "b": ["c", None, {"d": False}]},
    "routing": {"router": -1},
    "requestPath": {"model": "image:1"},
    "metrics": [{"key": "k", "type": "TIMER", "value": 0.5, "tags": {"a": "b"}}],
}


@st.composite
def messages(draw: st.DrawFn) -> Message:
    parts = [
        replace(draw(tensors(f"x{index}", nan=True)), parameters={"a": True, "b": -1, "c": 0.5, "d": "e", "f": 2**63})
        for index in range(draw(st.integers(1, 3)))
    ]
    return Message(tuple(parts), "7", {"priority": 1}, ("y", "z"), "m", "3")


def field(number: int, content: bytes | int) -> bytes:
    """A field as protobuf has it on the wire: one of a number, or of bytes with their length."""
    if isinstance(content, int):
        return bytes([number << 3, content])
    return bytes([number << 3 | 2, len(content)]) + content


@settings(max_examples=150, deadline=None)
@given(messages(), st.booleans())
def test_v2_comes_back_as_it_went(message: Message, as_raw: bool) -> None:
    request = grpc_v2.read_request(grpc_v2.write_request(message, as_raw=as_raw))
    same(request.message, message)
    assert request.form.names == ("y", "z")
    assert request.form.raw is (as_raw or any(part.datatype == "FP16" for part in message.tensors))
    message = message.with_(requested=())
    same(grpc_v2.read_response(grpc_v2.write_response(message, grpc_v2.Outputs(raw=as_raw))), message)


def test_strings_in_base64_are_so_on_grpc_as_well() -> None:
    sent = grpc_v2.write_request(Message((strings("x", b"\xff", content_type="base64"),)), as_raw=False)
    assert b"/w==" in sent
    assert grpc_v2.read_request(sent).message.tensors[0].data.tolist() == [b"\xff"]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(0, 3), max_size=2).flatmap(lambda _: tensors("x", nan=True)))
def test_tensorflow_comes_back_as_it_went(one: Any) -> None:
    message = Message((one,), parameters={"signature_name": "s"}, requested=("y",), model="m", version="3")
    request = grpc_tensorflow.read_request(grpc_tensorflow.write_request(message))
    same(request.message, message)
    assert request.form == ("y",)
    answer = message.with_(parameters={}, requested=(), version="canary")
    same(grpc_tensorflow.read_response(grpc_tensorflow.write_response(answer)), answer)


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(tensors("x", nan=True, text=True, shapes=SHAPES), tensors("x", NUMBERS, nan=True, shapes=SHAPES)),
    st.sampled_from(["ndarray", "tensor", "tftensor"]),
)
def test_seldon_comes_back_as_it_went(one: Any, kind: Any) -> None:
    if one.datatype in ("INT64", "UINT64") and kind != "tftensor":
        one = replace(one, data=one.data % 2**52)  # what a double holds
    message = Message((replace(one, parameters={"names": ["a"]}),), "7", meta=META)
    request = grpc_seldon.read_request(grpc_seldon.write_request(message, kind), inputs=specs(message))
    same(request.message, message)
    assert request.form == (kind if one.datatype not in ("BYTES", "BOOL") else "ndarray")
    same(grpc_seldon.read_response(grpc_seldon.write_response(message, kind), outputs=specs(message)), message)


@pytest.mark.parametrize(
    ("element", "content_type", "kind"),
    [(b"\xff", "base64", "binData"), (b"text", "str", "strData"), (b'{"a":[1.0,null]}', "json", "jsonData")],
)
def test_seldon_s_other_payloads_come_back(element: bytes, content_type: str, kind: str) -> None:
    message = Message((strings("input-0", element, content_type=content_type),))
    request = grpc_seldon.read_request(grpc_seldon.write_request(message))
    same(request.message, message)
    assert request.form == kind
    assert seldon_pb2.SeldonMessage.FromString(grpc_seldon.write_response(message, "tensor")).HasField(kind)


def test_several_outputs_go_as_json_on_seldon_s_grpc() -> None:
    message = Message((tensor("label", "INT64", [3]), tensor("p", "FP64", [[0.5]])))
    answer = seldon_pb2.SeldonMessage.FromString(grpc_seldon.write_response(message, "tensor"))
    assert values.read(answer.jsonData) == {"label": [3], "p": [[0.5]]}


def test_feedback_comes_back_as_it_went() -> None:
    truth = Message((tensor("input-0", "FP64", [1]),))
    feedback = grpc_seldon.Feedback(Message((tensor("x", "FP64", [1, 2]),)), None, 0.25, truth)
    read = grpc_seldon.read_feedback(grpc_seldon.write_feedback(feedback), inputs=[TensorSpec("x", "FP64", (2,))])
    assert (read.reward, read.response) == (0.25, None)
    assert feedback.request and feedback.truth and read.request and read.truth
    same(read.request, feedback.request)
    same(read.truth, feedback.truth)


def test_the_bytes_of_tensorflow_serving_s_clients_are_understood() -> None:
    spec = field(1, b"m") + field(2, field(1, 5)) + field(3, b"serving_default")
    shape = field(2, field(1, 1)) + field(2, field(1, 2))
    floats = field(1, 1) + field(2, shape) + field(5, struct.pack("<2f", 0.5, 2))
    inputs = field(1, b"x") + field(2, floats)
    message, form = grpc_tensorflow.read_request(field(1, spec) + field(2, inputs) + field(3, b"y"))
    assert (message.model, message.version, message.parameters) == ("m", "5", {"signature_name": "serving_default"})
    same_tensor(message.tensors[0], tensor("x", "FP32", [[0.5, 2]]))
    answer = grpc_tensorflow.write_response(Message((tensor("y", "FP32", [1]),), model="m"), form)
    output = field(1, 1) + field(2, field(2, field(1, 1))) + field(5, struct.pack("<f", 1))
    assert answer == field(1, field(1, b"y") + field(2, output)) + field(2, field(1, b"m"))


@pytest.mark.parametrize(
    ("dtype", "number", "content", "datatype", "found"),
    [
        (2, 6, struct.pack("<d", 0.5), "FP64", 0.5),
        (3, 7, b"\x07", "INT32", 7),
        (4, 7, b"\x07", "UINT8", 7),
        (5, 7, b"\x07", "INT16", 7),
        (6, 7, b"\x07", "INT8", 7),
        (7, 8, b"a", "BYTES", b"a"),
        (9, 10, b"\x07", "INT64", 7),
        (10, 11, b"\x01", "BOOL", True),
        (17, 7, b"\x07", "UINT16", 7),
        (19, 13, b"\x80\x78", "FP16", 1.0),
        (22, 16, b"\x07", "UINT32", 7),
        (23, 17, b"\x07", "UINT64", 7),
        (1, 4, struct.pack("<f", 0.5), "FP32", 0.5),
    ],
)
def test_every_type_of_tensorflow_stands_in_its_field(
    dtype: int, number: int, content: bytes, datatype: str, found: Any
) -> None:
    key = bytes([number << 3 | 2]) if number < 16 else bytes([(number << 3 & 127) | 130, number >> 4])
    proto = field(1, dtype) + field(2, b"") + key + bytes([len(content)]) + content
    one = grpc_tensorflow.read_request(field(2, field(1, b"x") + field(2, proto))).message.tensors[0]
    assert (one.datatype, one.shape, one.data.item()) == (datatype, (), found)


def test_a_single_value_fills_a_tensor_of_tensorflow() -> None:
    dims = [tensorflow_pb2.TensorShapeProto.Dim(size=size) for size in (2, 2)]
    proto = tensorflow_pb2.TensorProto(dtype=3, tensor_shape=tensorflow_pb2.TensorShapeProto(dim=dims), int_val=[7])
    request = tensorflow_pb2.PredictRequest(inputs={"x": proto})
    found = grpc_tensorflow.read_request(request.SerializeToString()).message.tensors[0]
    assert found.data.tolist() == [[7, 7], [7, 7]]
    with pytest.raises(BadRequest, match=r"tensor_shape: is \[2, 2\], more than the 15 bytes"):
        grpc_tensorflow.tensor_proto.read("x", proto, "x", limit=15)


def test_the_bytes_of_seldon_s_clients_are_understood() -> None:
    array = field(1, b"\x01\x02") + field(2, struct.pack("<2d", 0.5, 2))
    meta = field(1, b"7") + field(3, field(1, b"r") + field(2, 1))
    message, kind = grpc_seldon.read_request(field(2, meta) + field(3, field(1, b"a") + field(2, array)))
    same_tensor(message.tensors[0], tensor("input-0", "FP64", [[0.5, 2]]))
    assert (message.id, message.meta, kind) == ("7", {"routing": {"r": 1}}, "tensor")
    assert message.tensors[0].parameters == {"names": ["a"]}
    answer = grpc_seldon.write_response(Message((tensor("y", "FP32", [1]),), "7"), kind)
    assert answer == field(2, field(1, b"7")) + field(3, field(2, field(1, b"\x01") + field(2, struct.pack("<d", 1))))
    failure = field(1, field(1, 100) + field(2, b"why") + field(4, 1))
    with pytest.raises(ServingError, match="why"):
        grpc_seldon.read_response(failure)


def v2_request(**changes: Any) -> bytes:
    given = {"name": "x", "datatype": "INT32", "shape": [2], "contents": {"int_contents": [1, 2]}, **changes}
    return bytes(inference_pb2.ModelInferRequest(inputs=[given]).SerializeToString())


def tensorflow_request(**proto: Any) -> bytes:
    given = {"dtype": 3, "tensor_shape": {"dim": [{"size": 2}]}, **proto}
    request = tensorflow_pb2.PredictRequest()
    request.inputs["x"].CopyFrom(tensorflow_pb2.TensorProto(**given))
    return bytes(request.SerializeToString())


def seldon_request(**message: Any) -> bytes:
    return bytes(seldon_pb2.SeldonMessage(**message).SerializeToString())


@pytest.mark.parametrize(
    ("read", "content", "reason"),
    [
        (grpc_v2.read_request, b"\xff\xff", "the message is no ModelInferRequest"),
        (grpc_v2.read_request, b"", "inputs: is empty; it must have a tensor"),
        (grpc_v2.read_request, v2_request(name=""), r'inputs\[0\].name: "" is empty'),
        (grpc_v2.read_request, v2_request(datatype="?"), r'inputs\[0\].datatype: is "\?"; it must be one of'),
        (grpc_v2.read_request, v2_request(shape=[-1]), r"inputs\[0\].shape\[0\]: is -1"),
        (grpc_v2.read_request, v2_request(shape=[3]), r"contents.int_contents: has 2 elements; shape \[3\] takes 3"),
        (grpc_v2.read_request, v2_request(contents={}), r"contents.int_contents: has 0 elements; shape \[2\] takes 2"),
        (grpc_v2.read_request, v2_request(datatype="FP32"), r"contents: has int_contents; FP32 goes in fp32_contents"),
        (
            grpc_v2.read_request,
            v2_request(datatype="FP16"),
            r"contents: cannot hold FP16; send it in raw_input_contents",
        ),
        (
            grpc_v2.read_request,
            v2_request(datatype="INT8", contents={"int_contents": [1, 128]}),
            r"int_contents\[1\]: is 128; INT8 takes whole numbers from -128 to 127",
        ),
        (
            grpc_v2.read_request,
            v2_request() + field(7, b"12345678"),
            r"has int_contents beside raw_input_contents\[0\]",
        ),
        (
            grpc_v2.read_request,
            v2_request(contents=None) + field(7, b"1234567"),
            r"raw_input_contents\[0\]: has 7 bytes; INT32 of shape \[2\] takes 8",
        ),
        (grpc_v2.read_request, v2_request() + field(7, b"") * 2, "raw_input_contents: has 2 elements for 1 inputs"),
        (grpc_v2.read_request, v2_request() + field(6, field(1, b"y")) * 2, r'outputs\[1\].name: "y" comes twice'),
        (grpc_v2.read_request, v2_request(parameters={"shared_memory_region": {"string_param": "r"}}), "shared memory"),
        (grpc_v2.read_model_name, b"", "name: is empty; it must be a model's"),
        (grpc_tensorflow.read_request, b"\xff", "the message is no PredictRequest"),
        (grpc_tensorflow.read_request, b"", "inputs: is empty; it must have a tensor"),
        (grpc_tensorflow.read_request, tensorflow_request(dtype=8), "inputs.x.dtype: is DT_COMPLEX64; it must be one"),
        (grpc_tensorflow.read_request, tensorflow_request(dtype=99), "inputs.x.dtype: is 99; it must be one of"),
        (grpc_tensorflow.read_request, tensorflow_request(), r"inputs.x.int_val: has 0 values; shape \[2\] takes 2"),
        (grpc_tensorflow.read_request, tensorflow_request(int_val=[1] * 3), "int_val: has 3 values"),
        (
            grpc_tensorflow.read_request,
            tensorflow_request(dtype=6, int_val=[1, 300]),
            r"int_val\[1\]: is 300; INT8 takes",
        ),
        (
            grpc_tensorflow.read_request,
            tensorflow_request(dtype=19, half_val=[-1]),
            r"half_val\[0\]: is -1; FP16 takes",
        ),
        (grpc_tensorflow.read_request, tensorflow_request(tensor_content=b"1"), "tensor_content: has 1 bytes"),
        (grpc_tensorflow.read_request, tensorflow_request(dtype=7, tensor_content=b"1"), "cannot hold strings"),
        (
            grpc_tensorflow.read_request,
            tensorflow_request(int_val=[1], tensor_content=b"1"),
            "has both tensor_content and int_val",
        ),
        (grpc_tensorflow.read_request, tensorflow_request(tensor_shape={"unknown_rank": True}), "is of unknown rank"),
        (
            grpc_tensorflow.read_request,
            tensorflow_request(tensor_shape={"dim": [{"size": 2**30}]}, int_val=[1]),
            r"tensor_shape: is \[1073741824\], more than the 67108864 bytes",
        ),
        (grpc_tensorflow.read_metadata_request, b"", r"metadata_field: is \[\]; it must be signature_def"),
        (grpc_seldon.read_request, b"\xff", "the message is no SeldonMessage"),
        (grpc_seldon.read_request, b"", "the message: has no payload; it must have one of"),
        (grpc_seldon.read_request, seldon_request(customData={}), "customData is not taken"),
        (grpc_seldon.read_request, seldon_request(data={}), "data: has no array"),
        (grpc_seldon.read_request, seldon_request(data={"tensor": {"shape": [2]}}), r"tensor.values: has 0 elements"),
        (grpc_seldon.read_request, seldon_request(data={"tensor": {"shape": [-2]}}), r"tensor.shape\[0\]: is -2"),
        (grpc_seldon.read_request, seldon_request(data={"tftensor": {}}), "data.tftensor.dtype: is DT_INVALID"),
        (
            grpc_seldon.read_request,
            seldon_request(data={"ndarray": values.write_list([[1], [1, 2]])}),
            r"data.ndarray\[1\]: has 2 elements where the first has 1",
        ),
        (grpc_seldon.read_feedback, b"\xff", "the message is no Feedback"),
        (grpc_seldon.read_feedback, field(4, b"\x1a\x00"), "truth.data: has no array"),
    ],
)
def test_a_wrong_message_is_refused_with_the_place_and_the_rule(read: Any, content: bytes, reason: str) -> None:
    with pytest.raises(BadRequest, match=reason):
        read(content)


@pytest.mark.parametrize("read", [grpc_v2.read_request, grpc_tensorflow.read_request, grpc_seldon.read_request])
def test_a_message_that_is_too_long_is_refused(read: Any) -> None:
    with pytest.raises(BadRequest, match="the body has 100 bytes; at most 99 are read"):
        read(b"x" * 100, limit=99)


def test_what_a_server_wrote_wrong_is_a_bad_gateway() -> None:
    for read in (grpc_v2.read_response, grpc_tensorflow.read_response, grpc_seldon.read_response):
        with pytest.raises(ServingError) as wrong:
            read(b"\xff")
        assert wrong.value.status == 502


def test_metadata_comes_back_as_it_went() -> None:
    model = ModelMetadata("m", ("1",), "onnx", (TensorSpec("x", "FP32", (-1, 4)),), (TensorSpec("y", "INT64", (-1,)),))
    assert grpc_v2.read_model(grpc_v2.write_model(model)) == model
    server = ServerMetadata("aiga", "1", ("a",))
    assert grpc_v2.read_server(grpc_v2.write_server(server)) == server
    assert grpc_v2.read_model_name(grpc_v2.write_model_name("m", "2")) == ("m", "2")
    assert [grpc_v2.read_flag(grpc_v2.write_flag(flag)) for flag in (True, False)] == [True, False]


def test_metadata_of_tensorflow_is_a_signature_by_its_own_name() -> None:
    asked = tensorflow_pb2.GetModelMetadataRequest(model_spec={"name": "m"}, metadata_field=["signature_def"])
    assert grpc_tensorflow.read_metadata_request(asked.SerializeToString()) == ("m", "")
    model = ModelMetadata("m", ("3",), inputs=(TensorSpec("x", "FP32", (-1, 4)),))
    answer = tensorflow_pb2.GetModelMetadataResponse.FromString(grpc_tensorflow.write_metadata(model))
    assert answer.model_spec.version.value == 3
    packed = answer.metadata["signature_def"]
    assert packed.type_url == "type.googleapis.com/tensorflow.serving.SignatureDefMap"
    info = tensorflow_pb2.SignatureDefMap.FromString(packed.value).signature_def["serving_default"].inputs["x"]
    assert (info.dtype, [dim.size for dim in info.tensor_shape.dim]) == (tensorflow_pb2.DT_FLOAT, [-1, 4])


def test_a_number_that_no_double_holds_is_refused() -> None:
    with pytest.raises(BadRequest, match="out of the range of a double"):
        values.write([10**400])


async def _answer(content: bytes, context: Any) -> bytes:
    try:
        message, form = grpc_v2.read_request(content)
    except BadRequest as wrong:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, wrong.reason)
    doubled = [replace(part, name="y", data=part.data * 2) for part in message.tensors]
    return grpc_v2.write_response(Message(tuple(doubled), message.id, model="m"), form)


async def _live(content: bytes, context: Any) -> bytes:
    return grpc_v2.write_flag(True)


def test_a_server_with_these_bytes_answers_triton_s_client() -> None:
    async def scene() -> None:
        server = grpc.aio.server()
        answers = {"ModelInfer": _answer, "ServerLive": _live}
        server.add_generic_rpc_handlers((methods.handlers(methods.V2, answers),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            await _talk(f"127.0.0.1:{port}")
        finally:
            await server.stop(0)

    asyncio.run(scene())


async def _talk(address: str) -> None:
    from tritonclient.grpc import aio

    async with aio.InferenceServerClient(address) as client:
        assert await client.is_server_live()
        array = np.arange(16, dtype=np.int32).reshape(1, 16)
        given = tritonclient.grpc.InferInput("INPUT0", [1, 16], "INT32").set_data_from_numpy(array)
        result = await client.infer("m", [given], request_id="7")
        np.testing.assert_array_equal(result.as_numpy("y"), array * 2)
        assert result.get_response().id == "7"
    async with grpc.aio.insecure_channel(address) as channel:
        with pytest.raises(grpc.aio.AioRpcError, match="no ModelInferRequest") as refused:
            await methods.call(channel, methods.V2, "ModelInfer")(b"\xff")
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_a_service_has_only_its_own_methods() -> None:
    with pytest.raises(ValueError, match=r"seldon.protos.Seldon has no ModelInfer"):
        methods.handlers(methods.SELDON, {"ModelInfer": _answer})
