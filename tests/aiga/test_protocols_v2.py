"""Open Inference Protocol on REST: what is read and written, what is refused and why."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from protocols_world import same, same_tensor, strings, tensor, tensors

from aiga.serving.messages import BadRequest, Message, ServingError
from aiga.serving.protocols import v2, v2_bodies
from aiga.serving.protocols.metadata import ModelMetadata, ServerMetadata, TensorSpec, check

SCALARS = st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), st.text(max_size=5))
PARAMETERS = st.dictionaries(st.text("abc", min_size=1, max_size=3), SCALARS, max_size=3)


@st.composite
def messages(draw: st.DrawFn, *, nan: bool = False) -> Message:
    parts = [
        replace(draw(tensors(f"x{index}", nan=nan, text=not nan)), parameters=draw(PARAMETERS))
        for index in range(draw(st.integers(1, 3)))
    ]
    requested = tuple(draw(st.lists(st.sampled_from(["a", "b", "c"]), unique=True)))
    return Message(tuple(parts), draw(st.text(max_size=5)), draw(PARAMETERS), requested)


def body(**tensor: Any) -> bytes:
    return json.dumps({"inputs": [{"name": "x", "datatype": "INT32", "shape": [2], "data": [1, 2], **tensor}]}).encode()


def test_the_request_of_the_paper_is_read_as_it_is_written() -> None:
    text = json.dumps({"inputs": [{"name": "INPUT0", "data": list(range(16)), "datatype": "INT32", "shape": [1, 16]}]})
    message, form = v2.read_request(text.encode(), {"Content-Type": "application/json"})
    same_tensor(message.tensors[0], tensor("INPUT0", "INT32", [list(range(16))]))
    answer = v2.write_response(Message((tensor("OUTPUT0", "INT32", [[2] * 16]),), model="simple"), form)
    assert json.loads(answer.content) == {
        "model_name": "simple",
        "outputs": [{"name": "OUTPUT0", "datatype": "INT32", "shape": [1, 16], "data": [2] * 16}],
    }
    assert answer.headers == {"Content-Type": "application/json"}


@settings(max_examples=150, deadline=None)
@given(messages())
def test_a_request_in_json_comes_back_as_it_went(message: Message) -> None:
    text, headers = v2.write_request(message)
    read = v2.read_request(text, headers)
    same(read.message, message)
    assert read.form == v2.Outputs(message.requested)


@settings(max_examples=150, deadline=None)
@given(messages(nan=True))
def test_a_request_in_binary_comes_back_as_it_went_whatever_the_numbers(message: Message) -> None:
    text, headers = v2.write_request(message, binary=True)
    read = v2.read_request(text, headers)
    same(read.message, message)
    assert all(read.form.is_binary(name) for name in ("a", "b", "c"))


@settings(max_examples=150, deadline=None)
@given(messages(), st.booleans())
def test_a_response_comes_back_as_it_went(message: Message, binary: bool) -> None:
    message = message.with_(requested=(), model="m", version="3")
    text, headers = v2.write_response(message, v2.Outputs(rest=binary))
    same(v2.read_response(text, headers), message)


def test_bytes_that_are_no_text_travel_in_base64_and_say_so() -> None:
    message = Message((strings("x", b"\xff\x00", b"text"),))
    text, headers = v2.write_request(message)
    assert json.loads(text)["inputs"][0]["data"] == ["/wA=", "dGV4dA=="]
    read = v2.read_request(text, headers).message.tensors[0]
    assert read.data.tolist() == [b"\xff\x00", b"text"]
    assert read.parameters == {"content_type": "base64"}


def test_nested_data_is_the_same_as_flat() -> None:
    nested = v2.read_request(body(shape=[2, 2], data=[[1, 2], [3, 4]])).message
    same(nested, v2.read_request(body(shape=[2, 2], data=[1, 2, 3, 4])).message)


def test_null_is_as_good_as_a_missing_member() -> None:
    fields = json.loads(body())
    fields |= {"id": None, "parameters": None, "outputs": None, "unknown": {"is": "ignored"}}
    assert v2.read_request(json.dumps(fields).encode()).message.id == ""


def test_numbers_that_are_not_finite_become_null_and_are_read_as_nan() -> None:
    text, headers = v2.write_response(Message((tensor("y", "FP32", [1, np.nan, np.inf]),)), v2.Outputs())
    assert json.loads(text)["outputs"][0]["data"] == [1, None, None]
    np.testing.assert_array_equal(v2.read_response(text, headers).tensors[0].data, np.float32([1, np.nan, np.nan]))


def test_only_the_outputs_that_are_wanted_are_written_in_their_order_each_as_wanted() -> None:
    message = Message(tuple(tensor(name, "INT8", [1]) for name in "abc"))
    form = v2.Outputs(("c", "a"), {"a": True})
    text, headers = v2.write_response(message, form)
    fields = json.loads(text[: int(headers["Inference-Header-Content-Length"])])["outputs"]
    assert [(output["name"], output.get("data")) for output in fields] == [("c", [1]), ("a", None)]
    with pytest.raises(BadRequest, match=r'outputs\[0\].name: is "d"; the model gives a, b, c'):
        v2.write_response(message, v2.Outputs(("d",)))


def test_parameters_that_the_protocol_has_not_travel_as_json_text() -> None:
    text, headers = v2.write_request(Message((tensor("x", "INT8", [1], names=["a", "b"]),)))
    assert v2.read_request(text, headers).message.tensors[0].parameters == {"names": '["a","b"]'}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "the body is no JSON: Expecting value at line 1, column 1"),
        (b'{"inputs": [}', "no JSON: Expecting value at line 1, column 13"),
        (b"\xff{}", "the body is no UTF-8: byte 0 is 0xff"),
        (b"[]", "the body is a list; it must be a JSON object"),
        (b"[" * 100000, "nested deeper than 32 levels"),
        (b'{"id": ' + b"1" * 5000 + b"}", "too many digits"),
        (b'{"id": "a", "id": "b"}', 'has the member "id" twice'),
        (b'{"id": "\\ud800"}', "half a surrogate pair"),
        (b'{"inputs": [{"data": [NaN]}]}', "the body has NaN, which is no JSON; send numbers that are not finite"),
        (b"{}", "inputs: is missing; it must be a list"),
        (b'{"inputs": []}', "inputs: is empty; it must have a tensor"),
        (b'{"inputs": {}}', "inputs: is an object; it must be a list"),
        (b'{"inputs": [7]}', r"inputs\[0\]: is 7; it must be an object"),
        (body(name=""), r'inputs\[0\].name: "" is empty'),
        (body(name=7), r"inputs\[0\].name: is 7; it must be a string"),
        (body(name=None), r"inputs\[0\].name: is missing; it must be a string"),
        (body(datatype="INT31"), r'inputs\[0\].datatype: is "INT31"; it must be one of BOOL, UINT8'),
        (body(datatype="BF16"), r'inputs\[0\].datatype: is "BF16"; it must be one of'),
        (body(shape=2), r"inputs\[0\].shape: is 2; it must be a list"),
        (body(shape=[-1]), r"inputs\[0\].shape\[0\]: is -1; it must be a whole number from 0"),
        (body(shape=[True]), r"inputs\[0\].shape\[0\]: is true; it must be a whole number"),
        (body(shape=[2.0]), r"inputs\[0\].shape\[0\]: is 2.0; it must be a whole number"),
        (body(shape=[0, 2**31 - 1, 2**31 - 1]), "too large for any array"),
        (body(shape=[1] * 40), "has 40 dimensions; at most 32 are taken"),
        (body(shape=[3]), r"inputs\[0\].data: has 2 elements; shape \[3\] takes 3"),
        (body(shape=[4], data=[[1, 2], [3, 4]]), r"is nested as \[2, 2\]; it must be flat, or nested as shape \[4\]"),
        (body(data=None), r"inputs\[0\].data: is missing; it must be a list"),
        (body(data="12"), r'inputs\[0\].data: is "12"; it must be a list'),
        (body(data=[[1], [2, 3]]), r"data\[1\]: has 2 elements where the first has 1; lists side by side"),
        (body(data=[1, [2]]), r"data\[1\]: is a list beside 1; all must be nested alike"),
        (body(data=[1, 2.5]), r"data\[1\]: is 2.5; INT32 takes whole numbers"),
        (body(data=[1, "2"]), r'data\[1\]: is "2"; INT32 takes whole numbers'),
        (body(data=[True, False]), r"data\[0\]: is true; INT32 takes whole numbers"),
        (body(data=[1, None]), r"data\[1\]: is null; INT32 takes whole numbers"),
        (body(data=[1, {}]), r"data\[1\]: is an object; INT32 takes whole numbers"),
        (body(shape=[1, 2], data=[[1, 2**31]]), r"data\[0\]\[1\]: is 2147483648; INT32 takes .* to 2147483647"),
        (body(datatype="UINT8", data=[0, -1]), r"data\[1\]: is -1; UINT8 takes whole numbers from 0 to 255"),
        (body(datatype="UINT64", data=[0, 2**64]), r"data\[1\]: .* UINT64 takes whole numbers from 0"),
        (body(datatype="FP16", data=[0, 1e5]), r"data\[1\]: is 100000.0; FP16 takes numbers from -65504 to 65504"),
        (body(datatype="FP64", data=[0, 10**400]), r"data\[1\]: .* FP64 takes numbers"),
        (body(datatype="FP64").replace(b"[1, 2]", b"[1, 1e999]"), r"data\[1\]: .* FP64 takes numbers"),
        (body(datatype="BOOL", data=[1, 0]), r"data\[0\]: is 1; BOOL takes true and false"),
        (body(datatype="BYTES"), r"data\[0\]: is 1; BYTES takes strings"),
        (
            body(datatype="BYTES", data=["YQ==", "?"], parameters={"content_type": "base64"}),
            r'data\[1\]: is "\?"; it must be a string in base64',
        ),
        (body(parameters=[]), r"inputs\[0\].parameters: is a list; it must be an object"),
        (body(parameters={"a": {}}), r"inputs\[0\].parameters.a: is an object; it must be a string, a number"),
        (body(parameters={"binary_data_size": 8}), r"has both data and binary_data_size"),
        (body(parameters={"binary_data_size": 8}, data=None), r"binary_data_size: is 8, and 0 bytes are left"),
        (body(parameters={"binary_data_size": "8"}, data=None), r'is "8"; it must be a number of bytes'),
        (body(parameters={"shared_memory_region": "r"}), "asks for shared memory, which is not offered"),
        (b'{"inputs": [%b, %b]}' % ((body()[12:-2],) * 2), r'inputs\[1\].name: "x" comes twice'),
        (body()[:-1] + b', "id": 7}', "id: is 7; it must be a string"),
        (body()[:-1] + b', "outputs": [7]}', r"outputs\[0\]: is 7; it must be an object"),
        (body()[:-1] + b', "outputs": [{"name": "y"}, {"name": "y"}]}', r'outputs\[1\].name: "y" comes twice'),
        (
            body()[:-1] + b', "outputs": [{"name": "y", "parameters": {"binary_data": 1}}]}',
            r"outputs\[0\].parameters.binary_data: is 1; it must be true or false",
        ),
        (
            body()[:-1] + b', "outputs": [{"name": "y", "parameters": {"classification": 1}}]}',
            r"outputs\[0\].parameters.classification: is an extension that is not offered",
        ),
    ],
)
def test_a_wrong_request_is_refused_with_the_place_and_the_rule(text: bytes, reason: str) -> None:
    with pytest.raises(BadRequest, match=reason) as refused:
        v2.read_request(text)
    assert refused.value.status == 400
    assert "\n" not in refused.value.reason and len(refused.value.reason) < 400


@pytest.mark.parametrize(
    ("datatype", "shape", "content", "size", "reason"),
    [
        ("INT32", [2], b"1234567", 7, r"inputs\[0\]: has 7 bytes; INT32 of shape \[2\] takes 8"),
        ("INT32", [2], b"123456789", 8, "1 bytes follow the last tensor"),
        ("INT32", [2], b"1234", 8, r"binary_data_size: is 8, and 4 bytes are left after the JSON"),
        ("BOOL", [2], b"\x00\x02", 2, "has bytes other than 0 and 1"),
        ("BYTES", [1], b"\x01\x00\x00", 3, "string 0 has no length"),
        ("BYTES", [1], b"\x09\x00\x00\x00a", 5, "string 0 ends 8 bytes after the last of the tensor"),
        ("BYTES", [2], b"\x01\x00\x00\x00a", 5, "has 1 strings; its shape takes 2"),
        ("BYTES", [0], b"\x01\x00\x00\x00a", 5, "has 1 strings; its shape takes 0"),
    ],
)
def test_wrong_binary_tensors_are_refused(
    datatype: str, shape: list[int], content: bytes, size: int, reason: str
) -> None:
    fields = {"name": "x", "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": size}}
    text = json.dumps({"inputs": [fields]}).encode()
    with pytest.raises(BadRequest, match=reason):
        v2.read_request(text + content, {"inference-header-content-length": str(len(text))})


@pytest.mark.parametrize("length", ["-1", "x", "", "9" * 30, "10000", "1e2", "²"])
def test_a_wrong_length_of_the_json_is_refused(length: str) -> None:
    with pytest.raises(BadRequest, match=r"header Inference-Header-Content-Length: is .*; it must be a number up to"):
        v2.read_request(body(), {"Inference-Header-Content-Length": length})


def test_a_body_that_is_too_long_is_refused_before_it_is_read() -> None:
    with pytest.raises(BadRequest, match="the body has 100 bytes; at most 99 are read"):
        v2.read_request(b"x" * 100, limit=99)


def test_what_a_server_wrote_wrong_is_a_bad_gateway() -> None:
    with pytest.raises(ServingError, match="the model server's response is wrong: outputs: is missing") as wrong:
        v2.read_response(b"{}")
    assert wrong.value.status == 502


def test_metadata_comes_back_as_it_went() -> None:
    model = ModelMetadata(
        "m", ("1", "2"), "onnx", (TensorSpec("x", "FP32", (-1, 4)),), (TensorSpec("y", "INT64", (-1,)),)
    )
    assert v2_bodies.read_model(v2_bodies.write_model(model).content) == model
    server = ServerMetadata("aiga", "0.1.0", ("binary_tensor_data",))
    assert v2_bodies.read_server(v2_bodies.write_server(server).content) == server
    with pytest.raises(ServingError, match=r"inputs\[0\].datatype"):
        v2_bodies.read_model(b'{"name": "m", "inputs": [{"name": "x", "shape": [], "datatype": "?"}]}')


def test_health_and_errors_have_the_bodies_of_the_protocol() -> None:
    assert json.loads(v2_bodies.write_live(True).content) == {"live": True}
    assert json.loads(v2_bodies.write_ready(False).content) == {"ready": False}
    assert json.loads(v2_bodies.write_model_ready("m", True).content) == {"name": "m", "ready": True}
    assert json.loads(v2.error("why").content) == {"error": "why"}
    assert v2.error_reason(v2.error("why").content) == "why"
    assert v2.error_reason(b'{"detail": "of FastAPI"}') == "of FastAPI"
    assert v2.error_reason(b"<html>") == "<html>"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (tensor("z", "FP32", [[1, 2]]), "input z: is unknown; the model takes x"),
        (tensor("x", "FP64", [[1, 2]]), "input x: is FP64; the model takes FP32"),
        (tensor("x", "FP32", [1, 2]), r"input x: has shape \[2\]; x takes \[-1, 2\]"),
        (tensor("x", "FP32", [[1, 2, 3]]), r"input x: has shape \[1, 3\]; x takes \[-1, 2\]"),
    ],
)
def test_a_request_that_its_model_does_not_take_is_refused(given: Any, reason: str) -> None:
    with pytest.raises(BadRequest, match=reason):
        check(Message((given,)), [TensorSpec("x", "FP32", (-1, 2))])
    check(Message((tensor("x", "FP32", [[1, 2]]),)), [TensorSpec("x", "FP32", (-1, 2))])
    with pytest.raises(BadRequest, match="input x: is missing"):
        check(Message(()), [TensorSpec("x", "FP32", (-1, 2))])
