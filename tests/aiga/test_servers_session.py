"""The ONNX session: inputs by name, what is refused and why, and what may be cast."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from servers_world import doubling, message, saved, tensor

from aiga.errors import UserError
from aiga.serving.messages import BadRequest, Message
from aiga.serving.runtimes.session import Session

ROW = [[1, 2, 3, 4]]


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(doubling(tmp_path / "m.onnx"), threads=1)


def outputs(answer: Message) -> dict[str, Any]:
    return {each.name: each.data.tolist() for each in answer.tensors}


def test_all_outputs_are_answered_unless_some_are_asked_for(session: Session) -> None:
    assert outputs(session.run(message(tensor(ROW)))) == {"twice": [[2, 4, 6, 8]], "flags": [[False] * 4]}
    assert outputs(session.run(message(tensor(ROW), requested=("flags",)))) == {"flags": [[False] * 4]}


def test_the_only_input_may_have_any_name_and_any_number_of_rows(session: Session) -> None:
    assert outputs(session.run(message(tensor(ROW * 3, name="INPUT0"))))["twice"] == [[2, 4, 6, 8]] * 3


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (message(tensor([[1, 2]])), "input x: must be FP32 [any, 4], got FP32 [1, 2]"),
        (message(tensor([1, 2, 3, 4])), "input x: must be FP32 [any, 4], got FP32 [4]"),
        (message(tensor([[b"a"] * 4], "BYTES")), "the model takes FP32"),
        (message(tensor(ROW), tensor(ROW, name="y")), "inputs: must be x, got x, y"),
        (message(), "inputs: must be x, got none"),
        (
            message(tensor(ROW), requested=("nope",)),
            "output nope: the model has none of this name; it has twice, flags",
        ),
        (message(tensor([[1e300] * 4], "FP64")), "FP32 takes numbers from"),
    ],
)
def test_a_wrong_request_is_refused_with_its_reason(session: Session, request_: Message, reason: str) -> None:
    with pytest.raises(BadRequest) as refused:
        session.run(request_)
    assert reason in refused.value.reason and refused.value.status == 400


@pytest.mark.parametrize("datatype", ["FP64", "INT64", "INT8", "BOOL", "FP16"])
def test_numbers_of_another_type_are_taken_where_they_stay_what_they_are(session: Session, datatype: str) -> None:
    assert outputs(session.run(message(tensor([[1, 0, 1, 1]], datatype))))["twice"] == [[2, 0, 2, 2]]


def test_whole_numbers_are_not_made_of_fractions(tmp_path: Path) -> None:
    whole = Session(doubling(tmp_path / "m.onnx", TensorProto.INT32), threads=1)
    assert outputs(whole.run(message(tensor([[1.0, 2.0, 3.0, 4.0]], "FP64"))))["twice"] == [[2, 4, 6, 8]]
    with pytest.raises(BadRequest, match=r"is 1\.5; INT32 takes whole numbers"):
        whole.run(message(tensor([[1.5, 2, 3, 4]], "FP64")))


def test_text_goes_in_and_out_as_bytes(tmp_path: Path) -> None:
    info = helper.make_tensor_value_info
    text = helper.make_graph(
        [helper.make_node("Identity", ["t"], ["same"])],
        "text",
        [info("t", TensorProto.STRING, ["N"])],
        [info("same", TensorProto.STRING, ["N"])],
    )
    session = Session(saved(text, tmp_path / "m.onnx"), threads=1)
    answer = session.run(message(tensor(["grün".encode(), b"x"], "BYTES", "t"))).tensors[0]
    assert answer.datatype == "BYTES" and answer.data.tolist() == ["grün".encode(), b"x"]
    with pytest.raises(BadRequest, match="must be text in UTF-8"):
        session.run(message(tensor([b"\xff"], "BYTES", "t")))


def test_probabilities_by_class_become_a_matrix(tmp_path: Path) -> None:
    from skl2onnx import to_onnx
    from sklearn.linear_model import LogisticRegression

    x = np.array([[0.0], [1.0], [9.0]], np.float32)
    model = LogisticRegression().fit(x, ["low", "low", "high"])
    (tmp_path / "m.onnx").write_bytes(to_onnx(model, x).SerializeToString())
    session = Session(tmp_path / "m.onnx", threads=1)
    label, scores = session.run(message(tensor([[9.0]]))).tensors
    assert label.data.tolist() == [b"high"]
    assert scores.shape == (1, 2) and list(scores.parameters["names"]) == ["high", "low"]
    assert np.allclose(scores.data, model.predict_proba([[9.0]]), atol=1e-5)


def test_what_is_no_model_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"no model")
    with pytest.raises(UserError, match=r"m\.onnx: ONNX Runtime cannot load it") as refused:
        Session(tmp_path / "m.onnx")
    assert "\n" not in str(refused.value)
