"""The configuration of a gateway: what it says, what is wrong with it, and what changes of it do."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import gateway_world as gw
import pytest

from aiga.errors import UserError
from aiga.serving.gateway.deployment import Deployment, load, loads
from aiga.serving.gateway.reload import Follower


def text(**changes: Any) -> bytes:
    return json.dumps({**gw.config(gw.predictor("main", 100)), **changes}).encode()


def test_keys_may_be_written_in_camel_case_and_defaults_are_filled_in() -> None:
    deployment = loads(text(stickyHeader="x-user", sinks=[{"url": "http://localhost:1/", "eventBytes": 9}]), "c.json")
    assert (deployment.sticky_header, deployment.sinks[0].event_bytes, deployment.retries) == ("x-user", 9, 1)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "weights": ({"predictors": [gw.predictor("main", 90)]}, "weights make 90 (they make 100)"),
    "names": ({"predictors": [gw.predictor("a", 50), gw.predictor("a", 50)]}, "predictors share a name"),
    "shadows": (
        {"predictors": [gw.predictor("a", 100), *(gw.predictor(name, shadow=True) for name in "bc")]},
        "more than one shadow",
    ),
    "weighed shadow": ({"predictors": [gw.predictor("a", 50), gw.predictor("b", 50, shadow=True)]}, "no weight"),
    "only a shadow": ({"predictors": [gw.predictor("a", shadow=True)]}, "weights make 0"),
    "unknown key": ({"retry": 1}, "retry: Extra inputs are not permitted"),
    "timeout": ({"timeout": 0}, "timeout: Input should be greater than 0, got 0"),
    "make": ({"predictors": [{**gw.predictor("a", 100), "make": "nonsense"}]}, "predictors.0.make"),
    "header": ({"stickyHeader": "X User"}, "stickyHeader"),
    "sink": ({"sinks": [{"url": "ftp://x/"}]}, "sinks.0.url"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_with_its_place(case: str) -> None:
    changes, said = WRONG[case]
    with pytest.raises(UserError, match=r"^c\.json: ") as mistake:
        loads(text(**changes), "c.json")
    assert said in str(mistake.value)


def test_all_mistakes_are_said_at_once() -> None:
    with pytest.raises(UserError) as mistake:
        loads(text(timeout=-1, retries=99, name=""), "c.json")
    assert len(str(mistake.value).splitlines()) == 3


def test_a_file_that_is_not_there_is_said_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read: No such file"):
        load(tmp_path / "none.json")


def test_a_predictor_that_cannot_be_made_is_a_mistake_of_the_configuration() -> None:
    async def go() -> None:
        async with gw.world(gw.config({**gw.predictor("main", 100), "make": "gateway_world:nothing"})):
            pass

    with pytest.raises(UserError, match=r"predictors: main: make: gateway_world:nothing: AttributeError"):
        asyncio.run(go())


def test_changed_weights_are_taken_and_the_predictors_stay(tmp_path: Path) -> None:
    async def go() -> None:
        file = tmp_path / "config.json"
        first = gw.config(gw.predictor("main", 100), gw.predictor("canary", 0))
        file.write_text(json.dumps(first))
        async with gw.world(first) as world:
            canary = world.fake("canary")
            follower = Follower(world.gateway, file)
            following = asyncio.create_task(follower.follow())
            file.write_text(json.dumps(gw.config(gw.predictor("main", 0), gw.predictor("canary", 100))))
            await gw.until(lambda: world.gateway.live.backends["canary"].settings.weight == 100)
            following.cancel()
            assert world.fake("canary") is canary
            assert {(await world.infer())[2]["x-aiga-predictor"] for _ in range(3)} == {"canary"}

    asyncio.run(go())


BROKEN = {
    "no JSON": "{",
    "weights": json.dumps(gw.config(gw.predictor("main", 10))),
    "another name": json.dumps({**gw.config(), "name": "other"}),
    "another port": json.dumps({**gw.config(), "httpPort": 4}),
    "unmakable": json.dumps(gw.config({**gw.predictor("main", 100), "make": "nowhere:nothing"})),
    "empty": "",
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_wrong_change_is_not_taken_and_is_seen_until_it_is_mended(case: str, tmp_path: Path) -> None:
    async def go() -> None:
        file = tmp_path / "config.json"
        file.write_text(json.dumps(gw.config()))
        async with gw.world(gw.config()) as world:
            follower = Follower(world.gateway, file)
            live = world.gateway.live
            file.write_text(BROKEN[case])
            follower.read()
            assert world.gateway.live is live
            assert (await world.get("/status.json"))["mistake"]
            assert await world.metric("aiga_gateway_config_valid") == 0
            assert (await world.infer())[0] == 200
            file.write_text(json.dumps(gw.config()))
            follower.read()
            assert (await world.get("/status.json"))["mistake"] == ""
            assert await world.metric("aiga_gateway_reloads_total", valid="no") == 1

    asyncio.run(go())


def test_a_predictor_that_is_gone_ends_its_requests_before_it_is_closed() -> None:
    async def go() -> None:
        async with gw.world(gw.config(gw.predictor("old", 100, delay=0.3))) as world:
            old = world.fake("old")
            under_way = asyncio.create_task(world.infer())
            await gw.until(lambda: old.seen)
            world.gateway.apply(Deployment.model_validate(gw.config(gw.predictor("new", 100))))
            assert (await world.infer())[2]["x-aiga-predictor"] == "new"
            assert not old.closed
            status, _, headers = await under_way
            assert (status, headers["x-aiga-predictor"]) == (200, "old")
            await gw.until(lambda: old.closed == 1)

    asyncio.run(go())


def test_weights_that_move_under_load_lose_no_request() -> None:
    async def go() -> None:
        def weighed(share: float) -> dict[str, Any]:
            return gw.config(gw.predictor("main", 100 - share, delay=0.002), gw.predictor("canary", share, delay=0.002))

        async with gw.world(
            gw.config(gw.predictor("main", 100, delay=0.002), gw.predictor("canary", delay=0.002))
        ) as world:
            statuses: list[int] = []

            async def client() -> None:
                for _ in range(40):
                    statuses.append((await world.infer())[0])

            clients = [asyncio.create_task(client()) for _ in range(8)]
            share = 0
            while not all(one.done() for one in clients):
                share = (share + 10) % 101
                world.gateway.apply(Deployment.model_validate(weighed(share)))
                await asyncio.sleep(0.01)
            assert statuses == [200] * 320
            assert world.fake("main").seen and world.fake("canary").seen

    asyncio.run(go())
