"""Where in the file something stands: pydantic's locations and rules' paths, as the file spells them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import Tag
from pydantic.fields import FieldInfo

from aiga.spec.base import Model
from aiga.spec.steps import argument, output

Path = tuple[str | int, ...]
ANY = "any"
"""In a path, an item of a list that is not there any more."""
Positions = dict[Path, int]
"""Path to the line that it begins on, counted from 1."""


def written(path: Sequence[str | int]) -> str:
    """The path as messages write it: `etl[0].in.raw`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".") or "(file)"


def within(path: Path, other: Path) -> bool:
    """Whether the path is the other, or a part of it."""
    return path[: len(other)] == other


def line(path: Path, positions: Positions) -> int:
    """The line of the path, or of the nearest thing that it is part of."""
    while path and path not in positions:
        path = path[:-1]
    return positions.get(path, 1)


def spelled(path: Path, data: Any) -> Path:
    """The path in the file's own spelling: an input that stands in a list is found by its index."""
    for depth, part in enumerate(path):
        if isinstance(data, list) and isinstance(part, str):
            name_of = output if path[depth - 1] == "out" else argument
            found = [index for index, item in enumerate(data) if isinstance(item, str) and name_of(item) == part]
            return (*path[:depth], *found[:1])
        data = at(data, part)
    return path


def at(data: Any, part: str | int) -> Any:
    """The entry of a map or a list, or None."""
    if isinstance(data, dict):
        return data.get(part)
    if isinstance(data, list) and isinstance(part, int) and part < len(data):
        return data[part]
    return None


def value(data: Any, path: Path) -> Any:
    """What stands at the path, or None."""
    for part in path:
        data = at(data, part)
    return data


@dataclass(frozen=True)
class Place:
    """What pydantic's location of an error means."""

    path: Path
    owner: type[Model] | None
    """The model that the path's last key is, or would be, a key of."""
    field: FieldInfo | None
    """The field that it stands in."""
    kind: Any
    """The type that is wanted there."""


def located(root: type[Model], loc: Sequence[str | int]) -> Place:
    """The place of a location, whose tags and names of unions' members are no part of the path."""
    path: list[str | int] = []
    kind: Any = root
    owner: type[Model] | None = None
    field: FieldInfo | None = None
    for part in loc:
        shape = bare(kind)
        members = alternatives(shape)
        if part in members:
            kind = members[str(part)]
            continue
        if _is_model(shape):
            owner, field = shape, by_alias(shape).get(str(part))
            kind = field.annotation if field else None
        elif get_origin(shape) in (dict, tuple) and part != "[key]":
            kind = get_args(shape)[1 if get_origin(shape) is dict else 0]
        else:
            break
        path.append(part)
    return Place(tuple(path), owner, field, kind)


def by_alias(model: type[Model]) -> dict[str, FieldInfo]:
    return {info.alias or name: info for name, info in model.model_fields.items()}


def bare(kind: Any) -> Any:
    """The type without what annotates it, and without `| None`."""
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) in (Union, UnionType):
        members = [member for member in get_args(kind) if member is not NoneType]
        return bare(members[0]) if len(members) == 1 else kind
    return kind


def alternatives(kind: Any) -> dict[str, type[Model]]:
    """The models of a union by their tags; none when it is no union of models."""
    members = get_args(bare(kind)) if get_origin(bare(kind)) in (Union, UnionType) else ()
    return {_tag(member): bare(member) for member in members if _is_model(bare(member))}


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Model)


def _tag(member: Any) -> str:
    """What pydantic calls a member: its Tag, or the only value of its `kind` or `type`."""
    for entry in get_args(member)[1:] if get_origin(member) is Annotated else ():
        if isinstance(entry, Tag):
            return entry.tag
    fields = bare(member).model_fields
    return str(get_args((fields.get("kind") or fields["type"]).annotation)[0])
