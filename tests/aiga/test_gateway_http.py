"""What clients of HTTP get: answers in their protocol, reasons in its form, and nothing that breaks the gateway."""

from __future__ import annotations

import asyncio
from typing import Any

import gateway_world as gw
import numpy as np
import pytest

from aiga.serving.messages import Message, Tensor
from aiga.serving.protocols import v2


def run(scenario: Any, *predictors: dict[str, Any], **more: Any) -> None:
    async def go() -> None:
        async with gw.world(gw.config(*predictors, **more)) as world:
            await scenario(world)

    asyncio.run(go())


ANSWERED: dict[str, tuple[str, Any, Any]] = {
    "v2": (gw.INFER, gw.ROW, [{"name": "label", "datatype": "INT64", "shape": [1], "data": [1]}]),
    "v2 of a version": (gw.INFER.replace("/infer", "/versions/1/infer"), gw.ROW, ...),
    "v2 without a prefix": ("/v2/models/digits/infer", gw.ROW, ...),
    "v2 without a model": ("/seldon/digits/digits/v2/models/infer", gw.ROW, ...),
    "tensorflow": (gw.PREDICT, {"instances": [[1.5, 2]]}, [1]),
    "tensorflow in columns": (gw.PREDICT, {"inputs": {"x": [[1.5, 2]]}}, ...),
    "seldon": (gw.PREDICTIONS, {"data": {"ndarray": [[1.5, 2]]}}, [1]),
    "seldon of old": ("/seldon/digits/digits/api/v0.1/predictions", {"data": {"ndarray": [[1.5, 2]]}}, ...),
}


@pytest.mark.parametrize("case", ANSWERED)
def test_every_path_of_seldon_is_answered_in_its_protocol(case: str) -> None:
    path, body, expected = ANSWERED[case]

    async def scenario(world: gw.World) -> None:
        status, answer, headers = await world.infer(path, body)
        assert (status, headers["Content-Type"]) == (200, "application/json")
        outputs = answer.get("outputs", answer.get("predictions", answer.get("data", {}).get("ndarray")))
        assert outputs == expected or expected is ...
        (message, call), *_ = world.fake("main").seen
        assert message.tensors[0].data.tolist() == [[1.5, 2.0]]
        assert (call.deployment, call.namespace, call.protocol) == ("digits", "digits", case.split(maxsplit=1)[0])

    run(scenario, gw.predictor("main", 100, version="1"))


def test_types_that_a_request_leaves_open_are_the_models_own() -> None:
    async def scenario(world: gw.World) -> None:
        await world.infer(gw.PREDICT, {"instances": [[1, 2]]})
        tensor = world.fake("main").seen[0][0].tensors[0]
        assert (tensor.name, tensor.datatype) == ("x", "FP64")

    run(scenario)


def test_answers_carry_the_request_id_the_model_and_its_version() -> None:
    async def scenario(world: gw.World) -> None:
        _, own, headers = await world.infer()
        assert own["id"] == headers["seldon-puid"] == headers["x-request-id"]
        _, given, _ = await world.infer(body={**gw.ROW, "id": "mine"})
        assert (given["id"], given["model_name"], given["model_version"]) == ("mine", "digits", "3")
        _, seldon, headers = await world.infer(gw.PREDICTIONS, {"data": {"ndarray": [[1, 2]]}})
        assert seldon["meta"]["puid"] == headers["seldon-puid"]

    run(scenario, gw.predictor("main", 100, version="3"))


def test_trace_and_request_id_go_in_and_out() -> None:
    async def scenario(world: gw.World) -> None:
        parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        _, _, headers = await world.infer(traceparent=parent, tracestate="a=b", seldon_puid="request-1")
        call = world.fake("main").seen[0][1]
        sent = call.headers()
        version, trace, span, flags = sent["traceparent"].split("-")
        assert (version, trace, flags) == ("00", "0af7651916cd43dd8448eb211c80319c", "01")
        assert span != "b7ad6b7169203331" and len(span) == 16
        assert (sent["tracestate"], sent["seldon-puid"], sent["x-request-id"]) == ("a=b", "request-1", "request-1")
        assert (headers["traceparent"], headers["seldon-puid"]) == (sent["traceparent"], "request-1")

    run(scenario)


@pytest.mark.parametrize(
    "parent", ["", "00-0-0-01", "ff-" + "a" * 32 + "-" + "b" * 16 + "-01", "00-" + "0" * 32 + "-" + "b" * 16 + "-01"]
)
def test_a_trace_that_is_none_begins_anew(parent: str) -> None:
    async def scenario(world: gw.World) -> None:
        traces = [(await world.infer(traceparent=parent))[2]["traceparent"].split("-")[1] for _ in range(2)]
        assert all(len(trace) == 32 for trace in traces) and len({*traces, "0" * 32, "a" * 32}) == 4

    run(scenario)


def test_a_request_id_that_cannot_stand_in_a_header_is_replaced() -> None:
    async def scenario(world: gw.World) -> None:
        assert (await world.infer(x_request_id="x" * 129))[2]["seldon-puid"] != "x" * 129
        assert (await world.infer(x_request_id="two words"))[2]["seldon-puid"] != "two words"
        assert (await world.infer(x_request_id="fine"))[2]["seldon-puid"] == "fine"

    run(scenario)


REFUSED: dict[str, tuple[str, Any, int, str]] = {
    "no JSON, v2": (gw.INFER, b"{", 400, "error"),
    "no JSON, tensorflow": (gw.PREDICT, b"{", 400, "error"),
    "no JSON, seldon": (gw.PREDICTIONS, b"{", 400, "status"),
    "no inputs": (gw.INFER, {"inputs": []}, 400, "error"),
    "unknown output": (gw.INFER, {**gw.ROW, "outputs": [{"name": "nope"}]}, 400, "error"),
    "another model": (gw.INFER.replace("models/digits", "models/other"), gw.ROW, 404, "error"),
    "another version": (gw.INFER.replace("/infer", "/versions/9/infer"), gw.ROW, 404, "error"),
    "another deployment": (gw.PREDICTIONS.replace("digits/digits", "digits/other"), {}, 404, "status"),
    "another namespace": (gw.PREDICT.replace("digits/digits", "other/digits"), {}, 404, "error"),
    "no path": ("/seldon/digits/digits/v3/models", {}, 404, "error"),
    "too large, v2": (gw.INFER, b"[" * 2000, 413, "error"),
    "too large, seldon": (gw.PREDICTIONS, b"[" * 2000, 413, "status"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_is_told_why_in_the_protocols_own_form(case: str) -> None:
    path, body, expected, key = REFUSED[case]

    async def scenario(world: gw.World) -> None:
        status, answer, headers = await world.infer(path, body)
        assert status == expected and key in answer and headers["Content-Type"] == "application/json"
        reason = answer["status"]["info"] if key == "status" else answer["error"]
        assert reason and "Traceback" not in reason
        assert (await world.infer())[0] == 200

    run(scenario, gw.predictor("main", 100, version="1"), body_bytes=1000)


def test_a_wrong_method_is_told_the_right_one() -> None:
    async def scenario(world: gw.World) -> None:
        async with world.client.get(world.url + gw.INFER) as response:
            assert (response.status, response.headers["Allow"]) == (405, "POST")
        async with world.client.post(world.url + "/metrics") as response:
            assert (response.status, response.headers["Allow"]) == (405, "GET")

    run(scenario)


def test_binary_tensors_go_in_and_out() -> None:
    async def scenario(world: gw.World) -> None:
        tensor = Tensor("x", "FP32", np.array([[1.5, 2.0]], dtype=np.float32))
        body = v2.write_request(Message((tensor,)), binary=True)
        async with world.client.post(world.url + gw.INFER, data=body.content, headers=body.headers) as response:
            content = await response.read()
            assert response.headers["Content-Type"] == "application/octet-stream"
            assert v2.read_response(content, response.headers).tensors[0].data.tolist() == [1]

    run(scenario)


def test_a_v2_request_is_handed_on_as_it_came_where_the_predictor_takes_it() -> None:
    async def scenario(world: gw.World) -> None:
        raw = b'{"inputs": "whatever the server makes of it"}'
        status, answer, headers = await world.infer(body=raw)
        assert (status, answer["outputs"][0]["data"]) == (200, [1])
        body, handed_on, call = world.fake("main").bodies[0]
        assert body == raw and handed_on == {"content-type": "application/json"}
        assert call.request_id == headers["seldon-puid"]
        assert (await world.infer(gw.PREDICTIONS, {"data": {"ndarray": [[1, 2]]}}))[0] == 200
        assert len(world.fake("main").bodies) == 1, "only v2 can be handed on as it is"

    run(scenario, gw.predictor("main", 100, kind="raw"))


def test_it_says_of_itself_what_every_protocol_asks() -> None:
    async def scenario(world: gw.World) -> None:
        assert (await world.get("/v2/models/digits"))["inputs"] == [{"name": "x", "datatype": "FP64", "shape": [-1, 2]}]
        assert await world.get("/v2/models/digits/ready") == {"name": "digits", "ready": True}
        assert (await world.get("/v1/models/digits"))["model_version_status"][0]["state"] == "AVAILABLE"
        signature = (await world.get("/v1/models/digits/metadata"))["metadata"]["signature_def"]["signature_def"]
        assert signature["serving_default"]["inputs"]["x"]["dtype"] == "DT_DOUBLE"
        assert (await world.get("/seldon/digits/digits/api/v1.0/metadata"))["graphinputs"][0]["name"] == "x"
        assert (await world.get("/v2"))["name"] == "aiga-gateway"
        async with world.client.get(world.url + "/api/v1.0/doc/") as response:
            assert response.status == 404 and "documentation" in await response.text()
        for path in ("/ready", "/live", "/v2/health/ready", "/v2/health/live", "/api/v1.0/health/status"):
            async with world.client.get(world.url + path) as response:
                assert response.status == 200, path

    run(scenario)


def test_it_is_ready_only_while_somebody_can_answer() -> None:
    async def scenario(world: gw.World) -> None:
        async def status(path: str) -> int:
            async with world.client.get(world.url + path) as response:
                return response.status

        world.fake("main").settings["ready"] = False
        await gw.until(lambda: not world.gateway.live.backends["main"].healthy)
        assert (await status("/ready"), await status("/live"), await status("/v2/models/digits/ready")) == (
            503,
            200,
            503,
        )
        code, answer, headers = await world.infer()
        assert (code, headers["Retry-After"]) == (503, "1")
        assert answer["error"] == "no predictor of digits takes requests: main is not ready"
        world.fake("main").settings["ready"] = True
        await gw.until(lambda: world.gateway.live.backends["main"].healthy)
        assert await status("/ready") == 200

    run(scenario, health_period=0.02)


def test_feedback_reaches_the_predictor_and_is_counted() -> None:
    async def scenario(world: gw.World) -> None:
        body = {
            "request": {"data": {"ndarray": [[1, 2]]}},
            "response": {"data": {"ndarray": [1]}, "meta": {"routing": {"a": 0}}},
            "truth": {"data": {"ndarray": [3]}},
            "reward": 0.5,
        }
        assert (await world.infer("/seldon/digits/digits/api/v1.0/feedback", body))[0] == 200
        (request, response, reward, truth), *_ = world.fake("main").feedbacks
        assert request.tensors[0].data.tolist() == [[1, 2]] and response.meta["routing"] == {"a": 0}
        assert reward == 0.5 and truth.tensors[0].data.tolist() == [3]
        assert await world.metric("seldon_api_model_feedback_reward_total") == 0.5

    run(scenario)


def test_a_stop_lets_requests_end_and_tells_clients_to_leave() -> None:
    async def scenario(world: gw.World) -> None:
        world.gateway.draining = True
        _, _, headers = await world.infer()
        assert headers.get("Connection") == "close"
        async with world.client.get(world.url + "/ready") as response:
            assert response.status == 503

    run(scenario)
