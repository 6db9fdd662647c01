"""Real servers: MLServer in its environment, real clients, and what becomes of a server that dies."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import servers_world as world
from servers_world import message, tensor

from aiga.errors import UserError
from aiga.serving.messages import ServingError
from aiga.serving.protocols import v2
from aiga.serving.runtimes.names import METRICS_HEADER
from aiga.serving.servers.client import Client
from aiga.serving.servers.layout import Laid, Served, arrange
from aiga.serving.servers.process import Server

ROW = [[1.0, 2.0, 3.0, 4.0]]


@pytest.fixture(scope="module")
def python() -> Path:
    return world.interpreter()


@pytest.fixture(scope="module")
def loop() -> Iterator[world.Loop]:
    with world.loop() as running:
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("servers")


def onnx_model(folder: Path) -> Laid:
    return arrange([Served("doubling", "onnx", world.doubling(folder / "m.onnx"), "onnx", "3")], folder / "s", folder)


@pytest.fixture(scope="module")
def ours(python: Path, loop: world.Loop, folder: Path) -> Iterator[Server]:
    """A server with an ONNX model and a class with a model, both of our runtimes."""
    weights = folder / "weights.bin"
    weights.write_text("heavy")
    models = [
        Served("doubling", "onnx", world.doubling(folder / "m.onnx"), "onnx", "3"),
        Served("scorer", "custom", weights, "other", run="scorer:Scorer", parameters={"factor": 2}),
    ]
    laid = arrange(models, folder / "ours", world.project(folder / "project"))
    server = Server("main", laid, python, print, environment={"SELDON_DEPLOYMENT_ID": "shop"})
    loop.run(server.start())
    yield server
    loop.run(server.stop())


@pytest.fixture(scope="module")
def client(ours: Server, loop: world.Loop) -> Iterator[Client]:
    client = ours.client()
    yield client
    loop.run(client.close())


def test_an_onnx_model_is_served_with_its_version_and_metadata(client: Client, loop: world.Loop) -> None:
    answer = loop.run(client.infer(message(tensor(ROW), id="7")))
    assert (answer.id, answer.model, answer.version) == ("7", "doubling", "3")
    assert answer.tensors[0].data.tolist() == [[2, 4, 6, 8]] and answer.tensors[0].data.dtype == np.float32
    metadata = loop.run(client.metadata())
    assert [(each.name, each.datatype, each.shape) for each in metadata.inputs] == [("x", "FP32", (-1, 4))]
    assert [each.name for each in metadata.outputs] == ["twice", "flags"]


def test_not_a_number_goes_both_ways_in_binary(client: Client, loop: world.Loop) -> None:
    answer = loop.run(client.infer(message(tensor([[np.nan, np.inf, -np.inf, 0]]))))
    assert np.array_equal(answer.tensors[0].data, [[np.nan, np.inf, -np.inf, 0]], equal_nan=True)


def test_a_wrong_request_is_400_with_its_reason_and_an_unknown_model_404(client: Client, loop: world.Loop) -> None:
    with pytest.raises(ServingError, match=r"input x: must be FP32 \[any, 4\]") as refused:
        loop.run(client.infer(message(tensor([[1.0]]))))
    assert refused.value.status == 400
    with pytest.raises(ServingError, match="nope") as missing:
        loop.run(client.infer(message(tensor(ROW), model="nope")))
    assert missing.value.status == 404
    with pytest.raises(ServingError, match="the body is no JSON"):
        loop.run(client.forward(b"{", {"Content-Type": "application/json"}))


def test_tritonclient_is_answered_by_rest_in_binary_and_by_grpc(ours: Server) -> None:
    import tritonclient.grpc
    import tritonclient.http

    for kind, port in ((tritonclient.http, ours.ports.http), (tritonclient.grpc, ours.ports.grpc)):
        with kind.InferenceServerClient(f"127.0.0.1:{port}") as triton:
            assert triton.is_model_ready("doubling")
            given = kind.InferInput("x", [1, 4], "FP32")
            given.set_data_from_numpy(np.array(ROW, np.float32))
            assert triton.infer("doubling", [given]).as_numpy("twice").tolist() == [[2, 4, 6, 8]]
            bad = kind.InferInput("x", [1, 1], "FP32")
            bad.set_data_from_numpy(np.array([[1]], np.float32))
            with pytest.raises(Exception, match="must be FP32"):
                triton.infer("doubling", [bad])


def test_a_class_written_for_seldon_runs_with_all_its_methods(client: Client, loop: world.Loop) -> None:
    def call(method: str, *messages: Any) -> Any:
        return loop.run(client.call(method, [each.with_(model="scorer") for each in messages]))

    rows = tensor([[1.0, 2.0]], "FP64", names=["a", "b"])
    answer = call("predict", message(rows))
    assert answer.tensors[0].data.tolist() == [[2, 4]] and "first" in answer.tensors[0].parameters["names"]
    assert (
        answer.meta["tags"] == {"columns": ["a", "b"], "model": "heavy"}
        and answer.meta["metrics"][0]["key"] == "scored"
    )
    assert call("predict", message(tensor([b"hi"], "BYTES", content_type="str"))).tensors[0].data.item() == b"HI"
    assert call("transform_output", message(rows)).tensors[0].data.tolist() == [[0, 1]]
    assert call("route", message(rows)).tensors[0].data.item() == 1
    assert call("aggregate", message(rows), message(rows)).tensors[0].data.tolist() == [[2, 4]]
    response = message(rows, parameters={"reward": 0.5}, meta={"routing": {"scorer": 1}})
    assert call("send_feedback", message(rows), response).tensors[0].data.tolist() == [0.5, 1]
    with pytest.raises(ServingError, match="predict: ValueError: no rows") as failed:
        call("predict", message(tensor(np.zeros((0, 2)), "FP64")))
    assert failed.value.status == 500


def test_a_request_passed_on_unread_brings_the_metrics_of_the_class(client: Client, loop: world.Loop) -> None:
    body = v2.write_request(message(tensor([[1.0]], "FP64")), binary=True)
    reply = loop.run(client.forward(body.content, {**body.headers, "Host": "elsewhere"}, model="scorer"))
    assert '"scored"' in reply.headers[METRICS_HEADER]
    assert v2.read_response(reply.body, reply.headers).tensors[0].data.tolist() == [[2]]


def test_metrics_of_class_and_server_are_in_prometheus(ours: Server, client: Client, loop: world.Loop) -> None:
    loop.run(client.infer(message(tensor([[1.0]], "FP64"), model="scorer")))
    with urllib.request.urlopen(f"http://127.0.0.1:{ours.ports.metrics}/prometheus") as answer:
        lines = answer.read().decode().splitlines()
    scored = next(line for line in lines if line.startswith("scored_total"))
    assert 'deployment_name="shop"' in scored and 'method="predict"' in scored and 'model_name="scorer"' in scored
    assert any(line.startswith('model_infer_request_success_total{model="doubling"') for line in lines)


def test_prepackaged_scikit_learn_is_served_beside_onnx_and_takes_what_is_passed_on(
    python: Path, loop: world.Loop, tmp_path: Path
) -> None:
    import joblib
    from sklearn.linear_model import LinearRegression

    joblib.dump(LinearRegression().fit([[0.0], [1.0]], [0.0, 2.0]), tmp_path / "m.joblib")
    models = [
        Served("line", "sklearn", tmp_path / "m.joblib", "joblib"),
        Served("doubling", "triton", world.doubling(tmp_path / "m.onnx"), "onnx"),
    ]
    laid = arrange(models, tmp_path / "served", tmp_path, allow_pickle=True)

    async def ask() -> None:
        async with Server("mixed", laid, python, print) as server, server.client() as client:
            answer = await client.infer(message(tensor([[2.0]], "FP64")))
            assert answer.tensors[0].data.ravel().tolist() == pytest.approx([4.0])
            answer = await client.infer(message(tensor(ROW), model="doubling"))
            assert answer.tensors[0].data.tolist() == [[2, 4, 6, 8]]
            body = v2.write_request(message(tensor([[2.0]], "FP64")), binary=True)
            reply = await client.forward(body.content, body.headers)
            assert v2.read_response(reply.body, reply.headers).tensors[0].data.item() == pytest.approx(4.0)

    loop.run(ask())


def test_a_model_that_cannot_be_loaded_is_told_in_one_line(python: Path, loop: world.Loop, tmp_path: Path) -> None:
    laid = onnx_model(tmp_path)
    (laid.folder / "doubling" / "model.onnx").write_bytes(b"broken")
    with pytest.raises(UserError, match=r"server main: model doubling: cannot be loaded: .*ONNX Runtime") as told:
        loop.run(Server("main", laid, python, print).start())
    assert "\n" not in str(told.value)


def test_a_server_that_dies_is_started_again_on_the_same_ports(python: Path, loop: world.Loop, tmp_path: Path) -> None:
    said: list[str] = []
    laid = onnx_model(tmp_path)

    async def die() -> None:
        async with Server("main", laid, python, said.append) as server, server.client() as client:
            first, url = server.pid, server.url
            assert first is not None
            os.kill(first, signal.SIGKILL)
            await until(lambda: server.state == "ready" and server.restarts == 1)
            assert server.url == url and server.pid != first
            answer = await client.infer(message(tensor(ROW)))
            assert answer.tensors[0].data.tolist() == [[2, 4, 6, 8]]
            last = server.pid
        assert last is not None and not psutil.pid_exists(last) and server.state == "stopped"

    loop.run(die())
    assert "died: it was ended by SIGKILL" in said[0] and said[-1] == "server main: ready again"


def test_a_stop_answers_what_is_under_way(python: Path, loop: world.Loop, tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(
        "import time\nclass Slow:\n  def predict(self, X, names):\n    time.sleep(1)\n    return X\n"
    )
    laid = arrange([Served("slow", "custom", run="slow:Slow")], tmp_path / "served", tmp_path)

    async def stop() -> None:
        server = Server("main", laid, python, print)
        await server.start()
        async with server.client() as client:
            asked = asyncio.create_task(client.infer(message(tensor([[1.0]]))))
            await asyncio.sleep(0.5)
            assert await client.ready(), "a class that is busy is well"
            await server.stop()
            assert (await asked).tensors[0].data.tolist() == [[1]]

    loop.run(stop())


_SUPERVISOR = """
import asyncio, sys
from pathlib import Path
from aiga.serving.servers.layout import Laid, Needs
from aiga.serving.servers.process import Server

async def main():
    server = Server("main", Laid(Path(sys.argv[1]), ("child",), Needs()), Path(sys.argv[2]), print)
    await server.start()
    print(server.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def test_no_process_outlives_a_supervisor_that_is_killed(python: Path, tmp_path: Path) -> None:
    (tmp_path / "child.py").write_text(
        "import subprocess\nclass Child:\n  def load(self):\n    subprocess.Popen(['sleep', '600'])\n"
    )
    laid = arrange([Served("child", "custom", run="child:Child")], tmp_path / "served", tmp_path)
    command = [sys.executable, "-c", _SUPERVISOR, str(laid.folder), str(python)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout is not None
        server = psutil.Process(int(supervisor.stdout.readline()))
        family = [server, *server.children(recursive=True)]
        assert len(family) == 3, "the server, its guard and what the class started"
        supervisor.kill()
    _, alive = psutil.wait_procs(family, timeout=20)
    assert not [each for each in alive if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


async def until(true: Callable[[], bool], timeout: float = 120) -> None:
    end = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < end, "not in time"
        await asyncio.sleep(0.05)
