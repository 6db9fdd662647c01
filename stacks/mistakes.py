"""Mistakes in the configuration: how each is worded, and how all of them are found in one pass."""

from __future__ import annotations

import copy
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

ModelT = TypeVar("ModelT", bound=BaseModel)

HIDDEN = "[secret]"
_LONGEST_VALUE = 60
_TYPES = {
    "bool_type": ("must be true or false", "without quotes"),
    "int_type": ("must be a whole number", "such as 2, without quotes"),
    "string_type": ("must be a string", "put it in quotes"),
    "tuple_type": ("must be a list", "one item a line, each after a hyphen"),
    "dict_type": ("must be a map", "key: value, indented under it"),
    "model_type": ("must be a map", "key: value, indented under it"),
    "string_too_short": ("must not be empty", "leave the key out for its default"),
}


@dataclass(frozen=True, order=True)
class Mistake:
    """One wrong value: where, what, the rule it breaks, and what to do."""

    path: str
    """Key without `aiga:`, dots between levels: objectStore.buckets[0]."""
    value: str
    rule: str
    remedy: str
    uses: frozenset[str] = field(default=frozenset(), compare=False)
    """Other keys that the rule looks at."""

    def concerns(self, paths: Collection[str]) -> bool:
        """Whether the rule looks at one of these keys, which makes it say nothing when they are wrong."""
        return any(_overlap(mine, path) for mine in {self.path, *self.uses} for path in paths)

    def __str__(self) -> str:
        return f"{self.path}: {self.value}: {self.rule} ({self.remedy})"


def _overlap(one: str, other: str) -> bool:
    shorter, longer = sorted((one, other), key=len)
    return longer == shorter or longer.startswith((f"{shorter}.", f"{shorter}["))


def typed(raw: Mapping[str, str], model: type[BaseModel]) -> tuple[dict[str, Any], list[Mistake]]:
    """Turn raw strings into the values their fields expect; what cannot be turned is a mistake."""
    fields = _by_alias(model)
    data: dict[str, Any] = {}
    mistakes: list[Mistake] = []
    for key, text in raw.items():
        info = fields.get(key)
        if info is None:
            mistakes.append(unknown_key(key, text, fields))
            continue
        base = _base(info)
        value = _value(text, base)
        if value is None:
            rule, remedy = _TYPES[_kind(base)]
            mistakes.append(Mistake(key, shown(text), rule, remedy))
        elif not (value == "" and _optional(info)):
            data[key] = _without_empty(value, base)
    return data, mistakes


def build(model: type[ModelT], data: Mapping[str, Any]) -> tuple[ModelT, list[Mistake]]:
    """Return the model and its mistakes; a wrong value is replaced by its default, so that rules can still run."""
    rest: dict[str, Any] = copy.deepcopy(dict(data))
    mistakes: list[Mistake] = []
    while True:
        try:
            return model.model_validate_json(json.dumps(rest), strict=True, by_name=False, by_alias=True), mistakes
        except ValidationError as error:
            for found in error.errors(include_url=False):
                mistakes.append(_mistake(model, found, data))
                _drop(rest, _place(found))


def unknown_key(path: str, value: object, known: Collection[str]) -> Mistake:
    """Return the mistake of a key that nothing reads, with the nearest one that something does."""
    parent, _, name = path.rpartition(".")
    near = _nearest(name, known)
    where = f"{parent}." if parent else ""
    remedy = f"did you mean {where}{near}?" if near else f"known here: {', '.join(sorted(known))}"
    return Mistake(path, shown(value), "unknown key", remedy)


def shown(value: object) -> str:
    """Return a value as a message shows it: short, on one line."""
    text = value if isinstance(value, str) and value else json.dumps(value)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"


def _mistake(model: type[BaseModel], found: ErrorDetails, data: Mapping[str, Any]) -> Mistake:
    loc, kind, message, context = _place(found), found["type"], found["msg"], found.get("ctx", {})
    path = _path(loc)
    value = loc[-1] if loc != found["loc"] else _at(data, loc)
    owner = _model_at(model, loc[:-1])
    if kind == "extra_forbidden":
        return unknown_key(path, value, _by_alias(owner) if owner else ())
    if _is_secret(owner, loc[-1]) or context.get("hidden"):
        value = HIDDEN
    if kind in ("choice", "literal_error"):
        choices = _choices(context)
        near = _nearest(str(value), choices)
        remedy = f"did you mean {near}?" if near else f"such as {choices[0]}"
        return Mistake(path, shown(value), f"must be one of {', '.join(choices)}", remedy)
    if kind == "rule":
        return Mistake(path, shown(value), message, str(context["remedy"]))
    if kind == "greater_than_equal":
        return Mistake(path, shown(value), f"must be at least {context['ge']}", "count upwards")
    rule, remedy = _TYPES.get(kind, (message, "see docs/configuration.md"))
    return Mistake(path, value if value == HIDDEN else shown(json.dumps(value)), rule, remedy)


def _place(found: ErrorDetails) -> tuple[str | int, ...]:
    """Return where it is; of a map's key that is wrong itself, the place of its value."""
    loc = found["loc"]
    return loc[:-1] if loc[-1] == "[key]" else loc


def _choices(context: Mapping[str, Any]) -> list[str]:
    return [part.strip(" '") for part in str(context["expected"]).replace(" or ", ", ").split(",")]


def _nearest(name: str, known: Collection[str]) -> str | None:
    lowered = {candidate.lower(): candidate for candidate in known}
    found = get_close_matches(name.lower().replace("_", "").replace("-", ""), list(lowered), n=1, cutoff=0.6)
    return lowered[found[0]] if found else None


def _by_alias(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {info.alias or name: info for name, info in model.model_fields.items()}


def _optional(info: FieldInfo) -> bool:
    return type(None) in get_args(info.annotation)


def _base(info: FieldInfo) -> Any:
    """Return the field's type without `| None` and what is checked beside it."""
    if not _optional(info):
        return info.annotation
    base = next(part for part in get_args(info.annotation) if part is not type(None))
    return base.__origin__ if hasattr(base, "__metadata__") else base


def _kind(base: Any) -> str:
    if base is bool:
        return "bool_type"
    if base is int:
        return "int_type"
    return "dict_type" if _is_map(base) else "tuple_type"


def _is_map(base: Any) -> bool:
    return get_origin(base) is dict or (isinstance(base, type) and issubclass(base, BaseModel))


def _value(text: str, base: Any) -> Any:
    """Return the text as `base` expects it, or None when it is not of that type."""
    if base is bool:
        return {"true": True, "false": False, "": ""}.get(text)
    if base is int:
        return int(text) if text.removeprefix("-").isdigit() else None
    if not _is_map(base) and get_origin(base) is not tuple:
        return text
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return None
    return value if isinstance(value, dict if _is_map(base) else list) else None


def _without_empty(value: Any, base: Any) -> Any:
    """Leave out what is written but empty where empty means "choose for me"."""
    if not (isinstance(base, type) and issubclass(base, BaseModel)):
        return value
    fields = _by_alias(base)
    return {
        key: _without_empty(item, _base(fields[key])) if key in fields and isinstance(item, dict) else item
        for key, item in value.items()
        if not (item in ("", None) and key in fields and _optional(fields[key]))
    }


def _path(loc: Sequence[str | int]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).removeprefix(".")


def _at(data: Any, loc: Sequence[str | int]) -> Any:
    for part in loc:
        data = data[part]
    return data


def _drop(data: Any, loc: Sequence[str | int]) -> None:
    """Remove a wrong value; an item of a list takes the list along, so that indices stay true."""
    keys = list(loc)
    while isinstance(keys[-1], int):
        keys.pop()
    try:
        parent = _at(data, keys[:-1])
    except (KeyError, IndexError):
        return
    parent.pop(keys[-1], None)


def _model_at(model: type[BaseModel], loc: Sequence[str | int]) -> type[BaseModel] | None:
    current: Any = model
    for part in loc:
        if not (isinstance(current, type) and issubclass(current, BaseModel)):
            return None
        info = _by_alias(current).get(str(part))
        current = _base(info) if info else None
    return current if isinstance(current, type) and issubclass(current, BaseModel) else None


def _is_secret(owner: type[BaseModel] | None, name: str | int) -> bool:
    info = _by_alias(owner).get(str(name)) if owner else None
    return info is not None and _base(info) is SecretStr
