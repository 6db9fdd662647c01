"""Which version answered which request: kept on disk, bounded, found again."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import gateway_world as gw
import pytest

from aiga.serving.gateway import journal
from aiga.serving.gateway.deployment import JournalSettings
from aiga.serving.gateway.journal import Journal, Prediction


def predictors() -> tuple[dict[str, Any], ...]:
    main = {**gw.predictor("main", 90, version="3"), "lineage": {"model": "digits@3", "run": "r"}}
    canary = {**gw.predictor("canary", 10, version="4"), "lineage": {"model": "digits@4, scaler@1"}}
    return main, canary


def prediction(request: str, when: float = 0.0) -> Prediction:
    return Prediction(when, request, "main", "digits", "3", "v2", "200", 0.01, 1, {"model": "digits@3"})


def test_each_answer_is_kept_with_its_version_and_outlives_the_gateway(tmp_path: Path) -> None:
    async def go() -> None:
        async with gw.world(gw.config(*predictors(), journal={"folder": str(tmp_path)})) as world:
            assert (await world.infer(seldon_puid='one"1"', x_aiga_variant="main"))[0] == 200
            assert (await world.infer(seldon_puid="two", x_aiga_variant="canary"))[0] == 200

    asyncio.run(go())
    (one,) = journal.find(tmp_path, 'one"1"')
    assert (one.predictor, one.models, one.protocol, one.code) == ("main", ("digits@3",), "v2", "200")
    (two,) = journal.find(tmp_path, "two")
    assert (two.predictor, two.models) == ("canary", ("digits@4", "scaler@1"))
    assert journal.find(tmp_path, "tw") == [] and journal.find(tmp_path / "none", "two") == []
    assert "1.5" not in "".join(file.read_text() for file in tmp_path.iterdir()), "inputs are not kept"


def test_an_answer_is_on_disk_while_the_gateway_goes_on(tmp_path: Path) -> None:
    async def go() -> None:
        async with gw.world(gw.config(*predictors(), journal={"folder": str(tmp_path)})) as world:
            await world.infer(seldon_puid="now")
            await gw.until(lambda: bool(journal.find(tmp_path, "now")), seconds=5)

    asyncio.run(go())


def kept(folder: Path, requests: list[list[str]], **bounds: Any) -> None:
    """Writes the requests, each list in one go."""

    async def go() -> None:
        own = Journal()
        own.settings = JournalSettings(folder=folder, **bounds)
        for group in requests:
            for request in group:
                own.add(prediction(request))
            await own.flush()

    asyncio.run(go())


def test_the_oldest_go_where_bytes_are_bounded(tmp_path: Path) -> None:
    groups = [[f"{group}-{number}" for number in range(10)] for group in range(100)]
    kept(tmp_path, groups, bytes=20_000)
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 20_000
    assert journal.find(tmp_path, "99-9") and journal.find(tmp_path, "95-0"), "the newest are there"
    assert not journal.find(tmp_path, "0-0")


def test_the_oldest_go_where_time_is_bounded(tmp_path: Path) -> None:
    kept(tmp_path, [["old"]])
    (file,) = tmp_path.iterdir()
    os.utime(file, (file.stat().st_mtime - 8 * 86400,) * 2)
    kept(tmp_path, [["new"]], days=7)
    assert journal.find(tmp_path, "new") and not journal.find(tmp_path, "old")


def test_the_last_of_several_answers_to_an_id_is_last_and_a_torn_line_is_none(tmp_path: Path) -> None:
    line = journal._line(prediction("again", 2.0))
    later = journal._line(prediction("again", 1.0))
    (tmp_path / "000000000001-a.jsonl").write_bytes(line + later + line[: len(line) // 2])
    assert [found.time for found in journal.find(tmp_path, "again")] == [1.0, 2.0]
    (tmp_path / "000000000001-a.jsonl").write_bytes(b'{"request":"again","time":')
    assert journal.find(tmp_path, "again") == []


def test_a_disk_that_refuses_is_told_once_and_requests_are_answered(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")

    async def go() -> None:
        settings = gw.config(*predictors(), journal={"folder": str(tmp_path / "file" / "x")})
        async with gw.world(settings) as world:
            for number in range(2):
                assert (await world.infer(seldon_puid=f"r{number}"))[0] == 200
                await world.gateway.journal.flush()

    asyncio.run(go())
    assert sum("is not kept" in record.message for record in caplog.records) == 1


def test_configuration_without_a_journal_keeps_nothing(tmp_path: Path) -> None:
    async def go() -> None:
        async with gw.world(json.loads(json.dumps(gw.config(*predictors())))) as world:
            await world.infer(seldon_puid="x")
            await world.gateway.journal.flush()
            assert not world.gateway.journal._waiting

    asyncio.run(go())
