"""Projects whose models are served by MLServer's own runtimes, and clients of all protocols that ask them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import requests
import tritonclient.grpc as triton
from deploy_world import port, serving
from runner_projects import Made, made, tag

LONGEST = 1500
"""Seconds that a command may take which installs an environment."""
COMMON = '''
"""Learns a rule from numbers, and keeps what the model itself says of three rows."""

import json
from pathlib import Path

import numpy as np

ROWS = np.array([[0.5, -1.25, 2.0, 0.125], [-0.75, 1.5, -0.25, -2.0], [0.25, 0.5, -1.0, 1.75]])
X = np.random.default_rng(0).normal(size=(200, 4))
Y = X @ [1.0, -2.0, 0.5, 3.0]

def keep(own, predictions):
    own.write_text(json.dumps({"rows": ROWS.tolist(), "predictions": np.asarray(predictions).tolist()}))
'''
SKLEARN = """
import joblib
from sklearn.linear_model import LinearRegression

def train(model: Path, own: Path) -> None:
    fitted = LinearRegression().fit(X, Y)
    joblib.dump(fitted, model)
    keep(own, fitted.predict(ROWS))
"""
XGBOOST = """
import xgboost

def train(model: Path, json: Path, bst: Path, own: Path) -> None:
    fitted = xgboost.XGBRegressor(n_estimators=20, n_jobs=1).fit(X, Y)
    for file in (model, json, bst):
        fitted.save_model(file)
    keep(own, fitted.predict(ROWS))
"""
MLFLOW = """
import os
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
import mlflow.sklearn
import pandas
from mlflow.models import infer_signature
from sklearn.linear_model import LogisticRegression

def train(model: Path, table: Path, plain: Path, own: Path) -> None:
    fitted = LogisticRegression().fit(X, (Y > 0).astype(int))
    predicted = fitted.predict(ROWS)
    frame = pandas.DataFrame(ROWS, columns=["a", "b", "c", "d"])
    signatures = {model: infer_signature(ROWS, predicted), table: infer_signature(frame, predicted), plain: None}
    for folder, signature in signatures.items():
        mlflow.sklearn.save_model(fitted, str(folder), signature=signature, pip_requirements=PINS)
    keep(own, predicted)
"""
ARRAYS = ("numpy==2.4.6", "scikit-learn==1.9.1")
BOOSTER = ("xgboost-cpu==3.2.0 ; sys_platform == 'linux'", "xgboost==3.2.0 ; sys_platform != 'linux'")
FLOW = ("mlflow==3.17.2", "pandas==3.1.1", "skops==0.16.0")
PROJECT = """
apiVersion: aiga.dev/v1
name: line
train: {{run: "steps:train", out: {out}}}
serve: {{server: {server}, allowPickle: {pickle}}}
"""


@dataclass(frozen=True)
class Kind:
    """A server, and a project for it."""

    server: str
    out: str
    steps: str
    requirements: tuple[str, ...] = ()
    """Of the project; this environment is enough when there are none."""

    def made(self, folder: Path, *, pickle: bool) -> Made:
        text = PROJECT.format(out=self.out, server=self.server, pickle=str(pickle).lower())
        project = made(folder, text, f"{COMMON}\nPINS = {list(self.requirements)}\n{self.steps}")
        if self.requirements:
            project.write("requirements.txt", "\n".join(self.requirements))
        return project


KINDS = {
    "sklearn": Kind("sklearn", "{model: model.joblib, own: own.json}", SKLEARN),
    "xgboost": Kind(
        "xgboost", "{model: model.ubj, json: model.json, bst: model.bst, own: own.json}", XGBOOST, (*ARRAYS, *BOOSTER)
    ),
    "mlflow": Kind("mlflow", "{model: model, table: table, plain: plain, own: own.json}", MLFLOW, (*ARRAYS, *FLOW)),
}


@dataclass(frozen=True)
class Live:
    """A project whose model is in production and is served."""

    kind: str
    trained: Path
    """Outputs of the step that trained it."""
    base: str
    grpc: str

    @property
    def own(self) -> tuple[list[list[float]], list[float]]:
        """Rows, and what the model itself said of them."""
        kept = json.loads((self.trained / "own.json").read_text())
        return kept["rows"], kept["predictions"]

    def post(self, path: str, body: Any) -> Any:
        answer = requests.post(f"{self.base}{path}", json=body, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()


def ran(project: Made) -> Path:
    """Trains; the outputs of the training step."""
    process = project.start("run")
    output, _ = process.communicate(timeout=LONGEST)
    print(output)
    assert "model line@1 is in production" in output
    return project.home / "store" / "line" / "runs" / tag(output) / "train"


@contextmanager
def served(kind: str, folder: Path) -> Iterator[Live]:
    """A project of this kind, run and served; it must end in order."""
    project = KINDS[kind].made(folder, pickle=kind == "sklearn")
    trained, http, grpc = ran(project), port(), port()
    process = project.start("serve", "--port", str(http), "--grpc-port", str(grpc))
    with serving(process, LONGEST):
        yield Live(kind, trained, f"http://127.0.0.1:{http}/seldon/project-line/line", f"127.0.0.1:{grpc}")
    assert process.returncode == 0, "it ended in order, and no server had died"


def v2(live: Live, rows: list[list[float]], datatype: str = "FP64") -> Any:
    given = {"name": "x", "datatype": datatype, "shape": [len(rows), 4], "data": rows}
    return live.post("/v2/models/line/infer", {"inputs": [given]})["outputs"][0]["data"]


def v2_float(live: Live, rows: list[list[float]]) -> Any:
    return v2(live, rows, "FP32")


def v2_grpc(live: Live, rows: list[list[float]]) -> Any:
    given = triton.InferInput("x", [len(rows), 4], "FP32")
    given.set_data_from_numpy(np.array(rows, np.float32))
    with triton.InferenceServerClient(live.grpc) as client:
        answer = client.infer("line", [given], headers={"seldon": "line", "namespace": "project-line"})
    return answer.as_numpy(answer.get_response().outputs[0].name)


def tensorflow(live: Live, rows: list[list[float]]) -> Any:
    return live.post("/v1/models/line:predict", {"instances": rows})["predictions"]


def seldon(live: Live, rows: list[list[float]]) -> Any:
    return live.post("/api/v1.0/predictions", {"data": {"ndarray": rows}})["data"]["ndarray"]


def seldon_tensor(live: Live, rows: list[list[float]]) -> Any:
    given = {"shape": [len(rows), 4], "values": np.ravel(rows).tolist()}
    return live.post("/api/v1.0/predictions", {"data": {"tensor": given}})["data"]["tensor"]["values"]


PROTOCOLS: list[Callable[[Live, list[list[float]]], Any]] = [v2, v2_float, v2_grpc, tensorflow, seldon, seldon_tensor]
