"""Calls of methods as requests of the v2 protocol: what is joined comes apart the same."""

from __future__ import annotations

import pytest
from servers_world import message, tensor

from aiga.serving.messages import BadRequest, Message
from aiga.serving.protocols import v2
from aiga.serving.runtimes import calls


def over_the_wire(request: Message) -> Message:
    body = v2.write_request(request, binary=True)
    return v2.read_request(body.content, body.headers).message


def test_several_messages_go_in_one_request_and_come_apart_the_same() -> None:
    first = message(tensor([[1, 2]]), meta={"tags": {"a": 1}}, id="7", parameters={"reward": 0.5})
    second = message(tensor([[3, 4]]), tensor([5], "INT64", "y", unit="kg"), meta={"routing": {"r": -1}})
    method, parts = calls.parted(over_the_wire(calls.joined("send_feedback", [first, second])))
    assert method == "send_feedback"
    assert [[each.name for each in part.tensors] for part in parts] == [["x"], ["x", "y"]]
    assert [part.meta for part in parts] == [first.meta, second.meta]
    assert parts[1].tensors[1].parameters == {"unit": "kg"} and parts[0].parameters["reward"] == 0.5
    assert parts[0].id == "7"


def test_a_plain_prediction_has_no_parameters_of_ours() -> None:
    request = calls.joined("predict", [message(tensor([[1, 2]]))])
    assert request.parameters == {}
    assert calls.parted(request)[0] == "predict"


def test_meta_goes_and_comes_back() -> None:
    asked = message(tensor([1]), meta={"tags": {"who": "me"}})
    assert calls.parted(over_the_wire(calls.joined("route", [asked])))[1][0].meta == asked.meta
    answer = message(tensor([1]), meta={"metrics": [{"key": "k", "type": "GAUGE", "value": 1}]}, parameters={"p": 1})
    back = calls.read(calls.answered(answer))
    assert back.meta == answer.meta and back.parameters == {"p": 1}


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"aiga_method": "__init__"}, "aiga_method: must be one of predict"),
        ({"aiga_meta": "[1]"}, "aiga_meta: must be a JSON object"),
        ({"aiga_meta": "{"}, "aiga_meta: must be a JSON object"),
        ({"aiga_meta": "[{}, {}]"}, "aiga_message: must be below 2, got None"),
    ],
)
def test_what_is_no_call_is_refused(parameters: dict[str, str], reason: str) -> None:
    with pytest.raises(BadRequest, match=reason):
        calls.parted(message(tensor([1]), parameters=parameters))
