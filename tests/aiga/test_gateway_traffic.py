"""Which predictor gets which traffic over HTTP, and what callers see when predictors fail or a shadow listens."""

from __future__ import annotations

import asyncio
import math
import time
from typing import Any

import gateway_world as gw
import numpy as np
import pytest

from aiga.serving.gateway.compare import agreement
from aiga.serving.messages import Message, Tensor

PAIR = (gw.predictor("main", 50, label=1), gw.predictor("canary", 50, label=2))


def run(scenario: Any, *predictors: dict[str, Any], **more: Any) -> None:
    async def go() -> None:
        async with gw.world(gw.config(*predictors, **more)) as world:
            await scenario(world)

    asyncio.run(go())


async def taken_by(world: gw.World, **headers: str) -> str:
    return (await world.infer(**headers))[2]["x-aiga-predictor"]


def test_a_split_of_ninety_to_ten_is_kept_over_http() -> None:
    async def scenario(world: gw.World) -> None:
        async def client() -> list[str]:
            return [await taken_by(world) for _ in range(100)]

        chosen = [name for names in await asyncio.gather(*(client() for _ in range(10))) for name in names]
        assert abs(chosen.count("canary") - 100) <= 5 * math.sqrt(1000 * 0.1 * 0.9)
        assert chosen.count("canary") + chosen.count("main") == 1000

    run(scenario, gw.predictor("main", 90, kind="raw"), gw.predictor("canary", 10, kind="raw"), seed=11)


def test_a_caller_stays_with_its_predictor_by_the_sticky_header() -> None:
    async def scenario(world: gw.World) -> None:
        chosen = {user: {await taken_by(world, x_user=user) for _ in range(5)} for user in map(str, range(30))}
        assert all(len(names) == 1 for names in chosen.values())
        assert set.union(*chosen.values()) == {"main", "canary"}

    run(scenario, *PAIR, sticky_header="x-user")


def test_one_header_can_both_name_a_variant_and_keep_callers_apart() -> None:
    async def scenario(world: gw.World) -> None:
        assert {await taken_by(world, x_aiga_variant="canary") for _ in range(5)} == {"canary"}
        assert len({await taken_by(world, x_aiga_variant="user-7") for _ in range(10)}) == 1

    run(scenario, *PAIR, sticky_header="x-aiga-variant")


def test_a_version_in_the_path_is_answered_by_no_other() -> None:
    async def scenario(world: gw.World) -> None:
        path = gw.INFER.replace("/infer", "/versions/2/infer")
        assert {(await world.infer(path))[2]["x-aiga-predictor"] for _ in range(5)} == {"canary"}
        world.fake("canary").settings["fails"] = 500
        status, answer, _ = await world.infer(path)
        assert (status, answer["error"]) == (500, "canary is out of order")

    run(scenario, gw.predictor("main", 100, version="1"), gw.predictor("canary", version="2"))


@pytest.mark.parametrize("how", [{"fails": 503}, {"fails": 500}, {"raises": True}, {"kind": "raw", "raises": True}])
def test_what_one_predictor_fails_the_other_answers(how: dict[str, Any]) -> None:
    async def scenario(world: gw.World) -> None:
        for _ in range(10):
            status, answer, headers = await world.infer(x_aiga_variant="canary")
            assert (status, headers["x-aiga-predictor"]) == (200, "main")
            assert answer["outputs"][0]["data"] == [1]
        assert await world.metric("aiga_gateway_retries_total", predictor_name="main") == 10

    run(scenario, gw.predictor("main", 50), gw.predictor("canary", 50, **how), circuit={"errors": 1000})


def test_what_a_client_got_wrong_is_not_tried_again() -> None:
    async def scenario(world: gw.World) -> None:
        assert (await world.infer(x_aiga_variant="canary"))[0] == 422
        assert not world.fake("main").seen and len(world.fake("canary").seen) == 1

    run(scenario, gw.predictor("main", 50), gw.predictor("canary", 50, fails=422))


def test_without_another_one_the_same_predictor_is_tried_again() -> None:
    async def scenario(world: gw.World) -> None:
        status, answer, _ = await world.infer()
        assert (status, answer["error"]) == (503, "main is out of order")
        assert len(world.fake("main").seen) == 4

    run(scenario, gw.predictor("main", 100, fails=503), retries=3, circuit={"errors": 100})


def test_no_further_try_begins_after_the_requests_time_is_over() -> None:
    async def scenario(world: gw.World) -> None:
        assert (await world.infer())[0] == 504
        assert len(world.fake("main").seen) == 1

    run(scenario, gw.predictor("main", 100, hangs=True), retries=5, timeout=0.2)


def test_a_hanging_predictor_is_left_for_the_other_when_its_try_is_over() -> None:
    async def scenario(world: gw.World) -> None:
        status, _, headers = await world.infer(x_aiga_variant="canary")
        assert (status, headers["x-aiga-predictor"]) == (200, "main")

    run(scenario, gw.predictor("main", 50), gw.predictor("canary", 50, hangs=True), try_timeout=0.1)


def test_a_server_killed_in_mid_request_costs_no_caller_an_answer() -> None:
    with gw.Process.model_server(0.5) as doomed, gw.Process.model_server(0.01) as other:
        urls = {"canary": doomed.address(), "main": other.address()}

        async def scenario(world: gw.World) -> None:
            asked = [asyncio.create_task(world.infer(x_aiga_variant="canary")) for _ in range(20)]
            await gw.until(lambda: world.gateway.live.backends["canary"].in_flight == 20)
            await asyncio.sleep(0.1)
            doomed.process.kill()
            answers = await asyncio.gather(*asked)
            assert {(status, headers["x-aiga-predictor"]) for status, _, headers in answers} == {(200, "main")}
            assert [(await world.infer())[0] for _ in range(20)] == [200] * 20

        told = (gw.predictor(name, 50, kind="remote", url=url) for name, url in urls.items())
        run(scenario, *told)


def test_a_circuit_opens_keeps_callers_off_and_closes_again() -> None:
    async def scenario(world: gw.World) -> None:
        main = world.fake("main")
        for _ in range(3):
            assert (await world.infer())[0] == 500
        status, answer, headers = await world.infer()
        assert status == 503 and answer["error"] == "no predictor of digits takes requests: main is open"
        assert 1 <= int(headers["Retry-After"]) <= 2
        assert len(main.seen) == 3, "an open circuit lets nothing through"
        assert (await world.get("/status.json"))["predictors"][0]["circuit"] == "open"
        del main.settings["fails"]
        breaker = world.gateway.live.backends["main"].breaker
        await gw.until(lambda: breaker.allows(asyncio.get_running_loop().time()))
        assert (await world.infer())[0] == 200
        assert (await world.get("/status.json"))["predictors"][0]["circuit"] == "closed"

    run(scenario, gw.predictor("main", 100, fails=500), circuit={"errors": 3, "open": 0.5}, retries=0)


def test_the_share_of_an_open_circuit_goes_to_the_others() -> None:
    async def scenario(world: gw.World) -> None:
        statuses = [(await world.infer())[0] for _ in range(40)]
        assert statuses == [200] * 40
        assert len(world.fake("canary").seen) == 2

    run(scenario, gw.predictor("main", 50), gw.predictor("canary", 50, fails=500), circuit={"errors": 2, "open": 60})


SHADOWS: dict[str, dict[str, Any]] = {
    "hung": {"hangs": True},
    "dead": {"raises": True},
    "failing": {"fails": 500},
    "hung, raw": {"hangs": True, "kind": "raw"},
}


@pytest.mark.parametrize("case", SHADOWS)
def test_a_shadow_in_trouble_is_not_noticed_by_callers(case: str) -> None:
    async def scenario(world: gw.World) -> None:
        begun = time.monotonic()
        for _ in range(100):
            status, answer, headers = await world.infer()
            assert (status, headers["x-aiga-predictor"], answer["outputs"][0]["data"]) == (200, "main", [1])
        assert time.monotonic() - begun < 30, "callers waited for the shadow"
        assert world.gateway.mirror.waiting <= 8
        outcomes = await world.get("/status.json")
        if "hung" in case:
            assert outcomes["mirror"]["full"] >= 88, "copies that nobody takes are dropped, and counted"
        else:
            await gw.until(lambda: world.gateway.mirror.counts.get("error") == 100)

    more = {"mirror": {"waiting": 8, "concurrency": 4}, "timeout": 60}
    kind = {"kind": "raw"} if "raw" in case else {}
    if "hung" not in case:
        more["mirror"] = {"waiting": 1000}
    run(scenario, gw.predictor("main", 100, **kind), gw.predictor("new", shadow=True, **SHADOWS[case]), **more)


def test_a_stop_does_not_wait_for_a_shadow() -> None:
    async def scenario(world: gw.World) -> None:
        for _ in range(10):
            await world.infer()
        begun = time.monotonic()
        await world.gateway.mirror.stop()
        assert time.monotonic() - begun < 10
        assert world.gateway.mirror.counts["stopped"] >= 6

    run(scenario, gw.predictor("main", 100), gw.predictor("new", shadow=True, hangs=True), timeout=600)


@pytest.mark.parametrize("kinds", [("", ""), ("raw", "raw"), ("raw", ""), ("", "raw")])
@pytest.mark.parametrize("label", [1, 2])
def test_answers_of_main_and_shadow_are_compared(kinds: tuple[str, str], label: int) -> None:
    async def scenario(world: gw.World) -> None:
        for _ in range(5):
            await world.infer()
        counts = world.gateway.mirror.counts
        await gw.until(lambda: counts.get("answered") == 5)
        assert (counts["agree_yes"], counts["agree_no"]) == ((5, 0) if label == 1 else (0, 5))
        agree = "yes" if label == 1 else "no"
        assert await world.metric("aiga_gateway_mirror_rows_total", predictor_name="new", agree=agree) == 5

    main, shadow = kinds
    run(scenario, gw.predictor("main", 100, kind=main), gw.predictor("new", shadow=True, label=label, kind=shadow))


def test_all_the_traffic_is_copied_in_every_protocol_and_malformed_requests_are_not() -> None:
    async def scenario(world: gw.World) -> None:
        await world.infer()
        await world.infer(gw.PREDICT, {"instances": [[1, 2]]})
        await world.infer(gw.PREDICTIONS, {"data": {"ndarray": [[1, 2]]}})
        await world.infer(body=b"{")
        await gw.until(lambda: world.gateway.mirror.counts.get("answered") == 3)
        assert len(world.fake("new").seen) == 3
        assert await world.metric("seldon_api_executor_client_requests_seconds_count", predictor_name="new") == 3

    run(scenario, gw.predictor("main", 100), gw.predictor("new", shadow=True))


def message(**tensors: Any) -> Message:
    kinds = {"i": "INT64", "f": "FP64", "O": "BYTES", "b": "BOOL"}
    arrays = {name: np.asarray(values) for name, values in tensors.items()}
    return Message(tuple(Tensor(name, kinds[array.dtype.kind], array) for name, array in arrays.items()))


AGREE: dict[str, tuple[Message, Message, tuple[int, int]]] = {
    "labels": (message(y=[1, 2, 3]), message(y=[1, 5, 3]), (2, 3)),
    "labels beside scores": (message(y=[1], p=[[0.2, 0.8]]), message(y=[1], p=[[0.9, 0.1]]), (1, 1)),
    "scores": (message(p=[[0.2, 0.8], [0.6, 0.4]]), message(p=[[0.4, 0.6], [0.4, 0.6]]), (1, 2)),
    "numbers within the tolerance": (message(y=[100.0, 100.0]), message(y=[100.05, 101.0]), (1, 2)),
    "other names": (message(y=[1]), message(z=[1]), (0, 1)),
    "other shapes": (message(y=[1, 2]), message(y=[1]), (0, 2)),
    "texts": (message(y=np.array([b"a", b"b"], dtype=object)), message(y=np.array([b"a", b"c"], dtype=object)), (1, 2)),
    "nothing": (message(), message(), (0, 0)),
    "a single number": (message(y=1.0), message(y=1.0), (1, 1)),
}


@pytest.mark.parametrize("case", AGREE)
def test_agreement_is_counted_in_rows_by_what_was_decided(case: str) -> None:
    main, other, expected = AGREE[case]
    assert agreement(main, other, 1e-3) == expected
