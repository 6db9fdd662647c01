"""Files of any kind become what a model takes, or a reason that says what it takes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from client_world import IMAGE, ROW
from PIL import Image

from aiga.errors import UserError
from aiga.serving.client.files import read
from aiga.serving.client.fit import ANY, fit
from aiga.serving.messages import BadRequest, Message
from aiga.serving.protocols.metadata import ModelMetadata, TensorSpec

PAIR = TensorSpec("x", "FP32", (-1, 2))
WHOLE = TensorSpec("x", "INT64", (-1, 2))
TEXT = TensorSpec("text", "BYTES", (-1,))
COLUMNS = (TensorSpec("age", "INT64", (-1, 1)), TensorSpec("name", "BYTES", (-1,)))


def fitted(file: Path, *inputs: TensorSpec, white: float | None = None) -> Message:
    return fit(read(file), ModelMetadata("digits", inputs=inputs), white)


def only(file: Path, *inputs: TensorSpec, white: float | None = None) -> tuple[str, str, Any]:
    """Name, data type and array of the one tensor."""
    (tensor,) = fitted(file, *inputs, white=white).tensors
    return tensor.name, tensor.datatype, tensor.data


@pytest.fixture
def written(tmp_path: Path) -> Any:
    def write(content: Any, name: str = "x.json") -> Path:
        file = tmp_path / name
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        return file

    return write


V2 = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [2, 2], "data": [1, 2, 3, 4]}]}
FORMS = [
    V2,
    {"instances": [[1, 2], [3, 4]]},
    {"inputs": [[1, 2], [3, 4]]},
    {"inputs": {"x": [[1, 2], [3, 4]]}},
    {"signature_name": "s", "instances": [{"x": [1, 2]}, {"x": [3, 4]}]},
    {"data": {"ndarray": [[1, 2], [3, 4]]}},
    {"data": {"names": ["a", "b"], "ndarray": [[1, 2], [3, 4]]}},
    {"data": {"tensor": {"shape": [2, 2], "values": [1, 2, 3, 4]}}},
    {"jsonData": [[1, 2], [3, 4]]},
    [[1, 2], [3, 4]],
    [{"a": 1, "b": 2}, {"a": 3, "b": 4}],
    {"x": [[1, 2], [3, 4]]},
]


@pytest.mark.parametrize("body", FORMS, ids=json.dumps)
def test_every_form_of_the_same_numbers_is_the_same_request(body: Any, written: Any) -> None:
    name, datatype, data = only(written(body), PAIR)
    assert (name, datatype, data.dtype) == ("x", "FP32", np.float32)
    assert data.tolist() == [[1, 2], [3, 4]]


def test_a_v2_body_keeps_its_id_parameters_outputs_and_names(written: Any) -> None:
    body = {**V2, "id": "7", "parameters": {"top": 3}, "outputs": [{"name": "label"}]}
    message = fitted(written(body), TensorSpec("other", "FP32", (-1, 2)))
    assert (message.id, message.parameters, message.requested) == ("7", {"top": 3}, ("label",))
    assert message.tensors[0].name == "x", "servers take any name for an only input"


@pytest.mark.parametrize(
    ("body", "values"),
    [
        ({"strData": "hello"}, [b"hello"]),
        ({"binData": "aGk="}, [b"hi"]),
        (["a", "b"], [b"a", b"b"]),
        ([{"text": "a"}, {"text": "b"}], [b"a", b"b"]),
        ({"text": "a"}, [b"a"]),
    ],
)
def test_text_goes_to_an_input_of_bytes(body: Any, values: list[bytes], written: Any) -> None:
    name, datatype, data = only(written(body), TEXT)
    assert (name, datatype, data.tolist()) == ("text", "BYTES", values)


@pytest.mark.parametrize(
    ("shape", "given", "wanted"),
    [
        ((-1, 28, 28, 1), (28, 28), (1, 28, 28, 1)),
        ((-1, 28, 28, 1), (28, 28, 1), (1, 28, 28, 1)),
        ((-1, 28, 28, 1), (5, 28, 28), (5, 28, 28, 1)),
        ((-1, 1, 28, 28), (5, 28, 28), (5, 1, 28, 28)),
        ((-1, 4), (4,), (1, 4)),
        ((-1,), (3, 1), (3,)),
        ((-1, 1), (3,), (3, 1)),
        ((1, 4), (4,), (1, 4)),
        ((-1, -1), (4,), (1, 4)),
        ((), (1,), ()),
    ],
)
def test_a_missing_batch_and_sizes_of_one_are_added(
    shape: tuple[int, ...], given: tuple[int, ...], wanted: tuple[int, ...], written: Any
) -> None:
    _, _, data = only(written(np.zeros(given).tolist()), TensorSpec("x", "FP32", shape))
    assert data.shape == wanted


@pytest.mark.parametrize(
    ("body", "inputs", "reason"),
    [
        ([[1.0, 2, 3]], [PAIR], r"shape \[1, 3\]: x takes FP32 \[-1, 2\]"),
        ([], [PAIR], r"shape \[0\]: x takes FP32 \[-1, 2\]"),
        ([1, 2, 3], [PAIR], r"shape \[3\]: x takes FP32 \[-1, 2\]"),
        ([[1, 2], [3]], [PAIR], r"\[1\]: has 1 elements where the first has 2"),
        ([["a", "b"]], [PAIR], r'is "a"; FP32 takes numbers'),
        ([[0.5, 1]], [WHOLE], "is 0.5; INT64 takes whole numbers"),
        ([[1, 2]], COLUMNS, "takes age, name: write an object"),
        ({"age": [1]}, COLUMNS, "inputs age: digits takes age, name"),
        ({"y": [[1, 2]]}, [PAIR], "inputs y: digits takes x"),
        ({"inputs": [{**V2["inputs"][0], "shape": [4]}]}, [PAIR], r"input x: has shape \[4\]; x takes \[-1, 2\]"),
        (V2, COLUMNS, "inputs x: digits takes age, name"),
        ([{"a": "word", "b": 2}], [PAIR], "columns a: hold text; x takes FP32"),
        ([{"a": 1, "b": 2, "c": 3, "d": 4}], [PAIR], r"1 rows of 4 columns, a, b, c …: x takes FP32 \[-1, 2\]"),
        ([{"a": 1, "b": None}, {"a": 1, "b": 2}], [WHOLE], "column b: row 0 is empty"),
        ([{"a": 1.5, "b": 2}], [WHOLE], r"column a\[0\]: is 1.5; INT64 takes whole numbers"),
        ([{"age": 1}], COLUMNS, "columns name: are missing; digits takes age, name"),
    ],
)
def test_what_does_not_fit_is_told_with_what_the_model_takes(
    body: Any, inputs: Sequence[TensorSpec], reason: str, written: Any
) -> None:
    with pytest.raises(BadRequest, match=reason):
        fitted(written(body), *inputs)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "is no JSON"),
        ("3", "must be a list or an object, got '3'"),
        ('{"data": {}}', "data: must have ndarray, or tensor"),
        ('{"data": {"tensor": {"values": [1, 2, 3], "shape": [2, 2]}}}', r"3 values, which are not of shape \[2, 2\]"),
        ('{"inputs": [{"name": "x"}]}', r"inputs\[0\].datatype: is missing"),
        ("[" * 100_000, "is no JSON"),
    ],
)
def test_a_file_that_is_nothing_names_itself_and_the_reason(content: str, reason: str, written: Any) -> None:
    with pytest.raises(UserError, match=rf"x\.json: .*{reason}"):
        read(written(content))


def test_a_file_of_another_kind_is_told_the_kinds_there_are(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"x\.txt: must be one of \.json, \.csv, \.png"):
        read(tmp_path / "x.txt")


@pytest.mark.parametrize("name", ["x.json", "x.csv", "x.png"])
def test_a_file_that_is_not_there_is_told(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"{name}: cannot be read: No such file"):
        read(tmp_path / name)


def test_a_model_that_tells_nothing_gets_the_lists_as_they_are(written: Any) -> None:
    assert only(written([[1, 2]]))[:2] == (ANY, "INT64")
    assert only(written([[1.5, 2]]))[1] == "FP64"


class TestCsv:
    def test_columns_are_the_rows_of_an_only_input(self, written: Any) -> None:
        name, datatype, data = only(written("a,b\n1,2\n3,4.5\n", "x.csv"), PAIR)
        assert (name, datatype, data.dtype, data.tolist()) == ("x", "FP32", np.float32, [[1, 2], [3, 4.5]])

    @pytest.mark.parametrize("first", [[1, 2], [0.0, 0.0], [-1e-5, 2.5]])
    def test_a_first_line_of_numbers_is_a_row(self, first: list[float], written: Any) -> None:
        found = only(written(f"{first[0]},{first[1]}\n3,4\n", "x.csv"), PAIR)[2]
        assert found.tolist() == np.array([first, [3, 4]], np.float32).tolist()

    def test_a_row_may_be_an_image(self, written: Any) -> None:
        rows = "\n".join(",".join(["7"] * 784) for _ in range(2))
        assert only(written(rows, "x.csv"), IMAGE)[2].shape == (2, 28, 28, 1)

    def test_each_input_takes_its_own_column_and_others_are_left_out(self, written: Any) -> None:
        file = written("name,extra,age\nada,9,36\nalan,9,41\n", "x.csv")
        age, name = fitted(file, *COLUMNS).tensors
        assert (age.name, age.datatype, age.data.tolist()) == ("age", "INT64", [[36], [41]])
        assert (name.name, name.datatype, name.data.tolist()) == ("name", "BYTES", [b"ada", b"alan"])

    def test_an_empty_cell_is_not_a_number_where_there_is_such_a_thing(self, written: Any) -> None:
        data = only(written("a,b\n1,\n3,4\n", "x.csv"), PAIR)[2]
        assert np.isnan(data[0, 1])

    @pytest.mark.parametrize(
        ("content", "reason"), [("", "is no CSV"), ("a,b\n", "has no rows"), ("a,b\n1,2\n1,2,3,4\n", "is no CSV")]
    )
    def test_what_is_no_table_is_told(self, content: str, reason: str, written: Any) -> None:
        with pytest.raises(UserError, match=rf"x\.csv: {reason}"):
            read(written(content, "x.csv"))


class TestImages:
    @pytest.fixture
    def image(self, tmp_path: Path) -> Path:
        """Half black, half red; 12 wide and 8 high."""
        pixels = np.zeros((8, 12, 3), np.uint8)
        pixels[:, 6:] = (255, 0, 0)
        Image.fromarray(pixels).save(tmp_path / "x.png")
        return tmp_path / "x.png"

    @pytest.mark.parametrize(
        ("shape", "wanted"),
        [
            ((-1, 28, 28, 1), (1, 28, 28, 1)),
            ((1, 28, 28, 1), (1, 28, 28, 1)),
            ((-1, 1, 28, 20), (1, 1, 28, 20)),
            ((-1, 28, 20, 3), (1, 28, 20, 3)),
            ((-1, 3, 28, 20), (1, 3, 28, 20)),
            ((-1, 28, 20), (1, 28, 20)),
            ((-1, 64), (1, 64)),
            ((-1, 192), (1, 192)),
            ((-1, -1), (1, 96)),
            ((-1, -1, -1, 3), (1, 8, 12, 3)),
            ((-1, 3, -1, -1), (1, 3, 8, 12)),
            ((-1, -1, -1), (1, 8, 12)),
            ((-1, -1, -1, 1), (1, 8, 12, 1)),
        ],
    )
    def test_an_image_has_the_shape_of_the_input(
        self, image: Path, shape: tuple[int, ...], wanted: tuple[int, ...]
    ) -> None:
        data = only(image, TensorSpec("x", "FP32", shape))[2]
        assert (data.shape, data.dtype) == (wanted, np.float32)

    def test_left_and_right_top_and_bottom_and_colours_stay_where_they_are(self, image: Path) -> None:
        last = only(image, TensorSpec("x", "FP32", (-1, 8, 12, 3)))[2]
        first = only(image, TensorSpec("x", "FP32", (-1, 3, 8, 12)))[2]
        assert last[0, 4, 1].tolist() == [0, 0, 0] and last[0, 4, 11].tolist() == [1, 0, 0]
        assert first[0, :, 4, 11].tolist() == [1, 0, 0]

    @pytest.mark.parametrize(
        ("datatype", "white", "top"), [("FP32", None, 1), ("UINT8", None, 255), ("FP64", 16, 16), ("UINT8", 16, 16)]
    )
    def test_white_is_one_or_255_or_what_one_says(
        self, tmp_path: Path, datatype: str, white: float | None, top: float
    ) -> None:
        Image.new("L", (8, 8), 255).save(tmp_path / "white.png")
        data = only(tmp_path / "white.png", TensorSpec("x", datatype, (-1, 64)), white=white)[2]
        assert np.unique(data).tolist() == [top]

    def test_white_beyond_the_data_type_is_told(self, image: Path) -> None:
        with pytest.raises(BadRequest, match="white 300: x takes UINT8, at most 255"):
            fitted(image, TensorSpec("x", "UINT8", (-1, 64)), white=300)

    def test_bytes_get_the_file(self, image: Path) -> None:
        data = only(image, TensorSpec("x", "BYTES", (-1, 1)))[2]
        assert data.shape == (1, 1) and data[0, 0] == image.read_bytes()

    @pytest.mark.parametrize("shape", [(-1, 7), (-1,), (5, 28, 28), (-1, 2, 28, 28, 1)])
    def test_an_input_that_is_no_image_is_told(self, image: Path, shape: tuple[int, ...]) -> None:
        with pytest.raises(BadRequest, match=r"x takes FP32 .* no image has this shape"):
            fitted(image, TensorSpec("x", "FP32", shape))

    def test_a_model_that_tells_nothing_gets_no_image(self, image: Path) -> None:
        with pytest.raises(BadRequest, match="digits tells no inputs"):
            fitted(image)

    def test_a_photograph_is_turned_as_its_camera_says(self, tmp_path: Path) -> None:
        pixels = np.zeros((8, 16), np.uint8)
        pixels[:, 8:] = 255
        turned = Image.Exif()
        turned[0x0112] = 6
        Image.fromarray(pixels).save(tmp_path / "x.jpg", exif=turned, quality=100)
        data = only(tmp_path / "x.jpg", TensorSpec("x", "UINT8", (-1, -1, -1)))[2]
        assert data.shape == (1, 16, 8)
        assert data[0, 1].max() < 60 and data[0, -2].min() > 200

    def test_what_is_no_image_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "x.png").write_text("hello")
        with pytest.raises(UserError, match=r"x\.png: is no image"):
            read(tmp_path / "x.png")


def test_rows_are_in_the_default_row_of_digits(written: Any) -> None:
    assert only(written([[0] * 64]), ROW)[2].shape == (1, 64)
