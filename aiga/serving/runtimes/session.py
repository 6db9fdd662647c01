"""An ONNX model ready to run: messages in, messages out, and what is wrong with a request said before it runs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from aiga.errors import UserError
from aiga.serving.messages import TYPES, BadRequest, Message, Tensor
from aiga.serving.protocols.arrays import cast

_TYPES = {
    "tensor(float)": "FP32",
    "tensor(double)": "FP64",
    "tensor(float16)": "FP16",
    "tensor(bool)": "BOOL",
    "tensor(string)": "BYTES",
    **{f"tensor({kind}{bits})": f"{kind.upper()}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)},
}
"""ONNX Runtime's name of a type to the protocol's."""
DATATYPES = {str(dtype): name for name, dtype in TYPES.items()}
"""NumPy's name of a type to the protocol's."""
_MAPS = ("seq(map(int64,tensor(float)))", "seq(map(string,tensor(float)))")
"""Probabilities by class, as skl2onnx gives them unless told `zipmap: False`; served as a matrix."""


@dataclass(frozen=True)
class Place:
    """An input or an output of the graph."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    """A size that is left open is -1."""
    maps: bool = False

    @property
    def rule(self) -> str:
        sizes = ", ".join("any" if size < 0 else str(size) for size in self.shape)
        return f"{self.datatype} [{sizes}]"


class Session:
    """A loaded model. `run` may be called by several threads at once."""

    def __init__(self, model: Path, threads: int = 0) -> None:
        """Loads the file.

        Args:
            model: The ONNX file.
            threads: That one request may use; as many as this process has cores when 0.

        Raises:
            UserError: it is no ONNX model, or has inputs or outputs that cannot be served.
        """
        self.cores = threads or _cores()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.cores
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # servers share the machine
        try:
            self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's exceptions have no common base
            raise UserError(f"{model}: ONNX Runtime cannot load it: {' '.join(str(error).split())}") from error
        self.inputs = _places(self._session.get_inputs(), f"{model}: input")
        self.outputs = _places(self._session.get_outputs(), f"{model}: output")
        self._by_name = {place.name: place for place in self.inputs}
        self._all = [place.name for place in self.outputs]
        self._places = {place.name: place for place in self.outputs}

    def run(self, request: Message) -> Message:
        """The outputs that are asked for.

        Inputs go by name; where the model has one input and the request one tensor, whatever its name. Numbers of
        another type are taken where no value changes by more than rounding: clients send FP64 where models were
        trained in FP32, and JSON has no whole numbers.

        Raises:
            BadRequest: a name, shape or type is none of the model's.
        """
        feed = self._feed(request.tensors)
        asked = list(request.requested) or self._all
        for name in asked:
            if name not in self._places:
                raise BadRequest(f"output {name}: the model has none of this name; it has {_listed(self._all)}")
        try:
            values = self._session.run(asked, feed)
        except Exception as error:  # a shape that only the graph's insides refuse
            raise BadRequest(f"the model cannot be run on this: {' '.join(str(error).split())}") from error
        return Message(tuple(_tensor(self._places[name], value) for name, value in zip(asked, values, strict=True)))

    def _feed(self, tensors: Sequence[Tensor]) -> dict[str, npt.NDArray[Any]]:
        if len(tensors) == 1 and len(self.inputs) == 1:
            return {self.inputs[0].name: _fitting(tensors[0], self.inputs[0])}
        names = [tensor.name for tensor in tensors]
        if sorted(names) != sorted(self._by_name):
            raise BadRequest(f"inputs: must be {_listed(self._by_name)}, got {_listed(names)}")
        return {tensor.name: _fitting(tensor, self._by_name[tensor.name]) for tensor in tensors}


def _fitting(tensor: Tensor, place: Place) -> npt.NDArray[Any]:
    shape = tensor.data.shape
    if len(shape) != len(place.shape) or any(
        want not in (-1, got) for want, got in zip(place.shape, shape, strict=False)
    ):
        raise BadRequest(f"input {tensor.name}: must be {place.rule}, got {tensor.datatype} {list(shape)}")
    data = cast(tensor.data, place.datatype, f"input {tensor.name}")
    return _text(tensor.name, data) if place.datatype == "BYTES" else data


def _text(name: str, data: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Strings of ONNX are UTF-8."""
    try:
        decoded = [each.decode() if isinstance(each, bytes) else str(each) for each in data.flat]
    except UnicodeDecodeError as error:
        raise BadRequest(f"input {name}: must be text in UTF-8: {error}") from error
    return np.array(decoded, object).reshape(data.shape)


def _tensor(place: Place, value: Any) -> Tensor:
    if place.maps:
        columns = list(value[0]) if value else []
        matrix = np.array([[row[column] for column in columns] for row in value], np.float32)
        return Tensor(place.name, "FP32", matrix, {"names": [str(column) for column in columns]})
    if place.datatype == "BYTES":
        flat = [each if isinstance(each, bytes) else str(each).encode() for each in value.flat]
        data = np.empty(len(flat), object)
        data[:] = flat
        return Tensor(place.name, "BYTES", data.reshape(value.shape))
    array = np.ascontiguousarray(value)
    return Tensor(place.name, DATATYPES[str(array.dtype)], array)


def _places(values: Sequence[Any], where: str) -> tuple[Place, ...]:
    places, mistakes = [], []
    for value in values:
        if value.type in _MAPS:
            places.append(Place(value.name, "FP32", (-1, -1), maps=True))
        elif value.type in _TYPES:
            sizes = tuple(size if isinstance(size, int) and size > 0 else -1 for size in value.shape)
            places.append(Place(value.name, _TYPES[value.type], sizes))
        else:
            mistakes.append(
                f"{where} {value.name}: is a {value.type}: must be one of {', '.join(TYPES)} (export it so)"
            )
    if mistakes:
        raise UserError("\n".join(mistakes))
    return tuple(places)


def _cores() -> int:
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return count or 1


def _listed(names: Sequence[str] | Mapping[str, Any]) -> str:
    return ", ".join(names) or "none"
