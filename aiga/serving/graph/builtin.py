"""What a router and a combiner do that name no class: Seldon's RANDOM_ABTEST and AVERAGE_COMBINER."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Literal

import numpy as np

from aiga.serving.messages import Message, ServingError, Tensor
from aiga.spec.serve import RATIO, Unit, is_share

Builtin = Literal["RANDOM_ABTEST", "AVERAGE_COMBINER"]


def of(unit: Unit) -> Builtin | None:
    """Seldon's name of what a unit does without a server of its own; None for one that has a server."""
    if unit.run is None and unit.kind == "router":
        return "RANDOM_ABTEST"
    if unit.run is None and unit.kind == "combiner":
        return "AVERAGE_COMBINER"
    return None


def broken(unit: Unit) -> str | None:
    """The rule that a unit without a class breaks, and the remedy."""
    if of(unit) != "RANDOM_ABTEST":
        return None
    ratio = unit.parameters.get(RATIO, 0.5)
    if not is_share(ratio):
        return f"{RATIO}: {ratio}: must be a share from 0 to 1 (such as 0.5)"
    if len(unit.children) != 2:
        return f"{len(unit.children)} children: a router without run chooses between two (add run: module:Class)"
    return None


def answer(unit: Unit, messages: Sequence[Message]) -> Message:
    """What it answers.

    Raises:
        ServingError: the messages cannot be averaged.
    """
    return average(messages) if of(unit) == "AVERAGE_COMBINER" else _either(float(unit.parameters.get(RATIO, 0.5)))


def average(messages: Sequence[Message]) -> Message:
    """The first message with the mean of all in each tensor.

    Tensors belong together by their place, as those of equal models do, and must have equal shapes. Where a message
    holds numbers with a fraction, only these are averaged and the rest is left out: labels have no mean.

    Raises:
        ServingError: numbers or shapes of tensors differ, or there is nothing to average.
    """
    columns = [_averaged(message) for message in messages]
    first = columns[0]
    for index, column in enumerate(columns):
        shapes = [tensor.shape for tensor in column]
        if shapes != [tensor.shape for tensor in first]:
            expected = [tensor.shape for tensor in first]
            raise ServingError(500, f"shapes {shapes} of child {index} are not those of child 0, {expected}")
    if not first:
        raise ServingError(500, "the answers hold no numbers to average")
    means = [np.mean([tensor.data for tensor in place], axis=0) for place in zip(*columns, strict=True)]
    tensors = [
        Tensor(tensor.name, tensor.datatype, mean.astype(tensor.data.dtype), tensor.parameters)
        if tensor.data.dtype.kind == "f"
        else Tensor(tensor.name, "FP64", mean.astype(np.float64))
        for tensor, mean in zip(first, means, strict=True)
    ]
    return messages[0].with_(tensors=tuple(tensors))


def _averaged(message: Message) -> list[Tensor]:
    fractions = [tensor for tensor in message.tensors if tensor.data.dtype.kind == "f"]
    return fractions or [tensor for tensor in message.tensors if tensor.data.dtype.kind in "iu"]


def _either(ratio: float) -> Message:
    way = 0 if random.random() < ratio else 1
    return Message((Tensor("route", "INT32", np.array([way], np.int32)),))
