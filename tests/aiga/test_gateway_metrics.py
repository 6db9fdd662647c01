"""What Prometheus reads: Seldon's names and labels, the wrapper's own metrics, and figures of the last minute."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import gateway_world as gw
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from aiga.serving.gateway import custom
from aiga.serving.gateway.custom import Custom
from aiga.serving.gateway.window import Window

SERVER = "seldon_api_executor_server_requests_seconds"
CLIENT = "seldon_api_executor_client_requests_seconds"
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
IMAGED = {**gw.predictor("main", 100, version="3"), "image": "mlserver:1.7.1"}


def run(scenario: Any, *predictors: dict[str, Any], **more: Any) -> None:
    async def go() -> None:
        async with gw.world(gw.config(*predictors, **more)) as world:
            await scenario(world)

    asyncio.run(go())


async def samples(world: gw.World) -> dict[str, list[Any]]:
    """All samples by their names, as Prometheus' own parser reads them."""
    found: dict[str, list[Any]] = {}
    for family in text_string_to_metric_families(await world.get("/metrics")):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample)
    return found


def test_requests_have_seldons_names_labels_and_buckets() -> None:
    async def scenario(world: gw.World) -> None:
        await world.infer()
        found = await samples(world)
        (server,) = found[f"{SERVER}_count"]
        about = {"deployment_name": "digits", "predictor_name": "main", "predictor_version": "3"}
        assert server.labels == {**about, "service": "predictions", "method": "post", "code": "200"}
        assert server.value == 1
        (client,) = found[f"{CLIENT}_count"]
        model = {"model_name": "digits", "model_image": "mlserver", "model_version": "1.7.1"}
        service = "/v2/models/digits/infer"
        assert client.labels == {**about, **model, "service": service, "method": "post", "code": "200"}
        bounds = [sample.labels["le"] for sample in found[f"{SERVER}_bucket"]]
        assert bounds == [
            "0.005",
            "0.01",
            "0.025",
            "0.05",
            "0.075",
            "0.1",
            "0.25",
            "0.5",
            "0.75",
            "1.0",
            "2.5",
            "5.0",
            "7.5",
            "10.0",
            "+Inf",
        ]
        quantiles = [sample.labels["quantile"] for sample in found[f"{SERVER}_summary"]]
        assert quantiles == ["0.5", "0.75", "0.9", "0.98", "0.99", "1"]
        assert found[f"{CLIENT}_summary_count"][0].value == 1

    run(scenario, IMAGED)


def test_codes_tell_what_became_of_requests() -> None:
    async def scenario(world: gw.World) -> None:
        await world.infer()
        await world.infer(body=b"{")
        await world.infer(gw.INFER.replace("models/digits", "models/x"))
        world.fake("main").settings["fails"] = 500
        await world.infer()
        counts = {sample.labels["code"]: sample.value for sample in (await samples(world))[f"{SERVER}_count"]}
        assert counts == {"200": 1, "400": 1, "404": 1, "500": 1}
        assert await world.metric("aiga_gateway_refused_total", reason="404") == 1

    run(scenario, retries=0)


def test_tensorflow_and_seldon_have_their_own_services() -> None:
    async def scenario(world: gw.World) -> None:
        await world.infer(gw.PREDICT, {"instances": [[1, 2]]})
        await world.infer(gw.PREDICTIONS, {"data": {"ndarray": [[1, 2]]}})
        services = {sample.labels["service"] for sample in (await samples(world))[f"{CLIENT}_count"]}
        assert services == {"/v1/models/digits:predict", "/predict"}

    run(scenario)


def test_metrics_of_a_wrapped_class_come_with_seldons_labels() -> None:
    told = [
        {"key": "rows", "type": "COUNTER", "value": 2, "tags": {"kind": "a"}},
        {"key": "temperature", "type": "GAUGE", "value": 36.6},
        {"key": "work", "type": "TIMER", "value": 20},
    ]

    async def scenario(world: gw.World) -> None:
        for _ in range(2):
            await world.infer()
        found = await samples(world)
        (rows,) = found["rows_total"]
        assert rows.value == 4
        labels = {
            "deployment_name",
            "model_name",
            "model_image",
            "model_version",
            "predictor_name",
            "predictor_version",
        }
        older = {"seldon_deployment_name", "image_name", "image_version"}
        assert set(rows.labels) == labels | older | {"kind", "method", "worker_id"}
        assert (rows.labels["kind"], rows.labels["method"], rows.labels["image_name"]) == ("a", "predict", "mlserver")
        assert [sample.value for sample in found["temperature"]] == [36.6]
        assert found["work_sum"][0].value == pytest.approx(0.04)
        within = [sample.labels["le"] for sample in found["work_bucket"] if sample.value == 2]
        assert 0.02 <= float(within[0]) < 0.03 and len(found["work_bucket"]) == 51

    run(scenario, {**IMAGED, "settings": {"meta": {"metrics": told}}})


ODD: dict[str, Any] = {
    "no mapping": 7,
    "no key": {"value": 1},
    "a name that is none": {"key": "a-b", "value": 1},
    "an unknown kind": {"key": "a", "type": "SET", "value": 1},
    "a kind that is no text": {"key": "a", "type": [], "value": 1},
    "no number": {"key": "a", "value": "x"},
    "true": {"key": "a", "value": True},
    "a counter that falls": {"key": "a", "value": -1},
    "not a number": {"key": "a", "value": math.nan},
    "another kind than before": {"key": "known", "type": "GAUGE", "value": 1},
    "tags that are none": {"key": "a", "value": 1, "tags": [1]},
}


@pytest.mark.parametrize("case", ODD)
def test_odd_metrics_of_a_wrapped_class_are_left_out_and_counted(case: str) -> None:
    metrics = Custom()
    metrics.add([{"key": "known", "value": 1}, ODD[case]], {})
    assert metrics.refused == 1
    assert [family.name for family in metrics.collect()] == ["known"]


def test_tags_with_ever_new_values_do_not_fill_the_memory() -> None:
    metrics = Custom()
    metrics.add(({"key": "a", "value": 1, "tags": {"user": str(number)}} for number in range(custom.MOST + 5)), {})
    assert metrics.refused == 5
    registry = CollectorRegistry()
    registry.register(metrics)
    assert generate_latest(registry).count(b"a_total{") == custom.MOST


def test_paths_with_ever_new_models_do_not_fill_the_memory() -> None:
    async def scenario(world: gw.World) -> None:
        async def client(first: int) -> None:
            for number in range(first, 700, 10):
                await world.infer(gw.INFER.replace("models/digits", f"models/x{number}"))

        await asyncio.gather(*(client(first) for first in range(10)))
        assert len((await samples(world))[f"{SERVER}_count"]) == 1
        assert f"{CLIENT}_count" not in await samples(world)

    run(scenario)


def test_figures_are_of_the_last_minute_to_within_a_twentieth() -> None:
    window = Window(0.0)
    for number in range(1000):
        window.add(number * 0.05, (number % 100 + 1) / 1000, failed=number % 10 == 0)
    figures = window.figures(50.0)
    assert (figures.requests, figures.failed) == (1000, 100)
    assert figures.rate == pytest.approx(20)
    assert figures.p50 == pytest.approx(0.050, rel=0.06) and figures.p99 == pytest.approx(0.099, rel=0.06)
    assert window.figures(200.0).requests == 0 and window.figures(200.0).p99 is None


def test_a_window_counts_what_is_shorter_and_longer_than_it_can_tell() -> None:
    window = Window(0.0)
    for seconds in (0.0, 1e-9, 1e6):
        window.add(1.0, seconds)
    figures = window.figures(1.0)
    assert figures.requests == 3 and figures.p99 is not None and figures.p99 > 100
