"""Seldon's protocol on REST: kinds of payload, meta, feedback, what is refused and why."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from protocols_world import NUMBERS, same, same_tensor, specs, strings, tensor, tensors

from aiga.serving.messages import BadRequest, Message, ServingError
from aiga.serving.protocols import seldon
from aiga.serving.protocols.metadata import TensorSpec

META = {
    "tags": {"a": 1, "b": ["c", None]},
    "routing": {"router": -1},
    "requestPath": {"model": "image:1"},
    "metrics": [{"key": "k", "type": "GAUGE", "value": 0.5, "tags": {"a": "b"}}],
}
SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=3)


def read(fields: Any, *inputs: TensorSpec) -> seldon.Kind | Any:
    return seldon.read_request(json.dumps(fields).encode(), inputs=inputs)


def write(message: Message, kind: seldon.Kind) -> Any:
    return json.loads(seldon.write_response(message, kind).content)


def test_a_request_is_answered_with_the_kind_that_it_had() -> None:
    message, kind = read({"data": {"names": ["a", "b"], "ndarray": [[1.5, 2]]}, "meta": {"puid": "7"}})
    same_tensor(message.tensors[0], tensor("input-0", "FP64", [[1.5, 2]]))
    assert (message.id, message.tensors[0].parameters) == ("7", {"names": ["a", "b"]})
    answer = write(Message((tensor("y", "FP32", [[0.5, 0.25]]),), "7"), kind)
    assert answer == {"data": {"names": ["t:0", "t:1"], "ndarray": [[0.5, 0.25]]}, "meta": {"puid": "7"}}


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(tensors("x", nan=True, text=True, shapes=SHAPES), tensors("x", NUMBERS, nan=True, shapes=SHAPES)),
    st.sampled_from(["ndarray", "tftensor"]),
)
def test_arrays_come_back_as_they_went_whatever_the_type(one: Any, kind: seldon.Kind) -> None:
    message = Message((replace(one, parameters={"names": ["a"]}),), "7", meta=META)
    request = seldon.read_request(seldon.write_request(message, kind).content, inputs=specs(message))
    same(request.message, message)
    assert request.form == (kind if one.datatype not in ("BYTES", "BOOL") else "ndarray")
    same(seldon.read_response(seldon.write_response(message, kind).content, outputs=specs(message)), message)


@settings(max_examples=100, deadline=None)
@given(tensors("x", ("UINT8", "INT32", "FP16", "FP32", "FP64"), nan=True))
def test_a_tensor_holds_what_a_double_holds(one: Any) -> None:
    message = Message((one,))
    request = seldon.read_request(seldon.write_request(message, "tensor").content, inputs=specs(message))
    same(request.message, message)
    assert request.form == "tensor"


@pytest.mark.parametrize(
    ("fields", "element", "content_type"),
    [
        ({"binData": "/wA="}, b"\xff\x00", "base64"),
        ({"strData": "süß"}, "süß".encode(), "str"),
        ({"jsonData": {"a": [1, None, "b"]}}, b'{"a":[1,null,"b"]}', "json"),
    ],
)
def test_bytes_text_and_json_are_one_element_and_come_back(fields: Any, element: bytes, content_type: str) -> None:
    message, kind = read(fields)
    assert message.tensors[0].data.tolist() == [element]
    assert message.tensors[0].parameters == {"content_type": content_type}
    assert write(message, "ndarray") == {**fields, "meta": {}}
    assert write(Message((strings("y", element),)), kind) == {**fields, "meta": {}}


@pytest.mark.parametrize(
    ("one", "kind", "payload"),
    [
        (tensor("y", "FP64", [1, 2]), "strData", {"data": {"names": [], "tensor": {"shape": [2], "values": [1, 2]}}}),
        (tensor("y", "BOOL", [True]), "tensor", {"data": {"names": [], "ndarray": [True]}}),
        (strings("y", b"a", b"b"), "tensor", {"data": {"names": [], "ndarray": ["a", "b"]}}),
        (strings("y", b"a"), "ndarray", {"data": {"names": [], "ndarray": ["a"]}}),
        (strings("y", b"\xff"), "strData", {"binData": "/w=="}),
        (strings("y", b"no json"), "jsonData", {"strData": "no json"}),
        (strings("y", b"\xff", b"a"), "ndarray", {"data": {"names": [], "ndarray": ["/w==", "YQ=="]}}),
        (tensor("y", "INT8", [[1]], names=["c"]), "ndarray", {"data": {"names": ["c"], "ndarray": [[1]]}}),
        (tensor("y", "INT8", [[1]], names='["c"]'), "ndarray", {"data": {"names": ["c"], "ndarray": [[1]]}}),
    ],
)
def test_an_answer_of_another_kind_takes_the_kind_that_seldon_gives_it(one: Any, kind: Any, payload: Any) -> None:
    assert write(Message((one,)), kind) == {**payload, "meta": {}}


def test_several_outputs_go_as_json() -> None:
    message = Message((tensor("label", "INT64", [3]), tensor("p", "FP64", [[0.5]])))
    assert write(message, "ndarray") == {"jsonData": {"label": [3], "p": [[0.5]]}, "meta": {}}


def test_rows_of_mixed_values_are_text_as_numpy_makes_them() -> None:
    message, _ = read({"data": {"ndarray": [["a", 1, 2.5, True]]}})
    assert message.tensors[0].data.tolist() == [[b"a", b"1", b"2.5", b"True"]]


def test_a_model_s_data_type_is_taken_when_the_values_are_of_it() -> None:
    spec = TensorSpec("x", "INT32", (-1, 2))
    assert (
        read({"data": {"tensor": {"shape": [1, 2], "values": [1, 2.0]}}}, spec).message.tensors[0].datatype == "INT32"
    )
    large = read({"data": {"ndarray": [2**63]}}).message.tensors[0]
    assert (large.datatype, large.data.tolist()) == ("UINT64", [2**63])


@pytest.mark.parametrize(
    ("fields", "inputs", "reason"),
    [
        ({}, [], "the body: has no payload; it must have one of data, binData, strData and jsonData"),
        ({"data": {"ndarray": [1]}, "strData": "a"}, [], "the body: has data and strData; it must have one of"),
        ({"customData": {}}, [], "customData: is not taken; send data"),
        ({"data": [1]}, [], "data: is a list; it must be an object"),
        ({"data": {}}, [], "data: has no array; it must have one of ndarray, tensor, tftensor"),
        ({"data": {"ndarray": [1], "tensor": {}}}, [], "data: has ndarray and tensor; it must have one of"),
        ({"data": {"ndarray": 1}}, [], "data.ndarray: is 1; it must be a list"),
        ({"data": {"ndarray": [[1], [2, 3]]}}, [], r"data.ndarray\[1\]: has 2 elements where the first has 1"),
        ({"data": {"ndarray": [1, None]}}, [], "data.ndarray: has values of different types"),
        ({"data": {"ndarray": [1, {}]}}, [], "data.ndarray: has values of different types"),
        ({"data": {"ndarray": [2**64]}}, [], r"data.ndarray\[0\]: is 18446744073709551616; UINT64 takes"),
        ({"data": {"ndarray": [1], "names": [7]}}, [], r"data.names\[0\]: is 7; it must be a string"),
        (
            {"data": {"tensor": {"shape": [3], "values": [1]}}},
            [],
            r"tensor.values: has 1 elements; shape \[3\] takes 3",
        ),
        ({"data": {"tensor": {"shape": [1], "values": ["1"]}}}, [], r'tensor.values\[0\]: is "1"; FP64 takes numbers'),
        ({"data": {"tensor": {"shape": [-1], "values": []}}}, [], r"tensor.shape\[0\]: is -1; it must be a whole"),
        ({"data": {"tensor": 1}}, [], "data.tensor: is 1; it must be an object with shape and values"),
        ({"data": {"tftensor": 1}}, [], "data.tftensor: is 1; it must be TensorFlow's TensorProto"),
        ({"data": {"tftensor": {"dtype": "DT_X"}}}, [], "data.tftensor: is no TensorProto: "),
        ({"data": {"tftensor": {"floatVal": [1]}}}, [], "data.tftensor.dtype: is DT_INVALID; it must be one of"),
        ({"binData": "?"}, [], r'binData: is "\?"; it must be a string in base64'),
        ({"binData": 7}, [], "binData: is 7; it must be a string in base64"),
        ({"strData": 7}, [], "strData: is 7; it must be a string"),
        (
            {"data": {"ndarray": [[1, 2.5]]}},
            [TensorSpec("x", "INT8", (-1, 2))],
            r"ndarray\[0\]\[1\]: is 2.5; INT8 takes",
        ),
        ({"data": {"ndarray": [[300]]}}, [TensorSpec("x", "INT8", (-1, 1))], r"ndarray\[0\]\[0\]: is 300; INT8 takes"),
        ({"data": {"ndarray": [[1e300]]}}, [TensorSpec("x", "FP32", (-1, 1))], r"is 1e\+300; FP32 takes numbers"),
        ({"data": {"ndarray": [9.3e18]}}, [TensorSpec("x", "INT64", (-1,))], r"is 9.3e\+18; INT64 takes"),
        ({"data": {"ndarray": [2]}}, [TensorSpec("x", "BOOL", (-1,))], "is 2; BOOL takes 0 and 1"),
        (
            {"data": {"ndarray": ["a"]}},
            [TensorSpec("x", "FP32", (-1,))],
            "data.ndarray: has text; the model takes FP32",
        ),
        ({"data": {"ndarray": [1]}}, [TensorSpec("x", "BYTES", (-1,))], "data.ndarray: has numbers; the model takes B"),
        ({"data": {"ndarray": [1]}}, [TensorSpec("x", "FP32", (-1, 1))], r"has shape \[1\]; x takes \[-1, 1\]"),
        (
            {"data": {"ndarray": [1]}},
            [TensorSpec("x", "FP32", (-1,)), TensorSpec("z", "FP32", (-1,))],
            "the model takes x, z; Seldon's protocol carries one array, so ask by v2 or tensorflow",
        ),
        ({"strData": "a", "meta": 7}, [], "meta: is 7; it must be an object"),
        ({"strData": "a", "meta": {"puid": 7}}, [], "meta.puid: is 7; it must be a string"),
        ({"strData": "a", "meta": {"routing": {"r": "1"}}}, [], 'meta.routing.r: is "1"; it must be the number of'),
        ({"strData": "a", "meta": {"requestPath": {"r": 1}}}, [], "meta.requestPath.r: is 1; it must be a string"),
        ({"strData": "a", "meta": {"metrics": [1]}}, [], r"meta.metrics\[0\]: is 1; it must be an object"),
        ({"strData": "a", "meta": {"metrics": [{"key": "k"}]}}, [], r"metrics\[0\].value: is null; it must be a num"),
        (
            {"strData": "a", "meta": {"metrics": [{"key": "k", "value": 1, "type": "X"}]}},
            [],
            r'metrics\[0\].type: is "X"; it must be one of COUNTER, GAUGE, TIMER',
        ),
    ],
)
def test_a_wrong_request_is_refused_with_the_place_and_the_rule(fields: Any, inputs: Any, reason: str) -> None:
    with pytest.raises(BadRequest, match=reason):
        read(fields, *inputs)


@pytest.mark.parametrize("payload", ['"jsonData": %s', '"strData": "a", "meta": {"tags": {"a": %s}}'])
def test_json_that_is_nested_too_deep_is_refused(payload: str) -> None:
    seldon.read_request(f"{{{payload % ('[' * 20 + ']' * 20)}}}".encode())
    with pytest.raises(BadRequest, match="is nested deeper than 32 levels"):
        seldon.read_request(f"{{{payload % ('[' * 40 + ']' * 40)}}}".encode())


def test_a_failure_is_seldon_s_status_and_is_read_as_one() -> None:
    text = seldon.error("why", 503, "CIRCUIT_OPEN").content
    assert json.loads(text) == {
        "status": {"code": 503, "info": "why", "reason": "CIRCUIT_OPEN", "status": "FAILURE"},
    }
    assert seldon.error_reason(text) == "why"
    with pytest.raises(ServingError, match="why") as failed:
        seldon.read_response(text)
    assert failed.value.status == 503
    with pytest.raises(ServingError, match="the model server's response is wrong") as wrong:
        seldon.read_response(b"{}")
    assert wrong.value.status == 502


def test_feedback_comes_back_as_it_went() -> None:
    feedback = seldon.Feedback(
        Message((tensor("x", "FP64", [[1, 2]]),), "7"),
        Message((tensor("input-0", "FP64", [[0.5]]),), meta={"routing": {"router": 1}}),
        0.25,
        Message((tensor("input-0", "FP64", [1]),)),
    )
    read = seldon.read_feedback(seldon.write_feedback(feedback).content, inputs=[TensorSpec("x", "FP64", (-1, 2))])
    assert read.reward == 0.25
    for part in ("request", "response", "truth"):
        one, other = getattr(read, part), getattr(feedback, part)
        assert one is not None and other is not None
        same(one, other)
    empty = seldon.read_feedback(b"{}")
    assert (empty.request, empty.response, empty.reward, empty.truth) == (None, None, 0, None)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"reward": "1"}, 'reward: is "1"; it must be a number'),
        ({"reward": True}, "reward: is true; it must be a number"),
        ({"reward": 10**400}, "reward: .* out of range"),
        ({"truth": 1}, "truth: is 1; it must be an object"),
        ({"request": {"meta": {}}}, "request: has no payload"),
        ({"truth": {"data": {"ndarray": 1}}}, "truth.data.ndarray: is 1; it must be a list"),
    ],
)
def test_wrong_feedback_is_refused(fields: Any, reason: str) -> None:
    with pytest.raises(BadRequest, match=reason):
        seldon.read_feedback(json.dumps(fields).encode())


def test_nan_is_a_number() -> None:
    found = seldon.read_request(b'{"data": {"ndarray": [NaN, -Infinity]}}').message.tensors[0].data
    np.testing.assert_array_equal(found, [np.nan, -np.inf])
