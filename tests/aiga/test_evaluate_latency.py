from __future__ import annotations

from pathlib import Path

import pytest
from evaluate_world import gate
from onnx import TensorProto, helper, save

from aiga.errors import UserError
from aiga.evaluate.latency import measure
from aiga.spec.evaluate import LatencyGate


def latency_gate(**changes: object) -> LatencyGate:
    found = gate(kind="latency", max="1s", requests=20, **changes)
    assert isinstance(found, LatencyGate)
    return found


def model(path: Path, kind: int, shape: list[int | str | None], operator: str = "Identity") -> Path:
    inputs = [helper.make_tensor_value_info("x", kind, shape)]
    outputs = [helper.make_tensor_value_info("y", kind, None)]
    graph = helper.make_graph([helper.make_node(operator, ["x"], ["y"])], "g", inputs, outputs)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.mark.parametrize(
    "kind",
    [TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT64, TensorProto.BOOL, TensorProto.STRING, TensorProto.UINT8],
)
@pytest.mark.parametrize("shape", [["batch", 4], [None, 2, 2], [1, 4], []])
def test_a_row_is_made_for_every_type_and_shape(tmp_path: Path, kind: int, shape: list[int | str | None]) -> None:
    assert 0 < measure(model(tmp_path / "m.onnx", kind, shape), latency_gate()) < 60


def test_the_percentile_is_of_the_times_after_the_warm_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = model(tmp_path / "m.onnx", TensorProto.FLOAT, ["batch", 4])
    found = []
    for percentile in (50, 100):
        # Each prediction takes a second more than the one before; two go ahead as warm-up.
        ticks = iter([value for number in range(22) for value in (0.0, float(number))])
        monkeypatch.setattr("aiga.evaluate.latency.perf_counter", ticks.__next__)
        found.append(measure(path, latency_gate(percentile=percentile)))
        monkeypatch.undo()
    assert found == [11.5, 21.0]


def test_what_is_no_model_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_text("a pickle")
    with pytest.raises(UserError, match=r"m\.onnx: must be an ONNX model") as refused:
        measure(path, latency_gate())
    assert "\n" not in str(refused.value)
