"""What all models of `project.yaml` share: strictness, camel-case keys, and the field's common types."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from aiga.names import LATEST, STAGES
from aiga.spec import cron

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_SIZES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


class Model(BaseModel):
    """A part of the file: frozen, unknown keys and numbers that are none refused, keys in camel case."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True, allow_inf_nan=False
    )


def broken(rule: str, remedy: str) -> PydanticCustomError:
    """The error that a validator raises: the rule that a value breaks, and what to do."""
    return PydanticCustomError("rule", "{rule}", {"rule": rule, "remedy": remedy})


def seconds(duration: str) -> float:
    """Seconds in a duration such as `1h30m` or `250ms`.

    Raises:
        ValueError: it is not a duration.
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", duration)
    if not parts or "".join(number + unit for number, unit in parts) != duration:
        raise ValueError("must be a duration: numbers with a unit of ms, s, m, h or d, such as 10m or 1h30m")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def delta(duration: str) -> timedelta:
    return timedelta(seconds=seconds(duration))


def size(quantity: str) -> int:
    """Bytes in a quantity such as `512Mi` or `2G`.

    Raises:
        ValueError: it is not a quantity.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([kMGT]|[KMGT]i)?", quantity)
    if not found:
        raise ValueError("must be a size in bytes: a number with k, M, G, T, Ki, Mi, Gi or Ti, such as 512Mi")
    return int(float(found[1]) * _SIZES[found[2] or ""])


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("it is not text")
    return value


def _duration(value: object) -> object:
    try:
        seconds(_text(value))
    except ValueError:
        raise broken("must be a duration: numbers with a unit of ms, s, m, h or d", "such as 10m or 1h30m") from None
    return value


def _size(value: object) -> object:
    try:
        size(_text(value))
    except ValueError:
        raise broken("must be a size in bytes: a number with k, M, G, T, Ki, Mi, Gi or Ti", "such as 512Mi") from None
    return value


def _run(value: object) -> object:
    if not isinstance(value, str) or not value.strip():
        raise broken("must name what is run", "a function, such as train:train, or a command, such as python train.py")
    return value


def _cron(value: object) -> object:
    try:
        cron.times(_text(value))
    except ValueError as reason:
        raise broken(f"must be a cron line: {reason}", 'such as "0 3 * * 0", Sundays at three') from None
    return value


NAME = r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$"
IDENTIFIER = r"^[A-Za-z_][A-Za-z0-9_]{0,62}$"
SOURCE = r"^[A-Za-z_][A-Za-z0-9_-]{0,62}$"
METRIC = r"^[A-Za-z_][A-Za-z0-9_.@/-]{0,99}$"
_AT = rf"@([1-9]\d{{0,8}}|{'|'.join((*STAGES, LATEST))})"
ADDRESS = rf"^({NAME[1:-1]}({_AT})?|{_AT})$"
HEADER = r"^[A-Za-z0-9-]{1,64}$"
WORDING = {
    NAME: ("must be at most 40 lower-case letters, digits and inner dashes, a letter first", "such as my-data-2"),
    IDENTIFIER: ("must be at most 63 letters, digits and underscores, no digit first", "such as learning_rate"),
    SOURCE: ("must be at most 63 letters, digits, dashes and underscores, a letter first", "such as raw_orders"),
    ADDRESS: (
        "must be a project's name, with @ and a version or a stage",
        "such as digits, digits@3 or digits@staging",
    ),
    HEADER: ("must be at most 64 letters, digits and dashes", "such as x-user"),
    METRIC: ("must be at most 100 letters, digits and any of _ . @ / -, a letter first", "such as val_accuracy"),
}
"""Pattern to the rule and the remedy as a message says them."""

Name = Annotated[str, StringConstraints(pattern=NAME)]
"""A name that becomes part of Kubernetes names."""
Identifier = Annotated[str, StringConstraints(pattern=IDENTIFIER)]
"""A name that becomes an argument of a Python function."""
SourceName = Annotated[str, StringConstraints(pattern=SOURCE)]
MetricName = Annotated[str, StringConstraints(pattern=METRIC)]
ModelAddress = Annotated[str, StringConstraints(pattern=ADDRESS)]
"""A model of the registry: in production where it names no version, of this project where it names none."""
HeaderName = Annotated[str, StringConstraints(pattern=HEADER)]
Duration = Annotated[
    str,
    BeforeValidator(_duration),
    WithJsonSchema({"type": "string", "pattern": r"^(\d+(\.\d+)?(ms|s|m|h|d))+$", "examples": ["10m", "1h30m"]}),
]
Size = Annotated[
    str,
    BeforeValidator(_size),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?([kMGT]|[KMGT]i)?$", "examples": ["512Mi", "2G"]}),
]
Run = Annotated[
    str,
    BeforeValidator(_run),
    WithJsonSchema({"type": "string", "pattern": r"\S", "examples": ["train:train", "python train.py"]}),
]
"""`module:function` of the project's folder, or a command with its arguments."""
Cron = Annotated[
    str,
    BeforeValidator(_cron),
    WithJsonSchema({"type": "string", "pattern": r"^\s*(\S+\s+){4}\S+\s*$", "examples": ["0 3 * * 0"]}),
]
"""Minute, hour, day of the month, month and day of the week, in UTC."""
Scalar = bool | int | float | str
ScalarType = Literal["number", "integer", "boolean", "text"]

FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def is_function(run: str) -> bool:
    """Whether `run` names a Python function, not a command."""
    return FUNCTION.fullmatch(run) is not None


def plain(model: BaseModel) -> dict[str, Any]:
    """The model as the file would say it, every default filled in."""
    return model.model_dump(mode="json", by_alias=True)
