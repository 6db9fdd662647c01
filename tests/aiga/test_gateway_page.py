"""The gateway's page, in a real browser."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import gateway_world as gw
import pytest

BROWSER = shutil.which("chromium")
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no browser; apt-get install chromium brings one")


def seen(url: str, folder: Path) -> str:
    """What a browser makes of a page after a while of its own clock."""
    assert BROWSER is not None
    return subprocess.run(
        [
            *(BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *(f"--user-data-dir={folder}", "--virtual-time-budget=4000", "--dump-dom", url),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**os.environ, "HOME": str(folder)},
    ).stdout


def browsed(scenario: Any, tmp_path: Path, *predictors: dict[str, Any], **more: Any) -> str:
    async def go() -> str:
        async with gw.world(gw.config(*predictors, **more)) as world:
            await scenario(world)
            return await asyncio.to_thread(seen, world.url, tmp_path)

    return asyncio.run(go())


@needs_browser
def test_the_page_shows_predictors_shares_events_and_predictions_with_their_lineage(tmp_path: Path) -> None:
    async def scenario(world: gw.World) -> None:
        for number in range(5):
            await world.infer(seldon_puid=f"request-{number}")
        await world.infer(seldon_puid="<img src=x onerror=alert(1)>".replace(" ", ""))
        world.gateway.mistake = "config.json: weights make 7"
        await gw.until(lambda: any(one.trouble for one in world.gateway.log.senders.values()))

    main = {**gw.predictor("main", 90, version="3"), "lineage": {"run": "20261123T090000-abcdef"}}
    shadow = gw.predictor("new", shadow=True, version="5")
    sinks = [{"url": "http://127.0.0.1:9/events", "events": 4}]
    page = browsed(scenario, tmp_path, main, gw.predictor("canary", 10), shadow, sinks=sinks, drain=0.1)
    assert "<title>digits/digits</title>" in page
    for text in ("90 %", "10 %", "copy", "closed", "request-4", "run 20261123T090000-abcdef", "digits 3", "full"):
        assert text in page, text
    assert "http://127.0.0.1:9/events" in page and "config.json: weights make 7" in page
    assert "<img" not in page, "what clients send is shown as text"


@needs_browser
def test_the_page_says_so_when_nobody_can_answer(tmp_path: Path) -> None:
    async def scenario(world: gw.World) -> None:
        await gw.until(lambda: not world.gateway.ready)

    page = browsed(scenario, tmp_path, gw.predictor("main", 100, ready=False), health_period=0.02)
    assert "has nobody to answer" in page and "not ready" in page
    assert "Predictions are not logged" in page


def test_the_page_loads_nothing_from_elsewhere() -> None:
    async def go() -> None:
        async with gw.world(gw.config()) as world, world.client.get(world.url + "/") as response:
            assert response.content_type == "text/html"
            assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
            assert "http://" not in await response.text() and "https://" not in await response.text()

    asyncio.run(go())
