"""Evaluation on data that no trial saw, and the gates that a candidate must pass."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from aiga.spec.base import Duration, Identifier, MetricName, Model, ModelAddress, Name, broken
from aiga.spec.steps import Work

Computed = Literal[
    "accuracy", "balanced_accuracy", "precision", "recall", "f1", "log_loss", "roc_auc", "mae", "rmse", "r2"
]
"""Metrics that aiga computes of the table of predictions. Precision, recall and F1 are macro averages."""


class _Bounds(Model):
    metric: MetricName = Field(description="Metric that evaluation reports or computes.")
    min: float | None = Field(default=None, description="Least value that passes.")
    max: float | None = Field(default=None, description="Greatest value that passes.")

    @model_validator(mode="after")
    def _bounded(self) -> _Bounds:
        if self.min is None and self.max is None:
            raise broken("bounds nothing", "give it min, max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise broken(f"min {self.min:g} is above max {self.max:g}", "nothing would pass; swap them")
        return self


class ThresholdGate(_Bounds):
    """A metric over all of the data."""

    kind: Literal["threshold"] = Field(description="A bound on a metric.")


class SliceGate(_Bounds):
    """A metric within each group of the data."""

    kind: Literal["slice"] = Field(description="A bound on a metric in every slice.")
    by: str = Field(description="Column of the predictions whose values make the slices.")
    min_rows: int = Field(default=20, ge=1, description="Slices with fewer rows are reported and not judged.")


class GapGate(Model):
    """How far groups may be apart: fairness."""

    kind: Literal["gap"] = Field(description="A bound on the difference between groups.")
    metric: MetricName = Field(description="Metric that is compared.")
    by: str = Field(description="Column of the predictions whose values make the groups.")
    max: float = Field(ge=0, description="Greatest difference between the best and the worst group.")
    min_rows: int = Field(default=20, ge=1, description="Groups with fewer rows are reported and not judged.")


class ProductionGate(Model):
    """The candidate beside the model in production, on the same rows. Passes where there is none yet."""

    kind: Literal["production"] = Field(description="A comparison with the production model.")
    metric: MetricName = Field(description="Metric that is compared; it must be one that is computed of predictions.")
    min_delta: float = Field(default=0.0, description="Least difference, candidate minus production, that passes.")
    goal: Literal["max", "min"] = Field(default="max", description="Whether more or less of the metric is better.")
    confidence: float = Field(
        default=0.95, gt=0.5, lt=1, description="Of the bootstrap interval, whose unfavourable end must pass."
    )
    resamples: int = Field(default=1000, ge=100, le=100_000, description="Bootstrap samples.")


class LatencyGate(Model):
    """Time of one prediction of an ONNX model on the machine that evaluates."""

    kind: Literal["latency"] = Field(description="A bound on the time of a prediction.")
    max: Duration = Field(description="Longest time that passes, such as 20ms.")
    percentile: float = Field(default=95, gt=0, le=100, description="Percentile of the times that is judged.")
    requests: int = Field(default=200, ge=10, description="Predictions that are timed, after a tenth as warm-up.")


Gate = Annotated[
    ThresholdGate | SliceGate | GapGate | ProductionGate | LatencyGate,
    Field(discriminator="kind", description="What a candidate must fulfil."),
]


class Suite(Model):
    """A named, versioned set of chosen inputs with expected answers: edge cases, adversarial ones."""

    name: Name = Field(description="Its name.")
    version: int = Field(ge=1, description="Its version: a new one is scored again for production too.")
    data: str = Field(description="Source or output that holds it.")
    argument: Identifier | None = Field(
        default=None, description="Input of `evaluate` in whose place it stands; the only one when left out."
    )
    metric: Computed = Field(default="accuracy", description="Metric that scores it.")
    min: float | None = Field(default=None, description="Least score; that of production when left out.")


class Evaluate(Work):
    """Scores a model: its function gets `model` besides its inputs, and writes the table of predictions."""

    metrics: tuple[Computed, ...] = Field(default=("accuracy",), description="Metrics that aiga computes.")
    gates: tuple[Gate, ...] = Field(default=(), description="What a candidate must fulfil, all of it.")
    suites: tuple[Suite, ...] = Field(default=(), description="Sets of chosen inputs that are scored as well.")
    model: ModelAddress | None = Field(default=None, description="Model address, where the project trains none.")
