"""`project.yaml`: all that aiga knows of a project. Every block stands alone."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from aiga.spec.base import Duration, Model, Name, SourceName
from aiga.spec.evaluate import Evaluate
from aiga.spec.monitors import Alert, Monitor, Notify, Policy, Schedule
from aiga.spec.people import Approve, Label
from aiga.spec.resources import Resources
from aiga.spec.serve import Serve
from aiga.spec.sources import Source
from aiga.spec.steps import Retries, Step, Train


class Secret(Model):
    """A value that is never in this file: from the environment or a keyring here, a SealedSecret on a cluster."""

    env: Annotated[str, StringConstraints(pattern=r"^[A-Z_][A-Z0-9_]*$")] = Field(
        description="Environment variable that holds it for a step, and that it is taken from on this machine."
    )
    description: str = Field(default="", description="What it is for.")


class Project(Model):
    """A machine-learning project."""

    api_version: Literal["aiga.dev/v1"] = Field(description="Version of this format.")
    name: Name = Field(description="The project's name.")
    description: str = Field(default="", description="What it is for.")
    sources: dict[SourceName, Source] = Field(default={}, description="Name to where data comes from.")
    etl: tuple[Step, ...] = Field(default=(), description="Steps that make data.")
    label: Label | None = Field(default=None, description="People add labels.")
    train: Train | None = Field(default=None, description="The step that makes the model.")
    evaluate: Evaluate | None = Field(default=None, description="Metrics and gates.")
    approve: Approve | None = Field(default=None, description="A person releases the candidate.")
    serve: Serve | None = Field(default=None, description="The deployment.")
    monitors: tuple[Monitor, ...] = Field(default=(), description="What is watched.")
    policy: tuple[Policy, ...] = Field(default=(), description="What follows from alarms.")
    alerts: tuple[Alert, ...] = Field(default=(), description="Rules that tell people.")
    secrets: dict[Name, Secret] = Field(default={}, description="Name to the secrets that steps need.")
    schedule: Schedule = Field(default=Schedule(), description="Runs and evaluations that come by the clock.")
    resources: Resources = Field(default=Resources(), description="Limits of steps that name none.")
    retries: Retries = Field(default=Retries(), description="Repetitions of steps that name none.")
    timeout: Duration = Field(default="24h", description="Longest run time of steps that name none.")
    notify: tuple[Notify, ...] = Field(default=(), description="Who hears of runs.")
    image: str | None = Field(default=None, description="Container image; the stock runtime when left out.")
