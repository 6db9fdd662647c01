"""The search for parameters: how trials are suggested, pruned and ranked."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias, TypeVar

from pydantic import Discriminator, Field, Tag, model_validator

from aiga.spec.base import Duration, Identifier, MetricName, Model, Scalar, broken

M = TypeVar("M", bound=Model)
Number: TypeAlias = float
Whole: TypeAlias = int
"""The types by other names: the keys of the dimensions take theirs."""


class FloatRange(Model):
    """Any number of a range."""

    float: tuple[Number, Number] = Field(description="Least and greatest value.")
    step: Annotated[Number, Field(gt=0)] | None = Field(default=None, description="Distance of two values.")

    @model_validator(mode="after")
    def _rises(self) -> FloatRange:
        return _rising(self, self.float)


class LogRange(Model):
    """Numbers whose logarithms are spread evenly."""

    log: tuple[Number, Number] = Field(description="Least and greatest value, both above 0.")

    @model_validator(mode="after")
    def _rises(self) -> LogRange:
        if self.log[0] <= 0:
            raise broken("log must begin above 0", "such as log: [0.0001, 0.1]")
        return _rising(self, self.log)


class IntRange(Model):
    """Whole numbers of a range."""

    int: tuple[Whole, Whole] = Field(description="Least and greatest value.")
    step: Annotated[Whole, Field(gt=0)] = Field(default=1, description="Distance of two values.")

    @model_validator(mode="after")
    def _rises(self) -> IntRange:
        return _rising(self, self.int)


class Choice(Model):
    """One of some values."""

    choice: tuple[Scalar, ...] = Field(min_length=1, description="The values.")


def _rising(model: M, ends: tuple[Number, Number]) -> M:
    if ends[0] > ends[1]:
        raise broken(f"must rise from least to greatest, got {ends[0]:g} to {ends[1]:g}", "swap them")
    return model


def _kind(value: object) -> str | None:
    keys = value.keys() if isinstance(value, dict) else type(value).model_fields if isinstance(value, Model) else ()
    return next((kind for kind in ("float", "log", "int", "choice") if kind in keys), None)


Dimension = Annotated[
    Annotated[FloatRange, Tag("float")]
    | Annotated[LogRange, Tag("log")]
    | Annotated[IntRange, Tag("int")]
    | Annotated[Choice, Tag("choice")],
    Discriminator(
        _kind,
        custom_error_type="dimension",
        custom_error_message="must be one of {float: [low, high]}, {log: [low, high]}, {int: [low, high]}, "
        "{choice: [values]}",
    ),
]
"""Values that one parameter may take."""


class Objective(Model):
    """What makes one trial better than another."""

    metric: MetricName = Field(description="Metric that training reports.")
    goal: Literal["max", "min"] = Field(default="max", description="Whether more or less of it is better.")


class Pruning(Model):
    """Trials that look hopeless by what they report on the way are stopped."""

    method: Literal["median", "asha"] = Field(description="Worse than the median so far, or successive halving.")
    warmup: int = Field(default=1, ge=0, description="Reports of a trial before it may be stopped.")
    startup: int = Field(default=4, ge=0, description="Finished trials before any may be stopped (median).")
    reduction: int = Field(default=3, ge=2, description="One of so many trials goes on at each rung (asha).")


class Search(Model):
    """A search over the training step's parameters."""

    method: Literal["grid", "random", "tpe"] = Field(default="tpe", description="How parameters are suggested.")
    trials: int = Field(default=20, ge=1, le=10_000, description="How many sets of parameters are tried.")
    parallel: int = Field(default=1, ge=1, le=256, description="How many at the same time.")
    space: dict[Identifier, Dimension] = Field(min_length=1, description="Parameter to the values it may take.")
    objective: Objective = Field(description="What is sought.")
    prune: Pruning | None = Field(default=None, description="Stops hopeless trials; none are when left out.")
    budget: Duration | None = Field(default=None, description="No trial begins after this time.")
    seed: int = Field(default=0, ge=0, description="Seed of the suggestions.")
    retrain: bool = Field(default=False, description="Whether the winner is trained anew, or taken as it is.")
    max_failures: int = Field(default=0, ge=0, description="How many trials may fail before the search does.")
