"""Formats of models, recognised by their files."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from aiga.errors import UserError

Format = Literal["onnx", "joblib", "pickle", "skops", "xgboost", "mlflow", "savedmodel", "other"]
PICKLED: tuple[Format, ...] = ("joblib", "pickle")
"""Formats whose loading runs code that the file holds."""
_SUFFIXES: dict[str, Format] = {
    ".onnx": "onnx",
    ".joblib": "joblib",
    ".pkl": "pickle",
    ".pickle": "pickle",
    ".skops": "skops",
    ".ubj": "xgboost",
    ".bst": "xgboost",
}
_MARKS: dict[str, Format] = {"saved_model.pb": "savedmodel", "MLmodel": "mlflow", "model.onnx": "onnx"}
"""File of a folder that tells its format. MLflow's comes first where it holds another."""


def detect(model: Path) -> Format:
    """The format of a model's file or folder; `other` where it is not known.

    Raises:
        UserError: it is an ONNX file whose weights are in other files, which a file alone would leave behind.
    """
    if model.is_dir():
        return next((_MARKS[mark] for mark in ("MLmodel", *_MARKS) if (model / mark).is_file()), "other")
    if model.suffix == ".json":
        return "xgboost" if b'"learner"' in _beginning(model) else "other"
    found = _SUFFIXES.get(model.suffix.lower(), "other")
    if found == "onnx":
        _check_weights(model)
    return found


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4096)


def _check_weights(model: Path) -> None:
    from google.protobuf.message import DecodeError
    from onnx import TensorProto, load

    try:
        tensors = load(model, load_external_data=False).graph.initializer
    except DecodeError as error:
        raise UserError(f"{model}: is no ONNX file: {error}") from error
    elsewhere = sorted(
        {
            entry.value
            for tensor in tensors
            if tensor.data_location == TensorProto.EXTERNAL
            for entry in tensor.external_data
            if entry.key == "location"
        }
    )
    if elsewhere:
        raise UserError(
            f"{model}: its weights are in {', '.join(elsewhere)}, which would stay behind "
            "(make the output a folder with model.onnx and them, or save it as one file)"
        )
