"""The gateway's process and the clients behind it, as `aiga serve` uses them, with real model servers."""

from __future__ import annotations

import asyncio
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gateway_world as gw
import pytest
import servers_world as world
from servers_world import message, tensor

from aiga.errors import UserError
from aiga.serving.deploy import backend
from aiga.serving.deploy.front import Front
from aiga.serving.gateway.call import Call
from aiga.serving.gateway.tracing import trace
from aiga.serving.messages import ServingError
from aiga.serving.servers.layout import Served, arrange
from aiga.serving.servers.process import Server


@pytest.fixture(scope="module")
def python() -> Path:
    return world.interpreter()


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import no_such_module", "there is no package no_such_module"),
        (
            "class Scorer:\n  def __init__(self):\n    raise OSError('no weights')",
            "cannot be made: OSError: no weights",
        ),
        ("class Scorer:\n  def load(self):\n    return {}['weights']", "KeyError: 'weights'"),
        ("class Scorer:\n  def load(self):\n    raise SystemExit(3)", "the class ends its process: SystemExit: 3"),
    ],
)
def test_why_a_class_cannot_be_loaded_is_told_and_traced(python: Path, tmp_path: Path, code: str, reason: str) -> None:
    (tmp_path / "scorer.py").write_text(code)
    laid = arrange([Served("scorer", "custom", run="scorer:Scorer")], tmp_path / "served", tmp_path)
    with pytest.raises(UserError) as told:
        asyncio.run(Server("main", laid, python, print).start())
    assert reason in str(told.value) and "\n" not in str(told.value)
    assert "Traceback" in (laid.folder / "server.log").read_text()


@pytest.fixture
def foreign() -> Iterator[int]:
    """Port of a server that is somebody else's, and says that it is ready."""

    class Ready(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"ready": True, "pid": 1}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Ready)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def front(folder: Path, **told: Any) -> Front:
    config = folder / "gateway.json"
    config.write_text(json.dumps(gw.config({"name": "main", "weight": 100, "make": MAKE, "settings": HUNG}, **told)))
    return Front(config, folder / "gateway.log", folder, f"http://127.0.0.1:{told['http_port']}", print)


MAKE, HUNG = backend.MAKE, {"servers": {"m": "http://127.0.0.1:9"}, "model": "m"}


def test_a_foreign_server_on_the_port_is_not_taken_for_the_gateway(foreign: int, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"127.0.0.1:{foreign}: cannot be listened on"):
        asyncio.run(front(tmp_path, http_port=foreign).start())


def test_a_request_has_the_time_of_its_deployment_and_not_a_minute(tmp_path: Path) -> None:
    async def go() -> None:
        async def hangs(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        server = await asyncio.start_server(hangs, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        model = backend.predictor("main", {"servers": {"m": url}, "model": "m", "timeout": 0.3})
        late = asyncio.get_running_loop().time() + 600
        call = Call("1", trace({}), "v2", "m", "m", late)
        assert isinstance(model, backend.Model)
        with pytest.raises(ServingError, match=r"did not answer in 0\.3 s"):
            await asyncio.wait_for(model.forward(b"{}", {}, call), 10)
        await model.close()
        server.close()

    asyncio.run(go())


def test_scikit_learn_answers_a_body_that_says_to_be_a_form(python: Path, tmp_path: Path) -> None:
    import joblib
    from sklearn.linear_model import LinearRegression

    joblib.dump(LinearRegression().fit([[0.0], [1.0]], [0.0, 2.0]), tmp_path / "m.joblib")
    laid = arrange(
        [Served("line", "sklearn", tmp_path / "m.joblib", "joblib")], tmp_path / "s", tmp_path, allow_pickle=True
    )
    body = {"inputs": [{"name": "x", "datatype": "FP64", "shape": [1, 1], "data": [2.0]}]}

    async def go() -> None:
        async with Server("main", laid, python, print) as server:
            settings = {"servers": {"line": server.url}, "model": "line"}
            told = gw.config({"name": "main", "weight": 100, "make": MAKE, "settings": settings, "model": "digits"})
            async with gw.world(told) as world:
                status, answer, _ = await world.infer(body=body, content_type="application/x-www-form-urlencoded")
                assert status == 200, answer
                assert answer["outputs"][0]["data"] == pytest.approx([4.0])

    asyncio.run(go())


def test_what_a_prepackaged_model_raises_is_its_own_fault(python: Path, tmp_path: Path) -> None:
    import joblib
    from sklearn.linear_model import LinearRegression

    joblib.dump(LinearRegression(), tmp_path / "m.joblib")
    laid = arrange(
        [Served("line", "sklearn", tmp_path / "m.joblib", "joblib")], tmp_path / "s", tmp_path, allow_pickle=True
    )

    async def go() -> None:
        async with Server("main", laid, python, print) as server, server.client() as client:
            with pytest.raises(ServingError, match="NotFittedError") as failed:
                await client.infer(message(tensor([[1.0]])))
            assert failed.value.of_model and failed.value.status == 500
            with pytest.raises(ServingError) as missing:
                await client.infer(message(tensor([[1.0]]), model="nope"))
            assert not missing.value.of_model

    asyncio.run(go())


def test_a_class_in_a_graph_that_raises_keeps_its_mark(python: Path, tmp_path: Path) -> None:
    (tmp_path / "scorer.py").write_text("class Scorer:\n  def predict(self, X, names):\n    raise ValueError('no')")
    laid = arrange([Served("scorer", "custom", run="scorer:Scorer")], tmp_path / "served", tmp_path)

    async def go() -> None:
        async with Server("main", laid, python, print) as server:
            unit = {"name": "scorer", "kind": "model", "run": "scorer:Scorer"}
            units = backend.predictor("main", {"servers": {"scorer": server.url}, "graph": unit})
            late = asyncio.get_running_loop().time() + 60
            with pytest.raises(ServingError, match="scorer: predict: ValueError: no") as failed:
                await units.infer(message(tensor([[1.0]])), Call("1", trace({}), "v2", "m", "m", late))
            assert failed.value.of_model and failed.value.status == 500
            await units.close()

    asyncio.run(go())
