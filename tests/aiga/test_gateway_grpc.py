"""gRPC: the three protocols, addressed by metadata, with the same routing, events and metrics as HTTP."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import gateway_world as gw
import grpc
import numpy as np
import pytest
import tritonclient.grpc.aio as triton

from aiga.serving.messages import Message, Tensor
from aiga.serving.protocols import grpc_seldon, grpc_tensorflow, grpc_v2
from aiga.serving.protocols.feedback import Feedback
from aiga.serving.protocols.protos.methods import SELDON, TENSORFLOW, V2, call

X = Message((Tensor("x", "FP64", np.array([[1.5, 2.0]])),), id="7", model="digits")
WRITTEN = {
    (V2, "ModelInfer"): (grpc_v2.write_request(X), grpc_v2.read_response, "v2"),
    (TENSORFLOW, "Predict"): (grpc_tensorflow.write_request(X), grpc_tensorflow.read_response, "tensorflow"),
    (SELDON, "Predict"): (grpc_seldon.write_request(X), grpc_seldon.read_response, "seldon"),
}


def run(scenario: Any, *predictors: dict[str, Any], **more: Any) -> None:
    async def go() -> None:
        async with gw.world(gw.config(*predictors, **more), grpc=True) as world:
            assert world.grpc is not None
            async with grpc.aio.insecure_channel(world.grpc) as channel:
                await scenario(world, channel)

    asyncio.run(go())


async def refused(asked: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await asked
    return error.value


@pytest.mark.parametrize("method", WRITTEN)
@pytest.mark.parametrize("kind", ["", "raw"])
def test_every_protocol_is_answered(method: tuple[str, str], kind: str) -> None:
    request, read, protocol = WRITTEN[method]

    async def scenario(world: gw.World, channel: Any) -> None:
        metadata = (("seldon", "digits"), ("namespace", "digits"), ("seldon-puid", "r-1"))
        calling = call(channel, *method)(request, metadata=metadata)
        answer = read(await calling)
        assert answer.tensors[0].data.tolist() == [1]
        sent = dict(await calling.initial_metadata())
        assert (sent["seldon-puid"], sent["x-aiga-predictor"]) == ("r-1", "main")
        message, context = world.fake("main").seen[0]
        assert message.tensors[0].data.tolist() == [[1.5, 2.0]]
        assert (context.protocol, context.request_id) == (protocol, "r-1")
        service = "/".join(("", *method))
        server = "seldon_api_executor_server_requests_seconds_count"
        assert await world.metric(server, service=service, method="unary", code="OK") == 1

    run(scenario, gw.predictor("main", 100, kind=kind))


def test_a_client_of_triton_finds_what_it_looks_for() -> None:
    async def scenario(world: gw.World, _: Any) -> None:
        client = triton.InferenceServerClient(world.grpc)
        assert await client.is_server_live() and await client.is_server_ready()
        assert await client.is_model_ready("digits") and not await client.is_model_ready("other")
        assert (await client.get_model_metadata("digits")).inputs[0].name == "x"
        given = triton.InferInput("x", [1, 2], "FP32")
        given.set_data_from_numpy(np.ones((1, 2), np.float32))
        answer = await client.infer("digits", [given], request_id="mine")
        assert answer.as_numpy("label").tolist() == [1]
        assert answer.get_response().id == "mine"
        await client.close()

    run(scenario)


REFUSED: dict[str, tuple[bytes, tuple[tuple[str, str], ...], grpc.StatusCode]] = {
    "no message": (b"\xff\xff", (), grpc.StatusCode.INVALID_ARGUMENT),
    "empty": (b"", (), grpc.StatusCode.INVALID_ARGUMENT),
    "another model": (grpc_v2.write_request(X.with_(model="other")), (), grpc.StatusCode.NOT_FOUND),
    "another deployment": (grpc_v2.write_request(X), (("seldon", "other"),), grpc.StatusCode.NOT_FOUND),
    "another namespace": (grpc_v2.write_request(X), (("namespace", "other"),), grpc.StatusCode.NOT_FOUND),
    "too large": (b"x" * 20_000, (), grpc.StatusCode.RESOURCE_EXHAUSTED),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_is_told_why(case: str) -> None:
    request, metadata, code = REFUSED[case]

    async def scenario(world: gw.World, channel: Any) -> None:
        error = await refused(call(channel, V2, "ModelInfer")(request, metadata=metadata))
        assert error.code() is code and error.details()
        assert not world.fake("main").seen

    run(scenario, body_bytes=10_000)


def test_failures_have_their_codes_and_further_tries() -> None:
    async def scenario(world: gw.World, channel: Any) -> None:
        infer, request = call(channel, V2, "ModelInfer"), grpc_v2.write_request(X)
        calling = infer(request, metadata=(("x-aiga-variant", "canary"),))
        await calling
        assert dict(await calling.initial_metadata())["x-aiga-predictor"] == "main"
        world.fake("main").settings["fails"] = world.fake("canary").settings["fails"] = 503
        error = await refused(infer(request, metadata=(("seldon-puid", "r-2"),)))
        assert error.code() is grpc.StatusCode.UNAVAILABLE and "out of order" in error.details()
        assert dict(error.trailing_metadata())["seldon-puid"] == "r-2"
        for name in ("main", "canary"):
            world.fake(name).settings = {"hangs": True}
        assert (await refused(infer(request))).code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert await world.metric("seldon_api_executor_server_requests_seconds_count", code="DeadlineExceeded") == 1

    run(scenario, gw.predictor("main", 50), gw.predictor("canary", 50, fails=500), timeout=0.3, circuit={"errors": 99})


def test_events_of_grpc_are_json_of_the_same_protocol() -> None:
    async def go() -> None:
        async with gw.receiver() as receiver:
            async with gw.world(gw.config(sinks=[{"url": receiver.url}]), grpc=True) as world:
                assert world.grpc is not None
                async with grpc.aio.insecure_channel(world.grpc) as channel:
                    for method, (request, _, _) in WRITTEN.items():
                        await call(channel, *method)(request)
                await gw.until(lambda: len(receiver.got) == 6)
            told = {(event.headers["ce-protocol"], event.type): json.loads(event.body) for event in receiver.got}
            assert told["v2", "request"]["inputs"][0]["data"] == [1.5, 2.0]
            assert told["v2", "response"]["outputs"][0]["data"] == [1]
            assert told["tensorflow", "request"]["inputs"] == [[1.5, 2.0]]
            assert told["tensorflow", "response"]["outputs"] == [1]
            assert told["seldon", "request"]["data"]["tensor"]["values"] == [1.5, 2.0]
            assert told["seldon", "response"]["data"]["tensor"]["values"] == [1]

    asyncio.run(go())


def test_metadata_and_feedback_are_answered() -> None:
    async def scenario(world: gw.World, channel: Any) -> None:
        feedback = grpc_seldon.write_feedback(Feedback(X, None, 0.5, None))
        await call(channel, SELDON, "SendFeedback")(feedback)
        assert world.fake("main").feedbacks[0][2] == 0.5
        metadata = await call(channel, V2, "ModelMetadata")(grpc_v2.write_model_name("digits"))
        assert grpc_v2.read_model(metadata).inputs[0].name == "x"
        error = await refused(call(channel, V2, "ModelMetadata")(grpc_v2.write_model_name("other")))
        assert error.code() is grpc.StatusCode.NOT_FOUND

    run(scenario)
