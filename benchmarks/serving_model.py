"""The model that the benchmark of serving serves: a small network for the digits of scikit-learn, in two formats."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib  # type: ignore[import-untyped]  # it ships no types
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

NAME = "digits"
PIXELS = 64


@dataclass(frozen=True)
class Made:
    """The model for both servers, and what is asked of it."""

    onnx: Path
    joblib: Path
    body: bytes
    """A v2 request of one row."""


def train(folder: Path) -> Made:
    """Trains it, and writes it into a folder."""
    data = load_digits()
    network = MLPClassifier(hidden_layer_sizes=(128,), tol=0.01, random_state=7)
    network.fit(data.data.astype(np.float32), data.target)
    tensor = {"name": "X", "datatype": "FP32", "shape": [1, PIXELS], "data": data.data[0].tolist()}
    made = Made(folder / "model.onnx", folder / "model.joblib", json.dumps({"inputs": [tensor]}).encode())
    onnx.save(_exported(network), made.onnx)
    joblib.dump(network, made.joblib)
    return made


def _exported(network: MLPClassifier) -> Any:
    """The same sums as an ONNX graph: probabilities, and the class of the greatest, as scikit-learn answers."""
    weights = [
        numpy_helper.from_array(np.asarray(values, np.float32), name)
        for name, values in zip(
            ("w0", "b0", "w1", "b1"),
            (network.coefs_[0], network.intercepts_[0], network.coefs_[1], network.intercepts_[1]),
            strict=True,
        )
    ]
    nodes = [
        helper.make_node("Gemm", ["X", "w0", "b0"], ["sum0"]),
        helper.make_node("Relu", ["sum0"], ["hidden"]),
        helper.make_node("Gemm", ["hidden", "w1", "b1"], ["sum1"]),
        helper.make_node("ArgMax", ["sum1"], ["label"], axis=1, keepdims=0),
    ]
    taken = [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, PIXELS])]
    given = [helper.make_tensor_value_info("label", TensorProto.INT64, [None])]
    graph = helper.make_graph(nodes, NAME, taken, given, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
