"""The contract of a dataset: what its columns and rows must be like. A breach stops the run before training."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, model_validator

from aiga.spec.base import Model, Scalar, broken


class Column(Model):
    """What one column must hold."""

    type: Literal["integer", "number", "text", "boolean", "datetime"] | None = Field(
        default=None, description="Type of its values; any when left out."
    )
    nulls: bool = Field(default=False, description="Whether values may be missing.")
    unique: bool = Field(default=False, description="Whether every value must differ from every other.")
    min: float | None = Field(default=None, description="Least value.")
    max: float | None = Field(default=None, description="Greatest value.")
    values: tuple[Scalar, ...] | None = Field(default=None, description="The only values that there may be.")
    pattern: str | None = Field(default=None, description="Regular expression that text must match as a whole.")
    required: bool = Field(default=True, description="Whether the column must be there.")

    @model_validator(mode="after")
    def _possible(self) -> Column:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise broken(f"min {self.min:g} is above max {self.max:g}", "swap them")
        try:
            re.compile(self.pattern or "")
        except re.error as reason:
            raise broken(f"pattern is no regular expression: {reason}", "such as [a-z]+") from None
        return self


class Rows(Model):
    """How many rows there must be, and how many may be alike."""

    min: int = Field(default=1, ge=0, description="Least number of rows.")
    max: int | None = Field(default=None, ge=0, description="Greatest number of rows.")
    duplicates: bool = Field(default=True, description="Whether two rows may be alike in every column.")

    @model_validator(mode="after")
    def _possible(self) -> Rows:
        if self.max is not None and self.min > self.max:
            raise broken(f"min {self.min} is above max {self.max}", "swap them")
        return self


class Expectation(Model):
    """The contract of one dataset: a CSV, Parquet or JSON-lines file, or an .npz of arrays named like columns."""

    columns: dict[str, Column] = Field(default={}, description="By name, what each column must hold.")
    only: bool = Field(default=False, description="Whether other columns than these are refused.")
    rows: Rows = Field(default=Rows(), description="How many rows there must be.")
