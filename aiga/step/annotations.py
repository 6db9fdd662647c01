"""Whether an argument fits the annotation that the function gives it."""

from __future__ import annotations

import types
import typing
from pathlib import Path
from typing import Any

_NAMES = {bool: "true or false (bool)", int: "a whole number (int)", float: "a number (float)", str: "a text (str)"}


def fitted(value: Any, annotation: Any) -> tuple[Any, str]:
    """The value as it is passed, and what is wrong with it ('' if nothing).

    Scalars keep their type, except that a text becomes a Path where one is asked for, and a path a text where only
    that is. Annotations of other kinds than scalars, paths, unions and literals are not judged.
    """
    options = _options(annotation)
    if isinstance(value, Path):
        return _path(value, options)
    if any(_takes(option, value) for option in options):
        return value, ""
    if isinstance(value, str) and Path in options:
        return Path(value), ""
    allowed = " or ".join(_name(option) for option in options)
    return value, f"must be {allowed} as the function's annotation says, got {value!r} ({type(value).__name__})"


def _path(value: Path, options: list[Any]) -> tuple[Any, str]:
    if any(not isinstance(option, type) or issubclass(Path, option) for option in options):
        return value, ""
    if str in options:
        return str(value), ""
    allowed = " or ".join(_name(option) for option in options)
    return value, f"is a file or folder, given as pathlib.Path, and the function's annotation says {allowed}"


def _options(annotation: Any) -> list[Any]:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return [option for each in typing.get_args(annotation) for option in _options(each)]
    if typing.get_origin(annotation) is typing.Annotated:
        return _options(typing.get_args(annotation)[0])
    return [annotation]


def _takes(option: Any, value: Any) -> bool:
    if typing.get_origin(option) is typing.Literal:
        return any(value == each and type(value) is type(each) for each in typing.get_args(option))
    if option is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if option is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if option in (bool, str):
        return isinstance(value, option)
    return option not in (Path, type(None))


def _name(option: Any) -> str:
    if option is type(None):
        return "None"
    return _NAMES.get(option) or getattr(option, "__name__", None) or str(option)
