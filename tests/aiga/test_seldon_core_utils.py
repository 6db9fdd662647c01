"""seldon_core.utils and what calls a class's methods: messages to arrays and back, and variables."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage

from aiga.serving.protocols import seldon
from aiga.serving.runtimes.seldon_core import user_model, utils
from aiga.serving.runtimes.seldon_core.proto import prediction_pb2
from aiga.serving.runtimes.seldon_core.user_model import SeldonComponent, SeldonMicroserviceException, SeldonResponse

KINDS = ("tensor", "ndarray", "tftensor")


@pytest.mark.parametrize("kind", KINDS)
def test_an_array_comes_back_from_a_message_and_from_its_json(kind: str) -> None:
    array = np.array([[1.5, 2.0, 3.0], [4.0, 5.0, 6.0]])
    datadef = utils.array_to_grpc_datadef(kind, array, ["a", "b", "c"])
    assert datadef.WhichOneof("data_oneof") == kind and list(datadef.names) == ["a", "b", "c"]
    message = prediction_pb2.SeldonMessage(data=datadef)
    form = utils.seldon_message_to_json(message)
    assert form["data"] == utils.array_to_rest_datadef(kind, array, ["a", "b", "c"])
    for each in (message, utils.json_to_seldon_message(form)):
        assert utils.get_data_from_proto(each).tolist() == array.tolist()
    features, meta, data, payload = utils.extract_request_parts_json(form)
    assert features.tolist() == array.tolist() and (meta, data, payload) == (None, form["data"], "data")
    assert seldon.read_response(json.dumps(form).encode()).tensors[0].data.tolist() == array.tolist()


@pytest.mark.parametrize("kind", ["ndarray", "tftensor"])
def test_text_in_arrays_is_carried_by_all_but_tensor(kind: str) -> None:
    datadef = utils.array_to_grpc_datadef(kind, np.array([["a"], ["b"]]))
    said = [each.decode() if isinstance(each, bytes) else each for each in utils.grpc_datadef_to_array(datadef).flat]
    assert said == ["a", "b"]


@pytest.mark.parametrize(
    ("message", "kind", "held"),
    [
        ({"strData": "s"}, "strData", "s"),
        ({"binData": "AQI="}, "binData", b"\x01\x02"),
        ({"jsonData": {"a": [1, None]}}, "jsonData", {"a": [1, None]}),
    ],
)
def test_other_payloads_are_themselves(message: dict[str, Any], kind: str, held: Any) -> None:
    proto = utils.json_to_seldon_message({**message, "meta": {"puid": "7"}})
    assert utils.get_data_from_proto(proto) == held
    assert utils.extract_request_parts(proto)[1] == {"puid": "7"} and utils.extract_request_parts(proto)[3] == kind
    assert utils.extract_request_parts_json(message)[::3] == (held, kind)


def test_custom_data_is_an_any() -> None:
    held = AnyMessage(value=b"x")
    assert utils.get_data_from_proto(prediction_pb2.SeldonMessage(customData=held)) == held


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: utils.json_to_seldon_message({"dta": {}}),
        lambda: utils.get_data_from_proto(prediction_pb2.SeldonMessage()),
        lambda: utils.extract_request_parts_json({"meta": {}}),
        lambda: utils.extract_request_parts_json([1]),  # type: ignore[arg-type]
        lambda: utils.array_to_grpc_datadef("tftensor", np.array([1j])),
        lambda: utils.construct_response_json(object(), False, {}, object()),
    ],
)
def test_what_is_no_message_is_the_callers_mistake(wrong: Any) -> None:
    with pytest.raises(SeldonMicroserviceException) as caught:
        wrong()
    assert caught.value.status_code == 400 and caught.value.to_dict()["status"]["info"] == caught.value.message


def test_a_feedback_has_its_features_truth_and_reward() -> None:
    form = {"request": {"data": {"ndarray": [[1.0]]}}, "reward": 0.5, "truth": {"data": {"ndarray": [2.0]}}}
    feedback = utils.json_to_feedback(form)
    _, features, truth, reward = utils.extract_feedback_request_parts(feedback)
    assert (features.tolist(), truth.tolist(), reward) == ([[1.0]], [2.0], 0.5)
    assert utils.feedback_to_json(feedback) == form


class Named:
    def class_names(self) -> list[str]:
        return ["no", "yes"]

    def tags(self) -> dict[str, Any]:
        return {"of": "class", "v": 1}


@pytest.mark.parametrize(
    ("asked", "kind"),
    [({"data": {"tftensor": {}}}, "tftensor"), ({"data": {"ndarray": []}}, "ndarray"), ({}, "tensor")],
)
def test_an_answer_has_the_kind_of_its_request_with_names_and_tags(asked: dict[str, Any], kind: str) -> None:
    request = {**asked, "meta": {"puid": "7"}}
    meta = {"tags": {"of": "request", "in": True}, "metrics": []}
    said = utils.construct_response_json(Named(), False, request, np.array([[0.1, 0.9]]), meta, None, {"now": 2})
    assert said["data"]["names"] == ["no", "yes"] and set(said["data"]) == {"names", kind}
    assert said["meta"] == {"tags": {"of": "class", "in": True, "v": 1, "now": 2}, "puid": "7"}
    assert utils.get_data_from_proto(utils.json_to_seldon_message(said)).tolist() == [[0.1, 0.9]]


def test_answers_that_are_no_array_of_numbers_keep_their_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREDICTIVE_UNIT_ID", "node")
    monkeypatch.setenv("PREDICTIVE_UNIT_IMAGE", "image:1")

    def said(value: Any) -> dict[str, Any]:
        return utils.construct_response_json(object(), True, {"data": {"tensor": {}, "names": ["n"]}}, value)

    assert said({"a": 1})["jsonData"] == {"a": 1} and said("s")["strData"] == "s" and said(b"\x01")["binData"] == "AQ=="
    assert said([["x"]]) == {"data": {"names": ["n"], "ndarray": [["x"]]}, "meta": {"requestPath": {"node": "image:1"}}}


def test_methods_are_called_with_what_they_take_and_may_be_absent() -> None:
    class Some:
        class_names = ("no", "yes")

        def predict(self, features: Any, names: Any) -> Any:
            return SeldonResponse(features + 1, {"t": 1})

        def transform_input(self, features: Any, names: Any, meta: Any = None) -> Any:
            return meta

        def send_feedback(self, features: Any, names: Any, reward: Any, truth: Any, routing: Any) -> Any:
            return [reward, truth, routing]

    some = Some()
    assert user_model.client_predict(some, 1, [], meta={"m": 1}).tags == {"t": 1}
    assert user_model.client_transform_input(some, 1, [], meta={"m": 1}).data == {"m": 1}
    assert user_model.client_send_feedback(some, 1, [], 0.5, 2, 3).data == [0.5, 2, 3]
    assert user_model.client_class_names(some, np.zeros((1, 2))) == ("no", "yes")
    for empty in (SeldonComponent(), object()):
        assert user_model.client_predict(empty, 1, []).data == [] and user_model.client_custom_tags(empty) == {}
        assert user_model.client_transform_output(empty, 1, []).data == 1
        assert user_model.client_feature_names(empty, ["f"]) == ["f"]
        assert user_model.client_class_names(empty, np.zeros((1, 2))) == ["t:0", "t:1"]
        assert user_model.client_health_status(empty) == "healthy"
        for required in (user_model.client_route, user_model.client_aggregate):
            with pytest.raises(user_model.SeldonNotImplementedError):
                required(empty, 1, [])


def test_a_type_error_inside_a_method_is_not_taken_for_a_wrong_signature() -> None:
    class Broken:
        calls = 0

        def predict(self, features: Any, names: Any, meta: Any = None) -> Any:
            self.calls += 1
            return features + None

    broken = Broken()
    with pytest.raises(TypeError):
        user_model.client_predict(broken, 1, [], meta={})
    assert broken.calls == 1


def test_the_first_variable_that_is_set_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FIRST", raising=False)
    monkeypatch.setenv("SECOND", "True")
    assert utils.getenv("FIRST", "SECOND", default="x") == "True" and utils.getenv("FIRST", default="x") == "x"
    assert utils.getenv_as_bool("FIRST", "SECOND") and utils.getenv_as_bool("FIRST", default=True)
    monkeypatch.setenv("FIRST", "no")
    assert not utils.getenv_as_bool("FIRST", "SECOND", default=True)
