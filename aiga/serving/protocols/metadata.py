"""What a model takes and gives, as its server tells: names, data types and shapes of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aiga.serving.messages import BadRequest, Message


@dataclass(frozen=True)
class TensorSpec:
    """An input or an output."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    """-1 is any size."""

    def takes(self, shape: tuple[int, ...]) -> bool:
        """Whether an array of that shape can be it."""
        return len(shape) == len(self.shape) and all(
            own in (-1, given) for own, given in zip(self.shape, shape, strict=True)
        )


@dataclass(frozen=True)
class ModelMetadata:
    """A model."""

    name: str
    versions: tuple[str, ...] = ()
    platform: str = ""
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()


@dataclass(frozen=True)
class ServerMetadata:
    """A server."""

    name: str
    version: str
    extensions: tuple[str, ...] = ()


def check(message: Message, inputs: Sequence[TensorSpec]) -> None:
    """Compares a request with what its model takes; a model that tells nothing takes everything.

    Raises:
        BadRequest: an input is missing, unknown, or has another data type or shape.
    """
    if not inputs:
        return
    given = {tensor.name: tensor for tensor in message.tensors}
    names = ", ".join(spec.name for spec in inputs)
    for name in given.keys() - {spec.name for spec in inputs}:
        raise BadRequest(f"input {name}: is unknown; the model takes {names}")
    for spec in inputs:
        if spec.name not in given:
            raise BadRequest(f"input {spec.name}: is missing; the model takes {names}")
        tensor = given[spec.name]
        if tensor.datatype != spec.datatype:
            raise BadRequest(f"input {spec.name}: is {tensor.datatype}; the model takes {spec.datatype}")
        check_shape(tensor.shape, spec, f"input {spec.name}")


def check_shape(shape: tuple[int, ...], spec: TensorSpec, where: str) -> None:
    """Raises BadRequest when an array of that shape cannot be `spec`."""
    if not spec.takes(shape):
        raise BadRequest(f"{where}: has shape {list(shape)}; {spec.name} takes {list(spec.shape)} (-1 is any size)")
