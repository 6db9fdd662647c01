"""Metrics of a graph: each node by its own name, image and version, as Seldon's executor and wrapper have them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import gateway_world as gw
import grpc
import pytest
from graph_world import Servers, combiner, model, output, router, transformer, words
from prometheus_client.parser import text_string_to_metric_families

from aiga.serving.deploy.backend import Units
from aiga.serving.graph.passage import Method, NodeCall
from aiga.serving.messages import Message, ServingError
from aiga.serving.protocols import grpc_seldon
from aiga.serving.protocols.metadata import ModelMetadata, TensorSpec
from aiga.serving.protocols.protos.methods import SELDON, call
from aiga.serving.runtimes.calls import TAG_OF
from aiga.spec.serve import Unit

CLIENT = "seldon_api_executor_client_requests_seconds_count"
TEXT = {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["x"]}]}
ALL = output("o", transformer("t", router("r", combiner("c", model("a"), model("b")), model("d"))))
IMAGES = {"t": "aiga/custom:main", "a": "aiga/onnx:7"}
MAIN = {**gw.predictor("main", 100, version="3"), "image": "aiga/sklearn:3"}
ABOUT = {"deployment_name": "digits", "predictor_name": "main", "predictor_version": "3"}


@dataclass
class Node:
    """In place of the client of a node's server."""

    name: str
    servers: Servers

    async def call(self, method: str, messages: list[Message], *, headers: Mapping[str, str] | None = None) -> Message:
        return await self.servers(self.name, method, messages, headers)

    async def ready(self) -> bool:
        return True

    async def metadata(self) -> ModelMetadata:
        spec = TensorSpec("text", "BYTES", (-1,))
        return ModelMetadata(self.name, ("1",), "custom", (spec,), (spec,))

    async def close(self) -> None:
        return None


def run(
    scenario: Any, root: Unit, servers: Servers, *predictors: dict[str, Any], by_grpc: bool = False, **more: Any
) -> None:
    """Runs a scenario with a gateway before a graph, and with its shadow where the predictors have one."""

    def make(settings: Any) -> Any:
        clients: Any = {name: Node(name, servers) for name in "otrcabd"}
        return Units(settings.name, root, clients, IMAGES)

    async def go() -> None:
        async with gw.world(gw.config(*(predictors or (MAIN,)), **more), grpc=by_grpc, make=make) as world:
            await scenario(world)

    asyncio.run(go())


async def samples(world: gw.World, name: str) -> list[Any]:
    families = text_string_to_metric_families(await world.get("/metrics"))
    return [sample for family in families for sample in family.samples if sample.name == name]


def test_each_call_of_a_node_is_counted_with_its_name_image_and_version() -> None:
    async def scenario(world: gw.World) -> None:
        assert (await world.infer(body=TEXT))[0] == 200
        found = await samples(world, CLIENT)
        names = ("model_name", "service", "model_image", "model_version")
        assert [(*(sample.labels.pop(name) for name in names), sample.value) for sample in found] == [
            ("t", "/v2/models/t/infer", "aiga/custom", "main", 1),
            ("a", "/v2/models/a/infer", "aiga/onnx", "7", 1),
            ("o", "/v2/models/o/infer", "aiga/sklearn", "3", 1),
        ]
        assert all(sample.labels == {**ABOUT, "method": "post", "code": "200"} for sample in found)

    run(scenario, output("o", transformer("t", model("a"))), Servers())


SERVICES = {
    gw.INFER: {
        "o": "/v2/models/o/infer",
        "t": "/v2/models/t/infer",
        "r": "/v2/models/r/route",
        "c": "/v2/models/c/aggregate",
        "a": "/v2/models/a/infer",
        "b": "/v2/models/b/infer",
    },
    gw.PREDICT: {
        "o": "/v1/models/o:predict",
        "t": "/v1/models/t:predict",
        "r": "/v1/models/r:route",
        "c": "/v1/models/c:aggregate",
        "a": "/v1/models/a:predict",
        "b": "/v1/models/b:predict",
    },
    gw.PREDICTIONS: {
        "o": "/transform-output",
        "t": "/transform-input",
        "r": "/route",
        "c": "/aggregate",
        "a": "/predict",
        "b": "/predict",
    },
}
BODIES = {gw.INFER: TEXT, gw.PREDICT: {"instances": ["x"]}, gw.PREDICTIONS: {"strData": "x"}}


@pytest.mark.parametrize("path", SERVICES)
def test_nodes_have_the_services_of_the_clients_protocol(path: str) -> None:
    async def scenario(world: gw.World) -> None:
        status, answer, _ = await world.infer(path, BODIES[path])
        assert status == 200, answer
        found = await samples(world, CLIENT)
        assert {sample.labels["model_name"]: sample.labels["service"] for sample in found} == SERVICES[path]

    run(scenario, ALL, Servers(routes={"r": 0}))


@pytest.mark.parametrize(
    ("protocol", "method", "service"),
    [
        ("seldon", "predict", "/seldon.protos.Model/Predict"),
        ("seldon", "transform_input", "/seldon.protos.Transformer/TransformInput"),
        ("seldon", "transform_output", "/seldon.protos.OutputTransformer/TransformOutput"),
        ("seldon", "route", "/seldon.protos.Router/Route"),
        ("seldon", "aggregate", "/seldon.protos.Combiner/Aggregate"),
        ("seldon", "send_feedback", "/seldon.protos.Model/SendFeedback"),
        ("v2", "predict", "/inference.GRPCInferenceService/ModelInfer"),
        ("tensorflow", "transform_input", "/tensorflow.serving.PredictionService/Predict"),
    ],
)
def test_a_call_for_a_request_by_grpc_is_named_as_grpc_names_it(protocol: str, method: Method, service: str) -> None:
    async def scenario(world: gw.World) -> None:
        await world.infer(body=TEXT)
        context = SimpleNamespace(protocol=protocol, method="unary")
        world.fake("main").node_calls.append(NodeCall("b", method, context, 504, 0.1))
        (sample,) = [one for one in await samples(world, CLIENT) if one.labels["model_name"] == "b"]
        labels = (sample.labels["service"], sample.labels["method"], sample.labels["code"])
        assert labels == (service, "unary", "DeadlineExceeded")

    run(scenario, model("a"), Servers())


def test_nodes_are_named_as_the_client_called() -> None:
    async def scenario(world: gw.World) -> None:
        assert world.grpc is not None
        async with grpc.aio.insecure_channel(world.grpc) as channel:
            await call(channel, SELDON, "Predict")(grpc_seldon.write_request(words("x")))
        assert [
            (one.labels["service"], one.labels["method"], one.labels["code"]) for one in await samples(world, CLIENT)
        ] == [
            ("/seldon.protos.Transformer/TransformInput", "unary", "OK"),
            ("/seldon.protos.Model/Predict", "unary", "OK"),
        ]

    run(scenario, transformer("t", model("a")), Servers(), by_grpc=True)


def test_what_a_class_reports_has_the_name_of_its_node_and_the_tag_of_its_method() -> None:
    meta = {name: {"metrics": [{"key": "seen", "type": "COUNTER", "value": 1}]} for name in "otrcab"}

    async def scenario(world: gw.World) -> None:
        for _ in range(2):
            assert (await world.infer(body=TEXT))[0] == 200
        found = await samples(world, "seen_total")
        assert {sample.labels["model_name"]: (sample.labels["method"], sample.value) for sample in found} == {
            "o": ("outputtransform", 2),
            "t": ("inputtransform", 2),
            "r": ("router", 2),
            "c": ("aggregate", 2),
            "a": ("predict", 2),
            "b": ("predict", 2),
        }
        (onnx,) = [sample.labels for sample in found if sample.labels["model_name"] == "a"]
        assert ABOUT.items() <= onnx.items()
        assert (onnx["model_image"], onnx["image_name"]) == ("aiga/onnx", "aiga/onnx")
        assert (onnx["model_version"], onnx["image_version"]) == ("7", "7")

    run(scenario, ALL, Servers(routes={"r": 0}, meta=meta))


@pytest.mark.parametrize("method", TAG_OF)
def test_tags_of_methods_are_those_of_the_wrapper(method: Method) -> None:
    async def scenario(world: gw.World) -> None:
        await world.infer(body=TEXT)
        context = SimpleNamespace(protocol="seldon", method="post")
        world.fake("main").node_calls.append(
            NodeCall("b", method, context, 200, 0.1, [{"key": "seen", "type": "GAUGE", "value": 1}])
        )
        (sample,) = await samples(world, "seen")
        assert sample.labels["method"] == TAG_OF[method]

    run(scenario, model("a"), Servers())


def test_metrics_that_a_client_sends_are_not_a_nodes() -> None:
    sent = {"strData": "x", "meta": {"metrics": [{"key": "forged", "type": "GAUGE", "value": 1}]}}

    async def scenario(world: gw.World) -> None:
        assert (await world.infer(gw.PREDICTIONS, sent))[0] == 200
        assert await samples(world, "forged") == []

    run(scenario, transformer("t", model("a")), Servers())


def test_of_a_request_that_fails_the_calls_and_metrics_until_then_are_counted() -> None:
    def fail(_: list[Message]) -> Message:
        raise ServingError(500, "broken")

    meta = {"t": {"metrics": [{"key": "seen", "type": "COUNTER", "value": 1}]}}

    async def scenario(world: gw.World) -> None:
        assert (await world.infer(body=TEXT))[0] == 500
        found = await samples(world, CLIENT)
        assert {sample.labels["model_name"]: sample.labels["code"] for sample in found} == {"t": "200", "a": "500"}
        assert [sample.value for sample in await samples(world, "seen_total")] == [1]

    run(scenario, transformer("t", model("a")), Servers(behave={"a": fail}, meta=meta), retries=0)


def test_metrics_of_a_node_that_are_no_list_are_refused_and_the_call_is_counted() -> None:
    async def scenario(world: gw.World) -> None:
        await world.infer(body=TEXT)
        assert await world.metric("aiga_gateway_custom_refused") == 1
        assert [sample.value for sample in await samples(world, CLIENT)] == [1]

    run(scenario, model("a"), Servers(meta={"a": {"metrics": 7}}), retries=0)


@pytest.mark.parametrize("fails", [False, True])
def test_nodes_that_are_told_of_feedback_count_it(fails: bool) -> None:
    def fail(_: list[Message]) -> Message:
        raise ServingError(500, "broken")

    async def scenario(world: gw.World) -> None:
        body = {"response": {"strData": "y", "meta": {"routing": {"r": 1}}}, "reward": 0.5}
        status, answer, _ = await world.infer("/seldon/digits/digits/api/v1.0/feedback", body)
        assert status == (500 if fails else 200), answer
        codes = {sample.labels["model_name"]: sample.labels for sample in await samples(world, CLIENT)}
        assert {name: labels["code"] for name, labels in codes.items()} == {"b": "200", "r": "500" if fails else "200"}
        assert {labels["service"] for labels in codes.values()} == {"/send-feedback"}
        rewards = await samples(world, "seldon_api_model_feedback_reward_total")
        assert {one.labels["model_name"]: (one.labels["method"], one.value) for one in rewards} == {
            "b": ("feedback", 0.5),
            "r": ("feedback", 0.5),
        }

    run(scenario, router("r", model("a"), model("b")), Servers(behave={"r": fail} if fails else {}))


def test_a_shadows_nodes_are_counted_as_the_shadows() -> None:
    async def scenario(world: gw.World) -> None:
        await world.infer(body=TEXT)
        await gw.until(lambda: world.gateway.mirror.counts.get("answered"))
        found = {(one.labels["predictor_name"], one.labels["model_name"]) for one in await samples(world, CLIENT)}
        assert found == {(predictor, node) for predictor in ("main", "shadow") for node in "ta"}

    run(scenario, transformer("t", model("a")), Servers(), MAIN, gw.predictor("shadow", shadow=True))
