"""What a file holds that somebody wants predictions for, before the model's inputs are known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageOps

from aiga.errors import UserError
from aiga.serving.messages import BadRequest, Message
from aiga.serving.protocols import v2

IMAGES = (".png", ".jpg", ".jpeg")
SUFFIXES = (".json", ".csv", *IMAGES)


@dataclass(frozen=True)
class Values:
    """Nested lists without a name."""

    data: Any


@dataclass(frozen=True)
class Named:
    """Nested lists, each for one input."""

    data: Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """Rows with named columns, each a number or a text."""

    frame: pd.DataFrame


@dataclass(frozen=True)
class Picture:
    """An image, and the bytes of its file."""

    image: Image.Image
    content: bytes


Given = Message | Values | Named | Table | Picture


def read(file: Path) -> Given:
    """What stands in a file: JSON, CSV, PNG or JPEG by its suffix.

    JSON is the body of a request of v2, TensorFlow or Seldon, nested lists, a list of records, or an object with nested
    lists for each input.

    Raises:
        UserError: it is not there, of another kind, or not what its suffix says.
    """
    suffix = file.suffix.lower()
    if suffix not in SUFFIXES:
        raise UserError(f"{file}: must be one of {', '.join(SUFFIXES)} (rename or convert it)")
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror} (look at the path)") from None
    if suffix in IMAGES:
        return _picture(file, content)
    return _table(file) if suffix == ".csv" else _json(file, content)


def _json(file: Path, content: bytes) -> Given:
    try:
        body = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file}: is no JSON: {error}") from None
    if isinstance(body, list):
        return _rows(body)
    if not isinstance(body, dict):
        raise UserError(f"{file}: must be a list or an object, got {str(body)!r:.60}")
    if isinstance(body.get("inputs"), list) and _all_objects(body["inputs"]):
        try:
            return v2.read_request(content).message
        except BadRequest as wrong:
            raise UserError(f"{file}: {wrong.reason}") from None
    if "instances" in body:
        return _rows(body["instances"])
    if "inputs" in body:
        return Named(body["inputs"]) if isinstance(body["inputs"], dict) else Values(body["inputs"])
    return _seldon(file, body)


def _seldon(file: Path, body: dict[str, Any]) -> Given:
    """Seldon's body; without its keys, one record or an object of inputs."""
    if "strData" in body:
        return Values([body["strData"]])
    if "binData" in body:
        return Values([{"b64": body["binData"]}])
    if "jsonData" in body:
        return _rows(body["jsonData"])
    if isinstance(body.get("data"), dict):
        return _seldon_data(file, body["data"])
    return _rows([body]) if _is_record(body) else Named(body)


def _seldon_data(file: Path, data: dict[str, Any]) -> Given:
    if "ndarray" in data:
        rows, names = data["ndarray"], data.get("names")
        if names and isinstance(rows, list) and all(isinstance(row, list) and len(row) == len(names) for row in rows):
            return _rows([dict(zip(names, row, strict=True)) for row in rows])
        return Values(rows)
    tensor = data.get("tensor")
    if not isinstance(tensor, dict) or not isinstance(tensor.get("values"), list):
        raise UserError(f"{file}: data: must have ndarray, or tensor with shape and values")
    return Values(_shaped(file, tensor["values"], tensor.get("shape") or [len(tensor["values"])]))


def _shaped(file: Path, values: list[Any], shape: Any) -> Any:
    try:
        return np.array(values, object).reshape(shape).tolist()
    except (ValueError, TypeError):
        raise UserError(f"{file}: data.tensor: has {len(values)} values, which are not of shape {shape}") from None


def _rows(rows: Any) -> Given:
    """Records are a table where their values are single ones; else they are lists by their names."""
    if not isinstance(rows, list) or not rows or not _all_objects(rows):
        return Named(rows) if isinstance(rows, dict) else Values(rows)
    if all(map(_is_record, rows)):
        return Table(pd.DataFrame.from_records(rows))
    names = dict.fromkeys(name for row in rows for name in row)
    return Named({name: [row.get(name) for row in rows] for name in names})


def _table(file: Path) -> Table:
    """A CSV; its first line names the columns unless it is all numbers."""
    try:
        first = pd.read_csv(file, header=None, nrows=1, dtype=str).iloc[0]
        frame = pd.read_csv(file, header=None if all(map(_is_number, map(str, first))) else 0)
    except (ValueError, UnicodeError) as error:
        raise UserError(f"{file}: is no CSV: {' '.join(str(error).split())}") from None
    frame.columns = frame.columns.map(str)
    if frame.empty:
        raise UserError(f"{file}: has no rows (a line with the names of columns, then one for each row)")
    return Table(frame)


def _picture(file: Path, content: bytes) -> Picture:
    try:
        with Image.open(file) as image:
            return Picture(ImageOps.exif_transpose(image), content)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"{file}: is no image: {error}") from None


def _all_objects(values: list[Any]) -> bool:
    return all(isinstance(value, dict) for value in values)


def _is_record(fields: dict[str, Any]) -> bool:
    return bool(fields) and all(not isinstance(value, list | dict) for value in fields.values())


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
