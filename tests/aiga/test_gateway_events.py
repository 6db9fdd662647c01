"""Predictions as events: what is sent, that all of it is sent, and that no client notices when nobody takes it."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import gateway_world as gw
import numpy as np
import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_binary_event

from aiga.serving.gateway.redact import OUT, redacted
from aiga.serving.messages import Message, Tensor
from aiga.serving.protocols import v2


def test_a_prediction_is_one_request_and_one_response_event_as_seldon_sends_them() -> None:
    async def scenario(world: gw.World, receiver: gw.Receiver) -> None:
        await world.infer(seldon_puid="r-1", traceparent="00-" + "a" * 32 + "-" + "b" * 16 + "-01")
        await gw.until(lambda: len(receiver.got) == 2)
        request, response = sorted(receiver.got, key=lambda event: event.type)
        for event in (request, response):
            headers = event.headers
            assert headers["ce-specversion"] == "1.0"
            assert headers["ce-source"] == "http://gateway.test/"
            assert headers["Content-Type"] == "application/json"
            assert datetime.fromisoformat(headers["ce-time"]).tzinfo is not None
            assert headers["traceparent"].split("-")[1] == "a" * 32
            extensions = ["requestid", "modelid", "inferenceservicename", "namespace", "endpoint", "protocol"]
            assert [headers[f"ce-{name}"] for name in extensions] == ["r-1", "digits", "digits", "digits", "main", "v2"]
            own = {name.lower() for name in headers if name.lower().startswith("ce-")}
            assert own == {f"ce-{name}" for name in ("specversion", "id", "source", "type", "time", *extensions)}
        assert request.headers["ce-type"] == "io.seldon.serving.inference.request"
        assert response.headers["ce-type"] == "io.seldon.serving.inference.response"
        assert json.loads(request.body) == gw.ROW, "the body is the client's own"
        assert json.loads(response.body)["outputs"][0]["data"] == [1]
        assert request.headers["ce-id"] != response.headers["ce-id"], "source and id make an event one of its kind"

    gw.with_events(scenario)


def test_every_prediction_has_its_two_events_whatever_the_protocol() -> None:
    async def scenario(world: gw.World, receiver: gw.Receiver) -> None:
        bodies = {
            gw.INFER: gw.ROW,
            gw.PREDICT: {"instances": [[1, 2]]},
            gw.PREDICTIONS: {"data": {"ndarray": [[1, 2]]}},
        }

        async def client(path: str, number: int) -> None:
            for index in range(20):
                assert (await world.infer(path, bodies[path], seldon_puid=f"{number}-{index}"))[0] == 200

        await asyncio.gather(*(client(path, number) for number, path in enumerate(bodies) for _ in [0]))
        await gw.until(lambda: len(receiver.got) == 120)
        assert Counter((event.request, event.type) for event in receiver.got) == Counter(
            (f"{number}-{index}", kind)
            for number in range(3)
            for index in range(20)
            for kind in ("request", "response")
        )
        for event in receiver.got:
            protocol = ("v2", "tensorflow", "seldon")[int(event.request[0])]
            assert event.headers["ce-protocol"] == protocol

    gw.with_events(scenario, gw.predictor("main", 50), gw.predictor("canary", 50, kind="raw"))


def test_a_reader_of_cloudevents_takes_them() -> None:
    async def scenario(world: gw.World, receiver: gw.Receiver) -> None:
        await world.infer()
        await gw.until(lambda: len(receiver.got) == 2)
        for got in receiver.got:
            event = from_binary_event(HTTPMessage(dict(got.headers), got.body))
            assert event.get_extension("endpoint") == "main" and event.get_type().startswith("io.seldon.serving")

    gw.with_events(scenario)


def test_failed_predictions_tell_what_was_asked_and_mistakes_of_clients_tell_nothing() -> None:
    async def scenario(world: gw.World, receiver: gw.Receiver) -> None:
        assert (await world.infer(seldon_puid="failed"))[0] == 500
        assert (await world.infer(body=b"{", seldon_puid="wrong"))[0] == 400
        del world.fake("main").settings["fails"]
        assert (await world.infer(seldon_puid="skipped", seldon_skip_logging="true"))[0] == 200
        assert (await world.infer(seldon_puid="fine"))[0] == 200
        await gw.until(lambda: len(receiver.got) == 3)
        assert sorted((event.request, event.type) for event in receiver.got) == [
            ("failed", "request"),
            ("fine", "request"),
            ("fine", "response"),
        ]

    gw.with_events(scenario, gw.predictor("main", 100, fails=500))


def test_a_prediction_that_was_tried_twice_is_told_once_of_the_one_that_answered() -> None:
    async def scenario(world: gw.World, receiver: gw.Receiver) -> None:
        await world.infer(x_aiga_variant="canary")
        await gw.until(lambda: len(receiver.got) == 2)
        await asyncio.sleep(0.05)
        assert [event.headers["ce-endpoint"] for event in receiver.got] == ["main", "main"]

    gw.with_events(scenario, gw.predictor("main", 50), gw.predictor("canary", 50, fails=500))


def test_binary_bodies_are_told_as_json() -> None:
    async def scenario(world: gw.World, receiver: gw.Receiver) -> None:
        body = v2.write_request(Message((Tensor("x", "FP32", np.array([[1.5, 2]], dtype=np.float32)),)), binary=True)
        async with world.client.post(world.url + gw.INFER, data=body.content, headers=body.headers) as response:
            assert response.status == 200
        await gw.until(lambda: len(receiver.got) == 2)
        request, answer = sorted(receiver.got, key=lambda event: event.type)
        assert json.loads(request.body)["inputs"][0]["data"] == [1.5, 2.0]
        assert json.loads(answer.body)["outputs"][0]["data"] == [1]

    gw.with_events(scenario)


def test_feedback_is_an_event_of_its_own() -> None:
    async def scenario(world: gw.World, receiver: gw.Receiver) -> None:
        body = {"reward": 1.0, "truth": {"data": {"ndarray": [1]}}}
        await world.infer("/seldon/digits/digits/api/v1.0/feedback", body)
        await gw.until(lambda: receiver.got)
        assert receiver.got[0].headers["ce-type"] == "io.seldon.serving.feedback"
        assert json.loads(receiver.got[0].body) == body

    gw.with_events(scenario)


def test_a_sample_takes_both_events_of_its_share_and_the_same_for_the_same_request() -> None:
    async def scenario(world: gw.World, receiver: gw.Receiver) -> None:
        for _ in range(2):
            for number in range(200):
                await world.infer(seldon_puid=f"request-{number}")
        await gw.until(lambda: not gw.sender(world).waiting)
        told = Counter(event.request for event in receiver.got)
        assert set(told.values()) == {4}, "a request's events are all told or none"
        assert 20 <= len(told) <= 80

    gw.with_events(scenario, gw.predictor("main", 100, kind="raw"), log={"sample": 0.25})


def test_fields_are_left_out_before_anything_leaves_or_lies_on_disk(tmp_path: Path) -> None:
    secret = "4711.5"

    async def scenario(world: gw.World, receiver: gw.Receiver) -> None:
        receiver.status = 503
        for _ in range(10):
            await world.infer(body={"inputs": [{**gw.ROW["inputs"][0], "data": [float(secret), 1]}]})
        await gw.until(lambda: gw.sender(world).trouble)
        await world.gateway.stop()
        kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
        assert kept and secret.encode() not in kept and OUT.encode() in kept

    gw.with_events(scenario, log={"redact": ["x"]}, sink={"spool": str(tmp_path)})


REDACTED: dict[str, tuple[Any, Any]] = {
    "a tensor": (
        {"inputs": [{"name": "age", "shape": [1], "data": [7], "parameters": {"a": 1}}, {"name": "y", "data": [1]}]},
        {"inputs": [{"name": "age", "shape": [1], "data": OUT}, {"name": "y", "data": [1]}]},
    ),
    "a row's member": ({"instances": [{"age": 7, "y": 1}]}, {"instances": [{"age": OUT, "y": 1}]}),
    "a column": ({"inputs": {"age": [7], "y": [1]}}, {"inputs": {"age": OUT, "y": [1]}}),
    "a named column": (
        {"data": {"names": ["y", "age"], "ndarray": [[1, 7], [2, 8]]}},
        {"data": {"names": ["y", "age"], "ndarray": [[1, None], [2, None]]}},
    ),
    "a named column of one row": (
        {"data": {"names": ["y", "age"], "ndarray": [1, 7]}},
        {"data": {"names": ["y", "age"], "ndarray": [1, None]}},
    ),
    "a flat tensor": (
        {"data": {"names": ["y", "age"], "tensor": {"shape": [1, 2], "values": [1, 7]}}},
        {"data": {"names": ["y", "age"], "tensor": OUT}},
    ),
    "deep inside": ({"jsonData": {"a": [{"age": {"years": 7}}]}}, {"jsonData": {"a": [{"age": OUT}]}}),
    "nothing": ({"inputs": [{"name": "y", "data": [1]}]}, {"inputs": [{"name": "y", "data": [1]}]}),
}


@pytest.mark.parametrize("case", REDACTED)
def test_a_field_is_found_in_every_protocol(case: str) -> None:
    given, expected = REDACTED[case]
    before = json.dumps(given)
    assert redacted(given, {"age"}) == expected
    assert json.dumps(given) == before


def test_what_cannot_be_redacted_is_not_sent() -> None:
    async def scenario(world: gw.World, receiver: gw.Receiver) -> None:
        await world.infer(body=b"no JSON")
        await gw.until(lambda: len(receiver.got) == 1)
        assert receiver.got[0].type == "response"
        assert gw.sender(world).drops == {"unreadable": 1}

    gw.with_events(scenario, gw.predictor("main", 100, kind="raw"), log={"redact": ["x"]})
