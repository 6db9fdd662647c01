"""Models, evidence and keys to test the registry with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from aiga.registry import Evidence, Registry, SigningKey

DIGEST = f"sha256:{'ab' * 32}"


def evidence(**facts: Any) -> Evidence:
    given = {
        "project": "digits",
        "run": "20260101T000000-abcdef",
        "trained": "20260101T000000-abcdef/train",
        "data": {"images": {"digest": DIGEST, "kind": "files", "rows": 1797, "origin": {"path": "data/*.csv"}}},
        "parameters": {"learning_rate": 3e-05, "epochs": 3, "solver": "lbfgs", "bias": True},
        "metrics": {"accuracy": 0.98, "loss": float("nan")},
        "gates": [{"gate": "accuracy ≥ 0.97", "passed": True, "value": 0.98, "reason": "0.98 is enough"}],
        "trials": [{"number": 0, "value": None, "state": "failed"}],
        "commit": {"commit": "0" * 40, "dirty": None},
        "packages": {"scikit-learn": "1.9.1"},
        "baseline": {"rows": 1797, "inputs": {"x0": {"quantiles": [0.0, 1e-20, 1e300]}}},
    }
    return Evidence.model_validate({**given, **facts})


def model_file(folder: Path, content: bytes = b"", name: str = "trained.onnx") -> Path:
    """A file that is a model; a small ONNX graph unless it has content of its own."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content or graph([("x", TensorProto.FLOAT, ["N", 4])], [("y", TensorProto.FLOAT, ["N", 4])]))
    return path


Tensor = tuple[str, int, list[int | str | None] | None]


def graph(inputs: list[Tensor], outputs: list[Tensor]) -> bytes:
    """An ONNX model with these inputs and outputs: each output is the first input, as it is."""
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node("Identity", [inputs[0][0]], [name]) for name, _, _ in outputs],
            "graph",
            [helper.make_tensor_value_info(*tensor) for tensor in inputs],
            [helper.make_tensor_value_info(*tensor) for tensor in outputs],
        )
    )
    return onnx.ModelProto.SerializeToString(model)


def own_keys(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of keys of the test's own."""
    monkeypatch.setenv("AIGA_KEYS", str(folder / "keys"))
    return folder / "keys"


def register(registry: Registry, folder: Path, content: bytes = b"", **facts: Any) -> int:
    """A new version of a model; its number."""
    key = SigningKey.load_or_create(registry.project)
    model = model_file(folder, content, "trained.bin" if content else "trained.onnx")
    return registry.register(model, evidence(project=registry.project, **facts), key).version
