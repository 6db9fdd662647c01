"""Rules of v2 that hold on REST and on gRPC alike: names, data types, parameters, which outputs are wanted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aiga.serving.messages import TYPES, BadRequest, Tensor
from aiga.serving.protocols.body import dump, shown


def check_names(names: Iterable[str], where: str) -> None:
    """Raises BadRequest when a name is empty or comes twice."""
    seen: set[str] = set()
    for index, name in enumerate(names):
        if not name or name in seen:
            raise BadRequest(f"{where}[{index}].name: {shown(name)} {'comes twice' if name else 'is empty'}")
        seen.add(name)


def check_datatype(datatype: str, where: str) -> str:
    """`datatype` itself; BadRequest when the protocol knows none of that name, or we do not take it."""
    if datatype not in TYPES:
        raise BadRequest(f"{where}: is {shown(datatype)}; it must be one of {', '.join(TYPES)}")
    return datatype


def wanted(tensors: tuple[Tensor, ...], names: tuple[str, ...]) -> tuple[Tensor, ...]:
    """The outputs of these names, in their order; all when there are no names."""
    if not names:
        return tensors
    known = {tensor.name: tensor for tensor in tensors}
    for index, name in enumerate(names):
        if name not in known:
            raise BadRequest(f"outputs[{index}].name: is {shown(name)}; the model gives {', '.join(known)}")
    return tuple(known[name] for name in names)


def plain(value: Any) -> bool | int | float | str:
    """A parameter's value as the protocol allows it: lists and objects become JSON text."""
    if isinstance(value, bool | int | float | str):
        return value
    return dump(value, nan=True).decode()
