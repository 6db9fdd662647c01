"""The whole of projects/mnist, as it stands but for its sources, by the command that a user types."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import yaml
from mnist_world import HEAVY, TEST, TRAIN, Copy, copied, digits, environment_there

pytestmark = pytest.mark.skipif(
    not environment_there(),
    reason=f"projects/mnist installs Keras and JAX, 230 MB: {HEAVY}=1 .venv/bin/python -m pytest "
    "tests/projects/test_mnist_pipeline.py; once installed, it runs with the others",
)
ENOUGH = 8
"""Epochs after which so few images are learnt well."""
ASKED = {"threshold": {"min": 0.95}, "slice": {"min": 0.8}, "latency": {"max": "1s"}}
"""What so few allow to ask, a digit has about forty to be judged by; and a machine that is busy with other tests."""


@dataclass(frozen=True)
class Ran:
    """The project after a run as it stands, and one with more epochs and gates for few images."""

    project: Copy
    short: str
    """What the run as it stands printed."""
    long: str

    @property
    def store(self) -> Path:
        return self.project.home / "store" / "mnist"

    @property
    def model(self) -> bytes:
        return (self.store / "models" / "1" / "model.onnx").read_bytes()

    @property
    def evidence(self) -> dict[str, Any]:
        return dict(yaml.safe_load((self.store / "models" / "1" / "model.yaml").read_text()))


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    project = copied(tmp_path_factory.mktemp("mnist"))
    short = project.aiga("run", code=3)
    project.ask(**ASKED)
    return Ran(project, short, project.aiga("run", "-p", f"epochs={ENOUGH}"))


def tag(output: str) -> str:
    return re.findall(r"^run (\d{8}t\d{6}-[0-9a-f]{6})", output, re.MULTILINE)[0]


def test_both_learning_rates_are_tried_for_three_epochs_each(ran: Ran) -> None:
    tried = re.findall(r"trial \d: complete, val_loss [\d.]+ \(learning_rate=([\d.]+)\)", ran.short)
    assert sorted(map(float, tried)) == [0.0002, 0.0003]
    lines = (ran.store / "runs" / tag(ran.short) / "train" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3]


def test_a_model_that_learnt_too_little_is_refused_and_only_its_data_published(ran: Ran) -> None:
    assert re.search(r"gate: FAILED: .*accuracy", ran.short)
    assert "dataset mnist/mnist-test: version 1" in ran.short
    assert "in production" not in ran.short


def test_one_that_passes_the_gates_goes_into_production(ran: Ran) -> None:
    assert "FAILED" not in ran.long
    assert "model mnist@1 is in production" in ran.long
    assert re.search(r"^split: reused", ran.long, re.MULTILINE), "other epochs do not change the data"
    assert ran.evidence["metrics"]["accuracy"] >= ASKED["threshold"]["min"]
    assert {trial["parameters"]["learning_rate"] for trial in ran.evidence["trials"]} == {0.0002, 0.0003}


def test_the_model_is_one_file_with_the_papers_layers_and_input(ran: Ran) -> None:
    graph = onnx.load_from_string(ran.model).graph
    weights = {tuple(tensor.dims) for tensor in graph.initializer if len(tensor.dims) > 1}
    assert weights == {(3, 3, 1, 32), (26 * 26 * 32, 128), (128, 10)}
    assert [node.op_type for node in graph.node if node.op_type in ("Conv", "MatMul", "Relu", "Softmax")] == [
        *("Conv", "Relu", "MatMul", "Relu", "MatMul")
    ]
    (given,) = onnxruntime.InferenceSession(ran.model, providers=["CPUExecutionProvider"]).get_inputs()
    assert (given.name, given.type, given.shape[1:]) == ("input_1", "tensor(float)", [28, 28, 1])


@pytest.mark.parametrize("rows", [1, 7])
def test_the_model_answers_one_image_or_several_with_logits(ran: Ran, rows: int) -> None:
    pixels, labels = digits()
    images = pixels[TRAIN : TRAIN + rows, :, :, None].astype(np.float32) / 255
    session = onnxruntime.InferenceSession(ran.model, providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"input_1": images})
    assert logits.shape == (rows, 10)
    assert logits.min() < 0, "probabilities would not be"
    assert np.mean(logits.argmax(axis=1) == labels[TRAIN : TRAIN + rows]) > 0.8


def test_every_test_image_is_judged_and_the_probabilities_add_up(ran: Ran) -> None:
    with np.load(ran.store / "runs" / tag(ran.long) / "evaluate" / "predictions.npz") as predictions:
        assert (predictions["expected"] == digits()[1][TRAIN : TRAIN + TEST]).all()
        assert (predictions["predicted"] == predictions["score"].argmax(axis=1)).all()
        assert predictions["score"].sum(axis=1) == pytest.approx(np.ones(TEST), abs=1e-5)


def test_training_again_gives_the_same_bytes(ran: Ran) -> None:
    assert "mnist@1: equal" in ran.project.aiga("reproduce")
