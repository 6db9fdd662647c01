"""Addresses of models: `digits` and `digits@production`, `digits@staging`, `digits@latest`, `digits@3`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from aiga.errors import UserError
from aiga.names import LATEST, STAGES
from aiga.spec.base import NAME

_WORDS = (*STAGES, LATEST)


@dataclass(frozen=True)
class ModelAddress:
    """A project, and which of its models."""

    project: str
    at: int | str = "production"
    """A version, a stage, or `latest`."""

    def __str__(self) -> str:
        return f"{self.project}@{self.at}"


def parse(address: str) -> ModelAddress:
    """The parts of a model's address; production where it names no version.

    Raises:
        UserError: it is none.
    """
    name, separator, at = address.partition("@")
    if not re.fullmatch(NAME, name):
        raise UserError(f"model {address!r}: must be the name of a project, such as digits, digits@staging or digits@3")
    return ModelAddress(name, which(at, address)) if separator else ModelAddress(name)


def which(at: int | str, address: str | None = None) -> int | str:
    """A version as a number, a stage or `latest` as it is.

    Raises:
        UserError: it is none of them.
    """
    if at in _WORDS:
        return at
    if not re.fullmatch(r"[1-9]\d{0,8}", str(at)):
        raise UserError(
            f"model {address or at!r}: the version must be a number from 1, {', '.join(_WORDS)}; got {at!r}"
        )
    return int(at)
