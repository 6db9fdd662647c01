"""One file to a deployment over the wire, its answer as a table, and what goes wrong."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from client_world import BASE, Gateway, serving
from rich.console import Console

from aiga.errors import AigaError, TransientError, UserError
from aiga.serving.client.predict import Answer, predict
from aiga.serving.messages import Message, Tensor


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with serving(Gateway()) as running:
        yield running


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "x.json").write_text(json.dumps([[1] * 64, [2] * 64]))
    return tmp_path / "x.json"


def shown(answer: Answer) -> list[str]:
    console = Console(width=100)
    with console.capture() as captured:
        console.print(answer.table())
    return [" ".join(line.split()) for line in captured.get().splitlines()]


def test_a_file_goes_as_the_model_takes_it_and_its_answer_comes_back(gateway: Gateway, file: Path) -> None:
    answer = predict(gateway.address, "digits", file)
    (request,) = gateway.requests
    assert [(tensor.name, tensor.datatype, tensor.shape) for tensor in request.tensors] == [("X", "FP32", (2, 64))]
    assert answer.response.tensors[0].data.tolist() == [64, 128]
    assert answer.response.model == "digits"


def test_an_answer_is_a_table_with_a_row_for_each_of_the_request(gateway: Gateway, file: Path) -> None:
    lines = shown(predict(gateway.address, "digits", file))
    assert lines == [
        "row label probabilities",
        "0 64 1: 0.6, 3: 0.25, 0: 0.1 …",
        "1 128 1: 0.6, 3: 0.25, 0: 0.1 …",
    ]


def test_an_answer_is_json_with_nested_lists(gateway: Gateway, file: Path) -> None:
    found = json.loads(json.dumps(predict(gateway.address, "digits", file).json()))
    assert found["model_name"] == "digits"
    assert found["outputs"][0] == {"name": "label", "datatype": "INT64", "shape": [2], "data": [64, 128]}
    assert np.shape(found["outputs"][1]["data"]) == (2, 4)


@pytest.mark.parametrize(
    ("tensors", "rows"),
    [
        ([np.array([[1.5], [2.5]])], [{"0": 1.5}, {"0": 2.5}]),
        ([np.array([b"one", b"\xff"], object)], [{"0": "one"}, {"0": "\\xff"}]),
        ([np.array([1, 2]), np.array([3])], [{"0": [1, 2], "1": [3]}]),
        ([np.array(5)], [{"0": 5}]),
        ([], [{}]),
    ],
)
def test_rows_of_an_answer_are_single_values_where_they_are_single(
    tensors: list[Any], rows: list[dict[str, Any]]
) -> None:
    outputs = tuple(Tensor(str(place), "FP64", data) for place, data in enumerate(tensors))
    answer = Answer(Message(()), Message(outputs))
    assert answer.rows() == rows
    assert len(shown(answer)) == len(rows) + 1


def test_a_shape_that_the_model_does_not_take_is_told_before_anything_is_sent(gateway: Gateway, file: Path) -> None:
    file.write_text("[[1, 2, 3]]")
    with pytest.raises(UserError, match=r"x\.json: the file: shape \[1, 3\]: X takes FP32 \[-1, 64\]"):
        predict(gateway.address, "digits", file)
    assert gateway.requests == []


def test_a_file_that_is_none_is_told_before_anybody_is_asked(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        predict("http://127.0.0.1:1", "digits", tmp_path / "x.json")


def test_without_a_server_one_is_told_to_serve(file: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(UserError, match=rf"{address}: no server answers \(run `aiga serve` first"):
            predict(address, "digits", file)


@pytest.mark.parametrize("address", ["nonsense", "ftp://127.0.0.1", "http://"])
def test_an_address_that_is_none_is_told(address: str, file: Path) -> None:
    with pytest.raises(UserError, match=f"{address}: is no address"):
        predict(address, "digits", file)


@pytest.mark.parametrize("names", [{"deployment": "other"}, {"namespace": "other"}, {"model": "other"}])
def test_a_deployment_that_is_not_there_is_told(names: dict[str, str], gateway: Gateway, file: Path) -> None:
    given = {"deployment": "digits", **names}
    with pytest.raises(UserError, match=r"404: .* \(is .* served there, in that namespace\?\)"):
        predict(gateway.address, given.pop("deployment"), file, **given)  # type: ignore[arg-type]


def test_a_trailing_slash_of_an_address_does_not_matter(gateway: Gateway, file: Path) -> None:
    assert predict(f"{gateway.address}/", "digits", file).response.tensors


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, UserError), (413, UserError), (500, AigaError), (502, TransientError), (503, TransientError)],
)
def test_a_failure_says_the_servers_reason_and_whether_another_try_may_help(
    status: int, error: type[AigaError], gateway: Gateway, file: Path
) -> None:
    gateway.status = status
    with pytest.raises(AigaError, match=rf"{BASE}/infer: {status}: out of order") as failed:
        predict(gateway.address, "digits", file)
    assert type(failed.value) is error


def test_a_server_that_never_answers_is_given_up(file: Path) -> None:
    late = pytest.raises(TransientError, match=r"no answer within 0\.05 s")
    with socket.create_server(("127.0.0.1", 0)) as mute, late:
        predict(f"http://127.0.0.1:{mute.getsockname()[1]}", "digits", file, timeout=0.05)
