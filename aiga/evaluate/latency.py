"""How long one prediction of an ONNX model takes on this machine."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from aiga.errors import UserError
from aiga.spec.evaluate import LatencyGate

WARM_UP = 10
"""One request in so many goes ahead of those that are timed."""
_TYPES: dict[str, type[Any]] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int8)": np.int8,
    "tensor(int16)": np.int16,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(uint8)": np.uint8,
    "tensor(uint16)": np.uint16,
    "tensor(uint32)": np.uint32,
    "tensor(uint64)": np.uint64,
    "tensor(bool)": np.bool_,
    "tensor(string)": np.object_,
}


def measure(model: Path, gate: LatencyGate) -> float:
    """Seconds: the gate's percentile over its requests of one row each, on the CPU.

    Inputs are made from the graph's types and shapes: dimensions without a size are 1, numbers with a fraction are
    drawn between 0 and 1 from a fixed seed, whole numbers are 0, texts empty.

    Raises:
        UserError: it is no ONNX model, or it refuses such inputs.
    """
    try:
        session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
        inputs = {one.name: _input(one.name, one.type, one.shape) for one in session.get_inputs()}
        times = []
        for _ in range(gate.requests + gate.requests // WARM_UP):
            start = perf_counter()
            session.run(None, inputs)
            times.append(perf_counter() - start)
    except UserError:
        raise
    except Exception as error:  # onnxruntime's errors share no base class of their own
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"{model.name}: must be an ONNX model that predicts one row: {reason} (export it to ONNX, or drop the "
            "latency gate)"
        ) from error
    return float(np.percentile(times[gate.requests // WARM_UP :], gate.percentile))


def _input(name: str, kind: str, shape: list[int | str | None]) -> npt.NDArray[Any]:
    if kind not in _TYPES:
        raise UserError(f"input {name} of the model: must be a tensor to time a prediction, got {kind}")
    dimensions = [size if isinstance(size, int) and size > 0 else 1 for size in shape]
    if kind == "tensor(string)":
        return np.full(dimensions, "", dtype=np.object_)
    if np.issubdtype(_TYPES[kind], np.floating):
        return np.random.default_rng(0).random(dimensions).astype(_TYPES[kind])
    return np.zeros(dimensions, dtype=_TYPES[kind])
