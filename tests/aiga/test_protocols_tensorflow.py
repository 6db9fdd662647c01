"""TensorFlow Serving's REST API: rows and columns, data types of the model, what is refused and why."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from protocols_world import DATATYPES, same, same_tensor, specs, strings, tensor, tensors

from aiga.serving.messages import BadRequest, Message, ServingError
from aiga.serving.protocols import tensorflow, tensorflow_bodies
from aiga.serving.protocols.metadata import ModelMetadata, TensorSpec

IMAGE = TensorSpec("input_1", "FP32", (-1, 28, 28, 1))
X, Y = TensorSpec("x", "INT32", (-1, 2)), TensorSpec("y", "BYTES", (-1,))
FULL = hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=3)


def read(fields: Any, *inputs: TensorSpec) -> tuple[Any, ...]:
    return tensorflow.read_request(json.dumps(fields).encode(), inputs=inputs).message.tensors


def test_the_request_of_the_paper_is_read_as_it_is_written() -> None:
    image = np.random.default_rng(0).random((1, 28, 28, 1)).astype(np.float32)
    text = json.dumps({"instances": image.tolist()}).encode()
    message, form = tensorflow.read_request(text, inputs=[IMAGE])
    same_tensor(message.tensors[0], tensor("input_1", "FP32", image))
    answer = tensorflow.write_response(Message((tensor("dense_1", "FP32", [[0.2, 0.5, -3]]),)), form)
    assert answer.content == b'{"predictions":[[0.2,0.5,-3.0]]}'


@settings(max_examples=150, deadline=None)
@given(st.data(), st.integers(1, 3), st.integers(1, 3))
def test_rows_come_back_as_they_went_whatever_the_type(data: st.DataObject, count: int, rows: int) -> None:
    shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=3).map(lambda shape: (rows, *shape))
    parts = tuple(data.draw(tensors(f"x{index}", nan=True, shapes=shapes)) for index in range(count))
    message = Message(parts, parameters={"signature_name": "s"})
    request = tensorflow.read_request(tensorflow.write_request(message, "row").content, inputs=specs(message))
    same(request.message, message)
    assert request.form == "row"
    answer = tensorflow.write_response(message, "row").content
    same(tensorflow.read_response(answer, outputs=specs(message)), message.with_(parameters={}))


@settings(max_examples=150, deadline=None)
@given(st.data(), st.integers(1, 3))
def test_columns_come_back_as_they_went_each_of_its_own_shape(data: st.DataObject, count: int) -> None:
    parts = tuple(data.draw(tensors(f"x{index}", nan=True, shapes=st.just(()) | FULL)) for index in range(count))
    message = Message(parts)
    request = tensorflow.read_request(tensorflow.write_request(message, "column").content, inputs=specs(message))
    same(request.message, message)
    assert request.form == "column"
    answer = tensorflow.write_response(message, "column").content
    same(tensorflow.read_response(answer, outputs=specs(message)), message)


@pytest.mark.parametrize(
    ("values", "datatype"),
    [([1, 2], "INT32"), ([1, 2**40], "INT64"), ([1, 2.5], "FP32"), (["a"], "BYTES"), ([True], "BOOL"), ([[]], "FP32")],
)
def test_without_metadata_types_are_those_that_tensorflow_takes(values: Any, datatype: str) -> None:
    assert read({"instances": values})[0].datatype == datatype
    assert read({"inputs": {"a": values}})[0].datatype == datatype


def test_bytes_are_wrapped_in_base64() -> None:
    both = read({"instances": ["text", {"b64": "/wA="}]}, TensorSpec("x", "BYTES", (-1,)))
    assert both[0].data.tolist() == [b"text", b"\xff\x00"]
    named = read({"instances": [{"image": {"b64": "/wA="}, "caption": "a"}]})
    assert {one.name: one.data.tolist() for one in named} == {"image": [b"\xff\x00"], "caption": [b"a"]}
    assert read({"inputs": {"b64": "/wA="}})[0].data.item() == b"\xff\x00"
    answer = json.loads(tensorflow.write_response(Message((strings("a_bytes", b"text"),)), "row").content)
    assert answer == {"predictions": [{"b64": "dGV4dA=="}]}
    answer = json.loads(tensorflow.write_response(Message((strings("a", b"\xff\x00"),)), "column").content)
    assert answer == {"outputs": [{"b64": "/wA="}]}


def test_several_outputs_are_named_and_a_single_one_is_not() -> None:
    message = Message((tensor("a", "INT8", [1, 2]), tensor("b", "FP64", [[0.5], [np.nan]])))
    rows = tensorflow.write_response(message, "row").content
    assert rows == b'{"predictions":[{"a":1,"b":[0.5]},{"a":2,"b":[NaN]}]}'
    assert tensorflow.write_response(message, "column").content == b'{"outputs":{"a":[1,2],"b":[[0.5],[NaN]]}}'
    with pytest.raises(BadRequest, match=r"a \[1\], b \[2\]: are no rows, which must be equally many"):
        tensorflow.write_response(Message((tensor("a", "INT8", [1]), tensor("b", "INT8", [1, 2]))), "row")


@pytest.mark.parametrize(
    ("fields", "inputs", "reason"),
    [
        ({}, [X], "the body has neither instances and inputs; it must have one of them"),
        ({"instances": [1], "inputs": [1]}, [], "the body has both instances and inputs"),
        ({"instances": []}, [X], "instances: is empty; it must have a row"),
        ({"instances": 7}, [X], "instances: is 7; it must be a list"),
        ({"instances": None}, [X], "instances: is missing; it must be a list"),
        ({"instances": [[1, 2]], "signature_name": 7}, [X], "signature_name: is 7; it must be a string"),
        ({"instances": [[1, 2], [3]]}, [X], r"instances\[1\]: has 1 elements where the first has 2"),
        ({"instances": [[1, 2], 3]}, [X], r"instances\[1\]: is 3 beside a list; all must be nested alike"),
        ({"instances": [[1, 2], {"x": [3, 4]}]}, [X], r"instances\[1\]: is an object beside a list; all rows must be"),
        ({"instances": [[1, 2.5]]}, [X], r"instances\[0\]\[1\]: is 2.5; INT32 takes whole numbers"),
        ({"instances": [[1, 2**31]]}, [X], r"instances\[0\]\[1\]: is 2147483648; INT32 takes whole numbers from"),
        ({"instances": [[1, {"b64": "YQ=="}]]}, [X], r"instances\[0\]\[1\]: is an object; INT32 takes whole numbers"),
        ({"instances": [1]}, [X], r"instances: has shape \[1\]; x takes \[-1, 2\]"),
        ({"instances": [[1, 2]]}, [X, Y], "instances: has no names, and the model has x, y"),
        ({"instances": [{"x": [1, 2]}]}, [X, Y], r"instances\[0\]: lacks y; each row must have x, y"),
        (
            {"instances": [{"x": [1, 2], "y": "a", "z": 1}]},
            [X, Y],
            r'instances\[0\]: has "z" too many; each row must have x, y',
        ),
        ({"instances": [{"x": [1, 2]}, {"x": [1, "2"]}]}, [X], r'instances\[1\].x\[1\]: is "2"; INT32 takes'),
        ({"instances": [{"x": [1, 2]}, {"x": [1]}]}, [X], r"instances\[1\].x: has 1 elements where the first has 2"),
        ({"instances": [{"y": 1}]}, [Y], r"instances\[0\].y: is 1; BYTES takes strings"),
        ({"instances": [{"y": {"b64": "?"}}]}, [Y], r'instances\[0\].y.b64: is "\?"; it must be a string in base64'),
        ({"instances": [{"y": {"a": "?"}}]}, [Y], r"instances\[0\].y: is an object; it must be a string, or bytes as"),
        ({"inputs": {"x": [[1, 2]]}}, [X, Y], "inputs.y: is missing; it must have x, y"),
        ({"inputs": [[1, 2]]}, [X, Y], "inputs: has no names, and the model has x, y"),
        ({"inputs": {}}, [], "inputs: is empty; it must have a tensor"),
        ({"inputs": {"x": [1, "a"]}}, [], "inputs.x: has values of different types; all must be numbers"),
        ({"inputs": {"x": None}}, [X], "inputs.x: is null; INT32 takes whole numbers"),
        ({"inputs": 1e300}, [TensorSpec("x", "FP32", ())], r"inputs: is 1e\+300; FP32 takes numbers from"),
    ],
)
def test_a_wrong_request_is_refused_with_the_place_and_the_rule(fields: Any, inputs: Any, reason: str) -> None:
    with pytest.raises(BadRequest, match=reason):
        read(fields, *inputs)


def test_what_the_protocol_does_not_name_is_ignored() -> None:
    assert len(read({"inputs": {"x": [[1, 2]], "more": 1}, "context": {}}, X)) == 1


def test_what_a_server_wrote_wrong_is_a_bad_gateway() -> None:
    with pytest.raises(ServingError, match="neither predictions nor outputs") as wrong:
        tensorflow.read_response(b"{}")
    assert wrong.value.status == 502


def test_status_metadata_and_errors_have_the_bodies_of_the_protocol() -> None:
    status = json.loads(tensorflow_bodies.write_status(["3"], True).content)["model_version_status"]
    assert status == [{"version": "3", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}]
    metadata = ModelMetadata("mnist", ("1",), inputs=(IMAGE,), outputs=(TensorSpec("dense_1", "FP32", (-1, 10)),))
    fields = json.loads(tensorflow_bodies.write_metadata(metadata).content)
    assert fields["model_spec"] == {"name": "mnist", "signature_name": "", "version": "1"}
    signature = fields["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["method_name"] == "tensorflow/serving/predict"
    info = signature["inputs"]["input_1"]
    assert (info["dtype"], [dim["size"] for dim in info["tensor_shape"]["dim"]]) == (
        "DT_FLOAT",
        ["-1", "28", "28", "1"],
    )
    assert json.loads(tensorflow.error("why").content) == {"error": "why"}


@pytest.mark.parametrize("datatype", DATATYPES)
def test_every_data_type_has_a_name_in_metadata(datatype: str) -> None:
    metadata = ModelMetadata("m", inputs=(TensorSpec("x", datatype, ()),))
    assert b'"dtype":"DT_' in tensorflow_bodies.write_metadata(metadata).content
