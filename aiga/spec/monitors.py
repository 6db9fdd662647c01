"""What is watched in production, what follows from it, and who is told."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from aiga.spec.base import Cron, Duration, MetricName, Model, ModelAddress, Name, broken


class _Monitor(Model):
    name: Name = Field(description="Its name.")
    model: ModelAddress | None = Field(
        default=None, description="Model address that is watched; what the project serves when left out."
    )


class DriftMonitor(_Monitor):
    """Inputs or outputs that are distributed otherwise than in training."""

    kind: Literal["drift"] = Field(description="Change of a distribution.")
    test: Literal["ks", "chi2", "psi", "mmd"] = Field(default="ks", description="Statistical test.")
    of: Literal["inputs", "outputs"] = Field(default="inputs", description="What is compared.")
    window: int = Field(default=1000, ge=10, description="Requests in a window.")
    threshold: float = Field(default=0.05, gt=0, description="p-value (ks, chi2, mmd) or index (psi) of an alarm.")


class OutlierMonitor(_Monitor):
    """Single inputs unlike any in training."""

    kind: Literal["outlier"] = Field(description="Unusual inputs.")
    method: Literal["iforest", "mahalanobis", "vae"] = Field(default="iforest", description="Detector.")
    percentile: float = Field(default=99.5, gt=50, lt=100, description="Of the training scores, above which it is one.")


class AdversarialMonitor(_Monitor):
    """Inputs made to mislead the model."""

    kind: Literal["adversarial"] = Field(description="Inputs made to mislead.")
    percentile: float = Field(default=99, gt=50, lt=100, description="Of the training scores, above which it is one.")


class QualityMonitor(_Monitor):
    """A metric of labels that come later."""

    kind: Literal["quality"] = Field(description="A metric of delayed labels.")
    metric: MetricName = Field(default="accuracy", description="Metric.")
    min: float = Field(description="Least value.")
    delay: Duration = Field(default="7d", description="How long labels take to come.")
    window: int = Field(default=500, ge=10, description="Labels in a window.")


Monitor = Annotated[
    DriftMonitor | OutlierMonitor | AdversarialMonitor | QualityMonitor,
    Field(discriminator="kind", description="What is watched."),
]
Action = Literal["alert", "label", "retrain", "rollback", "takedown"]


class Confirm(Model):
    """How often an alarm must be given before it counts."""

    alarms: int = Field(default=1, ge=1, description="Windows with an alarm.")
    windows: int = Field(default=1, ge=1, description="Of so many.")

    @model_validator(mode="after")
    def _possible(self) -> Confirm:
        if self.alarms > self.windows:
            raise broken(f"{self.alarms} alarms never come in {self.windows} windows", "give it more windows")
        return self


class Policy(Model):
    """What follows from an alarm."""

    when: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*(\.\w+)?$")] = Field(
        description="Name of a monitor."
    )
    do: tuple[Action, ...] = Field(min_length=1, description="What is done, in this order.")
    confirm: Confirm = Field(default=Confirm(), description="How often the alarm must be given.")
    cooldown: Duration = Field(default="24h", description="Least time between two.")
    max_per_week: int = Field(default=2, ge=1, description="Most in seven days.")


class Alert(Model):
    """A rule that tells people."""

    name: Name = Field(description="Its name.")
    expression: str = Field(min_length=1, description="PromQL that is true when something is wrong.")
    lasting: Duration = Field(default="5m", description="How long it must be true.")
    severity: Literal["info", "warning", "critical"] = Field(default="warning", description="How urgent it is.")
    runbook: str | None = Field(default=None, description="Address of what to do.")


class Schedule(Model):
    """What happens by the clock."""

    retrain: Cron | None = Field(default=None, description="Cron line of runs, in UTC.")
    evaluate_production: Cron | None = Field(default=None, description="Cron line of evaluations of production.")
    watch: Duration | None = Field(default=None, description="How often sources are looked at; a change starts a run.")


class Notify(Model):
    """Who hears of runs."""

    kind: Literal["webhook", "slack"] = Field(description="Form of the message.")
    secret: Name = Field(description="Secret that holds the address.")
    events: tuple[Literal["failed", "gate-failed", "waiting", "promoted"], ...] = Field(
        default=("failed", "gate-failed", "waiting"), description="What is told."
    )
