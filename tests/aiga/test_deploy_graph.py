"""`aiga serve` on a graph: what training computes of its inputs is a transformer, the same class at serving."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import requests
from deploy_world import port, serving
from prometheus_client.parser import text_string_to_metric_families
from runner_projects import Made, made

FEATURES = '''
"""What the model is given, in training as at serving."""

import numpy as np


class Bright:
    """Pixels from 0 to 255 as shares of white, dark ones left out."""

    def transform_input(self, X, names=None, meta=None):
        shares = np.asarray(X, dtype=np.float32) / 255
        return np.where(shares < 0.5, 0, shares).astype(np.float32)

    def metrics(self):
        return [{"type": "COUNTER", "key": "images", "value": 1}]
'''
STEPS = '''
"""An ONNX model that adds up what the features leave of an image."""

import json
from pathlib import Path

import numpy as np
import onnx
from features import Bright
from onnx import TensorProto, helper, numpy_helper


def train(model: Path) -> None:
    image = np.full((1, 28, 28, 1), 255, np.float32)
    print(json.dumps({"white": float(Bright().transform_input(image).sum())}))
    graph = helper.make_graph(
        [helper.make_node("ReduceSum", ["input_1", "axes"], ["ink"], keepdims=0)],
        "ink",
        [helper.make_tensor_value_info("input_1", TensorProto.FLOAT, ["rows", 28, 28, 1])],
        [helper.make_tensor_value_info("ink", TensorProto.FLOAT, ["rows"])],
        [numpy_helper.from_array(np.array([1, 2, 3]), "axes")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    model.write_bytes(made.SerializeToString())
'''
PROJECT = """
apiVersion: aiga.dev/v1
name: ink
train: {run: "steps:train", out: {model: model.onnx}}
serve:
  graph:
    name: bright
    kind: transformer
    run: features:Bright
    children:
    - {name: ink, kind: model, server: onnx}
"""


@dataclass
class Served:
    project: Made
    address: str

    def infer(self, path: str, body: Any) -> requests.Response:
        return requests.post(f"{self.address}/seldon/project-ink/ink{path}", json=body, timeout=30)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    project = made(tmp_path_factory.mktemp("graph"), PROJECT, STEPS)
    project.write("features.py", FEATURES)
    assert "succeeded" in project.aiga("run")
    own = port()
    process = project.start("serve", "--port", str(own), "--grpc-port", "0")
    found = Served(project, f"http://127.0.0.1:{own}")
    with serving(process):
        yield found


def test_the_papers_request_goes_through_the_transformer_to_the_model(served: Served) -> None:
    pixels = np.zeros((1, 28, 28, 1), np.float32)
    pixels[0, :2, :5] = 255
    pixels[0, 10:12, :] = 100
    body = {
        "inputs": [{"name": "input_1", "datatype": "FP32", "shape": [1, 28, 28, 1], "data": pixels.ravel().tolist()}]
    }
    answer = served.infer("/v2/models/ink/infer", body)
    assert answer.status_code == 200, answer.text
    (output,) = answer.json()["outputs"]
    assert (output["name"], output["data"]) == ("ink", [10.0]), "white pixels count, grey ones are left out"


def test_training_and_serving_compute_the_same(served: Served) -> None:
    white = np.full((1, 28, 28, 1), 255).tolist()
    answer = served.infer("/v1/models/ink:predict", {"instances": white})
    assert answer.status_code == 200, answer.text
    assert answer.json()["predictions"] == [784.0]
    assert "white 784" in served.project.aiga("models").replace("=", " ")


def test_nodes_are_counted_by_their_own_names(served: Served) -> None:
    def counted(name: str) -> dict[tuple[str, ...], float]:
        """Values by the node, the service and the method."""
        text = requests.get(f"{served.address}/metrics", timeout=30).text
        found = (one for family in text_string_to_metric_families(text) for one in family.samples if one.name == name)
        return {
            (one.labels["model_name"], one.labels.get("service", ""), one.labels["method"]): one.value for one in found
        }

    calls = "seldon_api_executor_client_requests_seconds_count"
    before, images = counted(calls), counted("images_total")
    image = np.zeros((1, 28, 28, 1)).tolist()
    assert served.infer("/api/v1.0/predictions", {"data": {"ndarray": image}}).status_code == 200
    asked = {("bright", "/transform-input", "post"), ("ink", "/predict", "post")}
    now = counted(calls)
    assert {key for key in now if now[key] == before.get(key, 0) + 1} == asked
    seen = ("bright", "", "inputtransform")
    assert counted("images_total") == {seen: images.get(seen, 0) + 1}, "the class is a node's, and no other's"


def test_nodes_have_images_of_their_own(served: Served) -> None:
    served.infer("/api/v1.0/predictions", {"data": {"ndarray": np.zeros((1, 28, 28, 1)).tolist()}})
    text = requests.get(f"{served.address}/metrics", timeout=30).text
    found = {
        tuple(one.labels[name] for name in ("model_name", "model_image", "model_version"))
        for family in text_string_to_metric_families(text)
        for one in family.samples
        if one.name == "seldon_api_executor_client_requests_seconds_count"
    }
    assert found == {("bright", "aiga/custom", "main"), ("ink", "aiga/onnx", "1")}


def test_a_prediction_through_a_graph_leads_back_to_its_run(served: Served) -> None:
    answer = served.infer("/api/v1.0/predictions", {"data": {"ndarray": np.zeros((1, 28, 28, 1)).tolist()}})
    assert answer.status_code == 200, answer.text
    found = answer.headers["seldon-puid"]
    deadline = time.monotonic() + 30
    told = ""
    while "ink@1" not in told:
        assert time.monotonic() < deadline, told
        process = served.project.start("lineage", found)
        told, _ = process.communicate(timeout=60)
