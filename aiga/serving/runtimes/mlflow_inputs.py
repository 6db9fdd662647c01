"""Inputs of MLflow models, as clients of all protocols send them.

MLServer's runtime takes what the model's signature says to the letter, and without a signature nothing that does not
name a codec. Here a matrix is taken for columns, a number for one of another type where no value changes, and a
request that names a codec is left as it is.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from mlserver import MLModel
from mlserver.codecs import numpy as mlserver_numpy
from mlserver.types import Datatype, InferenceRequest, MetadataTensor, Parameters, RequestInput, TensorData

from aiga.serving.messages import BadRequest, Tensor
from aiga.serving.protocols import payloads
from aiga.serving.protocols.arrays import cast
from aiga.serving.runtimes.answering import tensor_of

PANDAS, NUMPY, DICT = "pd", "np", "dict"
"""Codecs of MLServer: a table, one array, arrays by name."""
_SAID, _ANSWERED = "output-0", "output-1"
"""What MLServer calls an output without a name: in the metadata, and in the answer."""


@cache
def prepare() -> None:
    """Lets MLServer 1.7.1 load a signature without outputs, and answer text of pandas 3, a type it does not know."""
    runtime: Any = importlib.import_module("mlserver_mlflow.runtime")
    mlserver_numpy._NumpyToDatatype.setdefault("O", Datatype.BYTES)
    tell = runtime.to_metadata_tensors
    runtime.to_metadata_tensors = lambda schema, prefix: [] if schema is None else tell(schema, prefix)


def describe(model: MLModel) -> None:
    """Makes the metadata that MLServer read from the signature say what is so.

    A column has one dimension, which lets TensorFlow's protocol have rows of plain values.
    """
    if model.settings.parameters.content_type == PANDAS:
        model.inputs = [each.model_copy(update={"shape": [-1]}) for each in model.inputs]
    if [each.name for each in model.outputs or ()] == [_SAID]:
        model.outputs = [model.outputs[0].model_copy(update={"name": _ANSWERED})]


def fitted(model: MLModel, request: InferenceRequest) -> InferenceRequest:
    """The request with its inputs as the model's signature wants them.

    Raises:
        BadRequest: they cannot be: a matrix has other columns, or a number is out of range.
    """
    if not request.inputs or (request.parameters and request.parameters.content_type):
        return request
    tensors = [tensor_of(given) for given in request.inputs]
    specs = model.inputs or []
    codec = model.settings.parameters.content_type
    if codec == PANDAS:
        tensors = _columns(tensors, [spec.name for spec in specs])
    elif not specs:
        codec, tensors = _unsigned(tensors)
    elif len(tensors) == len(specs) == 1:
        tensors = [replace(tensors[0], name=specs[0].name)]
    inputs = [_input(tensor) for tensor in _cast(tensors, specs)]
    parameters = (request.parameters or Parameters()).model_copy(update={"content_type": codec})
    return request.model_copy(update={"inputs": inputs, "parameters": parameters})


def _columns(tensors: list[Tensor], names: Sequence[str]) -> list[Tensor]:
    """A lone matrix as columns of these names, or of its own."""
    only = tensors[0]
    if len(tensors) > 1 or (only.name in names and only.data.size == len(only.data)):
        return tensors
    names = payloads.names(only, False) or names
    if only.shape[1:] != (len(names),):
        takes = ", ".join(names)
        raise BadRequest(f"input {only.name}: has shape {list(only.shape)}; the model takes columns {takes}")
    return [Tensor(name, only.datatype, only.data[:, index]) for index, name in enumerate(names)]


def _unsigned(tensors: list[Tensor]) -> tuple[str, list[Tensor]]:
    """The codec for a model without a signature: a table where columns have names, else arrays."""
    if len(tensors) == 1:
        names = payloads.names(tensors[0], False)
        return (PANDAS, _columns(tensors, names)) if names else (NUMPY, tensors)
    rows = len(tensors[0].data)
    table = all(tensor.shape in ((rows,), (rows, 1)) for tensor in tensors)
    return (PANDAS if table else DICT), tensors


def _cast(tensors: list[Tensor], specs: Sequence[MetadataTensor]) -> list[Tensor]:
    wanted = {spec.name: str(spec.datatype) for spec in specs}
    return [
        replace(tensor, datatype=datatype, data=cast(tensor.data, datatype, f"input {tensor.name}"))
        for tensor in tensors
        for datatype in [wanted.get(tensor.name, tensor.datatype)]
    ]


def _input(tensor: Tensor) -> RequestInput:
    said: dict[str, Any] = {key: value for key, value in tensor.parameters.items() if key != payloads.NAMES}
    data = tensor.data.ravel().tolist()
    if tensor.datatype != "BYTES":
        said.setdefault("content_type", NUMPY)
    else:
        data = [_text(element) for element in data]
    return RequestInput(
        name=tensor.name,
        datatype=tensor.datatype,
        shape=list(tensor.shape),
        data=TensorData(root=data),
        parameters=Parameters(**said) if said else None,
    )


def _text(element: bytes) -> str | bytes:
    """Text as JSON would have brought it."""
    try:
        return element.decode()
    except UnicodeDecodeError:
        return element
