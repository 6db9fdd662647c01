"""What all models of `project.yaml` share: strictness, camel-case keys, and the field's common types."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints
from pydantic.alias_generators import to_camel

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_SIZES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


class Model(BaseModel):
    """A part of the file: frozen, unknown keys refused, keys in camel case."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


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


def _duration(value: str) -> str:
    seconds(value)
    return value


def _size(value: str) -> str:
    size(value)
    return value


def _run(value: str) -> str:
    if not value.strip():
        raise ValueError("must be a function, such as train:train, or a command, such as python train.py")
    return value


Name = Annotated[str, StringConstraints(pattern=r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$")]
"""A name that becomes part of Kubernetes names: lower-case letters, digits and dashes, at most 40."""
Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")]
"""A name that becomes an argument of a Python function."""
MetricName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.@/-]{0,99}$")]
Duration = Annotated[str, AfterValidator(_duration)]
Size = Annotated[str, AfterValidator(_size)]
Run = Annotated[str, AfterValidator(_run)]
"""`module:function` of the project's folder, or a command with its arguments."""
Cron = Annotated[str, StringConstraints(pattern=r"^(\S+\s+){4}\S+$")]
Scalar = bool | int | float | str
ScalarType = Literal["number", "integer", "boolean", "text"]

FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def is_function(run: str) -> bool:
    """Whether `run` names a Python function, not a command."""
    return FUNCTION.fullmatch(run) is not None


def plain(model: BaseModel) -> dict[str, Any]:
    """The model as the file would say it, every default filled in."""
    return model.model_dump(mode="json", by_alias=True)
