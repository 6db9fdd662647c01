"""Servers sklearn, xgboost and mlflow with real models: from `aiga run` to predictions that equal the model's own."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
import runtimes_world as runtimes
import servers_world as world
from runtimes_world import KINDS, PROTOCOLS, Live
from servers_world import message, tensor

from aiga.environments import Environment, uv
from aiga.errors import UserError
from aiga.serving.messages import Message, ServingError
from aiga.serving.servers import environment
from aiga.serving.servers.environment import Needs
from aiga.serving.servers.layout import Served, arrange
from aiga.serving.servers.process import Server

HEAVY = "AIGA_TEST_RUNTIMES"
_SKIPPED = pytest.mark.skipif(
    os.environ.get(HEAVY) != "1",
    reason=f"installs MLServer with scikit-learn, XGBoost and MLflow, 2 GB: {HEAVY}=1 .venv/bin/python -m pytest "
    "tests/aiga/test_servers_runtimes.py",
)
REASONS = {
    "sklearn": "X has 3 features, but LinearRegression is expecting 4",
    "xgboost": "Feature shape mismatch, expected: 4, got 3",
    "mlflow": r"Shape of input \(1, 3\) does not match expected shape \(-1, 4\)",
}


@pytest.fixture(scope="module", params=KINDS)
def live(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with runtimes.served(request.param, tmp_path_factory.mktemp(request.param)) as found:
        yield found


def heavy(test: Callable[..., None]) -> Callable[..., None]:
    """A test that runs when it is asked for, and has time to install environments."""
    marked: Callable[..., None] = pytest.mark.timeout(1800)(_SKIPPED(test))
    return marked


def own(live: Live) -> Any:
    """What the model itself said, for comparison."""
    expected = live.own[1]
    assert len(set(expected)) > 1, "a model that always says the same would show nothing"
    return pytest.approx(expected, rel=1e-5)


@heavy
@pytest.mark.parametrize("ask", PROTOCOLS)
def test_predictions_equal_the_models_own(live: Live, ask: Callable[..., Any]) -> None:
    assert np.ravel(ask(live, live.own[0])).tolist() == own(live)


@heavy
def test_wrong_requests_are_refused_with_the_reason_and_not_held_against_the_model(live: Live) -> None:
    def refused(body: Any) -> str:
        content = body if isinstance(body, str) else json.dumps(body)
        headers = {"content-type": "application/json"}
        answer = requests.post(f"{live.base}/v2/models/line/infer", content, headers=headers, timeout=60)
        assert answer.status_code == 400, answer.text
        return str(answer.json()["error"])

    given = {"name": "x", "datatype": "FP64", "shape": [1, 3], "data": [1, 2, 3]}
    for _ in range(20):
        assert re.search(REASONS[live.kind], refused({"inputs": [given]}))
    assert refused("{").startswith("the body is no JSON: ")
    assert refused({"inputs": 3}).startswith("inputs: ")
    assert refused({"inputs": [{**given, "shape": "x"}]}).startswith("inputs[0].shape: ")
    assert np.ravel(runtimes.v2(live, live.own[0])).tolist() == own(live)


@heavy
@pytest.mark.parametrize("live", ["xgboost"], indirect=True)
def test_xgboost_reads_all_its_formats(live: Live, tmp_path: Path) -> None:
    models = [Served(form, "xgboost", live.trained / f"model.{form}", "xgboost") for form in ("ubj", "json", "bst")]
    asked = [message(tensor(live.own[0]), model=served.name) for served in models]
    for answer in answers(models, tmp_path, asked):
        assert isinstance(answer, Message), answer
        assert answer.tensors[0].data.ravel().tolist() == own(live)


@heavy
@pytest.mark.skipif(uv() is None or sys.platform != "linux", reason="only uv leaves it out, on Linux: pip install uv")
def test_xgboost_comes_without_what_is_for_gpus() -> None:
    python = environment.ensure(Needs(frozenset({"xgboost"})), print)
    installed = {path.name.split("-")[0] for path in python.parents[1].glob("lib/*/site-packages/*.dist-info")}
    assert {"xgboost_cpu", "mlserver_xgboost"} <= installed
    assert not [name for name in installed if name == "xgboost" or name.startswith("nvidia")]


@heavy
@pytest.mark.parametrize("live", ["mlflow"], indirect=True)
@pytest.mark.parametrize("folder", ["table", "plain"])
def test_mlflow_takes_a_matrix_for_columns_and_columns_for_a_matrix(live: Live, folder: str, tmp_path: Path) -> None:
    rows = live.own[0]
    columns = [tensor(values, name=name) for name, values in zip("abcd", np.transpose(rows), strict=True)]
    asked = [message(tensor(rows)), message(*columns), message(tensor(rows, names=["a", "b", "c", "d"]))]
    *answered, refused = answers(
        [Served("m", "mlflow", live.trained / folder, "mlflow")], tmp_path, [*asked, message(tensor([[1.0]]))]
    )
    for answer in answered:
        assert isinstance(answer, Message), answer
        assert answer.tensors[0].data.ravel().tolist() == own(live)
    assert isinstance(refused, ServingError) and refused.status == 400


def answers(models: list[Served], folder: Path, asked: list[Message]) -> list[Message | ServingError]:
    """What a server with these models says."""
    laid = arrange(models, folder / "served", folder)
    python = environment.ensure(laid.needs, print)

    async def ask() -> list[Message | ServingError]:
        said: list[Message | ServingError] = []
        async with Server("main", laid, python, print) as server, server.client() as client:
            for each in asked:
                try:
                    said.append(await client.infer(each))
                except ServingError as error:
                    said.append(error)
        return said

    return asyncio.run(ask())


@pytest.mark.timeout(300)
def test_a_pickle_is_registered_but_not_served_unless_the_project_allows_it(tmp_path: Path) -> None:
    project = KINDS["sklearn"].made(tmp_path, pickle=False)
    runtimes.ran(project)
    ports = ("--port", str(runtimes.port()), "--grpc-port", str(runtimes.port()))
    said = project.aiga("serve", *ports, code=UserError.exit_code)
    assert re.search(r"line: is pickled \(joblib\): loading it runs any code that is in it \(serve\.allow", said)


def test_what_a_model_requires_is_tried_with_our_versions_of_the_rest_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text("pandas==2.2.3\n")
    bounds: list[set[str]] = []

    def ensure(self: Environment, base: Any, arguments: Callable[[Path], Any], say: Any) -> Path:
        arguments(tmp_path)
        bounds.append(set((tmp_path / environment.CONSTRAINTS).read_text().split("\n")))
        if len(bounds) == 1:
            raise UserError("they do not go together")
        return tmp_path

    monkeypatch.setattr(Environment, "ensure", ensure)
    said: list[str] = []
    assert environment.ensure(Needs(frozenset({"mlflow"}), (file,)), said.append) == tmp_path
    assert "starlette==0.46.2" in bounds[0] and not [line for line in bounds[0] if line.startswith("pandas==")]
    assert bounds[1] == {""} and "without the versions that aiga pins" in said[0]


def test_a_model_that_is_a_folder_cannot_bring_modules_with_it(tmp_path: Path) -> None:
    world.doubling(tmp_path / "model" / "model.onnx")
    (tmp_path / "model" / "onnxruntime.py").write_text("raise ImportError('this is of the model')\n")
    laid = arrange([Served("m", "onnx", tmp_path / "model", "onnx")], tmp_path / "served", tmp_path)
    python = world.interpreter()

    async def ask() -> Any:
        async with Server("main", laid, python, print) as server, server.client() as client:
            return await client.infer(message(tensor([[1.0, 2.0, 3.0, 4.0]], "FP32")))

    assert asyncio.run(ask()).tensors[0].data.tolist() == [[2, 4, 6, 8]]
