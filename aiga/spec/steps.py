"""Steps: a function or a command with files and values in, files and values out."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from aiga.spec.base import Duration, Identifier, Model, Name, Run, Scalar, ScalarType, broken
from aiga.spec.expect import Expectation
from aiga.spec.resources import Resources
from aiga.spec.search import Search


def argument(item: str) -> str:
    """The name of an item in a list of inputs: what stands behind the last dot or colon, dashes as underscores."""
    return re.split(r"[.:]", item)[-1].replace("-", "_")


def output(item: str) -> str:
    """The name of an item in a list of outputs: that of the file, before its first dot."""
    return item.rstrip("/").rpartition("/")[2].partition(".")[0]


def _by(name_of: Callable[[str], str]) -> Callable[[Any], Any]:
    """A validator that makes a map of a list of texts."""

    def mapped(value: Any) -> Any:
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
            return value
        named: dict[str, str] = {}
        for item in value:
            name = name_of(item)
            if name in named:
                raise broken(f"{named[name]} and {item} are both called {name}", "write a map, such as {a: x, b: y}")
            named[name] = item
        return named

    return mapped


_MAP_OR_LIST = dict[str, str] | list[str]
Inputs = Annotated[dict[Identifier, str], BeforeValidator(_by(argument), json_schema_input_type=_MAP_OR_LIST)]
"""Argument name to what it is: a source, an earlier step's output or value. A list stands for names like them."""
_File = Annotated[str, AfterValidator(lambda name: name.rstrip("/") or name)]
"""A folder may be written with a slash behind it."""
Outputs = Annotated[dict[Identifier, _File], BeforeValidator(_by(output), json_schema_input_type=_MAP_OR_LIST)]
"""Output name to the file (or folder) it is written to under $AIGA_OUTPUTS. A list stands for the files' names."""


class Retries(Model):
    """What is done when a step fails in a way that may pass."""

    limit: int = Field(default=0, ge=0, le=20, description="How often it is tried again.")
    delay: Duration = Field(default="5s", description="Pause before the first repetition.")
    factor: float = Field(default=2.0, ge=1, description="How much longer each further pause is.")


class Work(Model):
    """What every step has."""

    run: Run = Field(description="Function (module:function) or command.")
    inputs: Inputs = Field(default={}, alias="in", description="Argument name to source, output or value; or a list.")
    outputs: Outputs = Field(default={}, alias="out", description="Output name to file name; or a list of files.")
    returns: dict[Identifier, ScalarType] = Field(
        default={}, description="Values that the step returns, with their type; later steps take them by name."
    )
    parameters: dict[Identifier, Scalar] = Field(
        default={}, description="Keyword arguments, or flags of a command; their type here is the type they keep."
    )
    expect: dict[Identifier, Expectation] = Field(default={}, description="Output name to its contract.")
    resources: Resources | None = Field(default=None, description="Limits; the project's when left out.")
    retries: Retries | None = Field(default=None, description="Repetitions; the project's when left out.")
    timeout: Duration | None = Field(default=None, description="Longest run time; the project's when left out.")
    secrets: tuple[Name, ...] = Field(default=(), description="Secrets that the step sees in its environment.")
    cache: bool = Field(default=True, description="Whether an unchanged step is skipped.")
    image: str | None = Field(default=None, description="Container image; the project's when left out (cluster only).")


class Publication(Model):
    """A named, versioned dataset for other projects."""

    output: Identifier = Field(description="Which output of the step it is.")
    description: str = Field(default="", description="What it holds.")


class Step(Work):
    """A step of `etl`."""

    name: Name = Field(description="Its name.")
    publish: dict[Name, Publication] = Field(default={}, description="Dataset name to the output that it is.")


class Train(Work):
    """The training step: its output `model` is what is evaluated, registered and served."""

    search: Search | None = Field(default=None, description="Search for its best parameters.")
    seed: int = Field(default=0, ge=0, description="Seed: argument `seed` of the function, if it has one.")
