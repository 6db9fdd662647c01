"""Model servers to test with: small ONNX models, a Seldon class, and an event loop in a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from aiga.errors import TransientError
from aiga.serving.messages import TYPES, Message, Tensor
from aiga.serving.servers import environment
from aiga.serving.servers.environment import Needs

T = TypeVar("T")
NEEDS = Needs(frozenset({"onnx", "sklearn"}))
"""One environment for all tests."""

CLASS = """
import numpy as np
from seldon_core import Storage
from seldon_core.metrics import create_counter
from seldon_core.proto import prediction_pb2
from seldon_core.user_model import SeldonComponent, SeldonResponse
from seldon_core.utils import array_to_grpc_datadef, get_data_from_proto, json_to_seldon_message, seldon_message_to_json


class Scorer(SeldonComponent):
    def __init__(self, factor=1, model_uri=None):
        self.factor = factor
        self.folder = model_uri

    def load(self):
        with open("names.txt") as file:
            self.names = file.read().split()
        with open(f"{Storage.download(self.folder)}/weights.bin") as file:
            self.weights = file.read()

    def predict(self, X, features_names=None, meta=None):
        if isinstance(X, str):
            return X.upper()
        if len(X) == 0:
            raise ValueError("no rows")
        return SeldonResponse(X * self.factor, tags={"columns": list(features_names), "model": self.weights})

    def transform_output_raw(self, request):
        features = get_data_from_proto(json_to_seldon_message(request))
        data = array_to_grpc_datadef("tensor", features - 1, ["less"])
        return seldon_message_to_json(prediction_pb2.SeldonMessage(data=data))

    def class_names(self):
        return self.names

    def metrics(self):
        return [create_counter("scored", 1)]

    def route(self, X, features_names):
        return 1

    def aggregate(self, Xs, features_names):
        return np.sum(Xs, axis=0)

    def send_feedback(self, X, features_names, reward, truth, routing=None):
        return [reward, routing]
"""


class Loop:
    """An event loop in a thread of its own, so that servers outlive a test."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T], timeout: float = 180) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@contextmanager
def loop() -> Iterator[Loop]:
    running = Loop()
    try:
        yield running
    finally:
        running.close()


def interpreter() -> Path:
    """The interpreter of the servers; the test is skipped where it cannot be had."""
    try:
        return environment.ensure(NEEDS, print)
    except TransientError as error:
        pytest.skip(f"{error}; with a package index: python -m pytest tests/aiga/test_servers_process.py")


def doubling(path: Path, kind: int = TensorProto.FLOAT, columns: int = 4) -> Path:
    """A model with one input `x` and two outputs: `twice`, and `flags`, whether a value is above itself doubled."""
    node = helper.make_node
    graph = helper.make_graph(
        [node("Add", ["x", "x"], ["twice"]), node("Greater", ["x", "twice"], ["flags"])],
        "doubling",
        [helper.make_tensor_value_info("x", kind, ["N", columns])],
        [
            helper.make_tensor_value_info("twice", kind, ["N", columns]),
            helper.make_tensor_value_info("flags", TensorProto.BOOL, ["N", columns]),
        ],
    )
    return saved(graph, path)


def saved(graph: onnx.GraphProto, path: Path) -> Path:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
    return path


def message(*tensors: Tensor, **more: Any) -> Message:
    return Message(tensors, **more)


def tensor(values: Any, datatype: str = "FP32", name: str = "x", **parameters: Any) -> Tensor:
    return Tensor(name, datatype, np.array(values, TYPES[datatype]), parameters)


def project(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "scorer.py").write_text(CLASS)
    (folder / "names.txt").write_text("first second")
    return folder
