"""What a gateway is told: its deployment, as the JSON file of the supervisor says it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, HttpUrl, StringConstraints, ValidationError, model_validator

from aiga.errors import UserError
from aiga.spec.base import Model, broken
from aiga.spec.serve import Protocol

MEBI = 2**20
NAMESPACE = "default"

Label = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$")]
"""A name that stands in paths and in metrics."""
Header = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,64}$")]
"""Name of an HTTP header, in lower case."""
_TRY = "Longest time of one try; when left out, so much of `timeout` that each other predictor may be tried too."
Seconds = Annotated[float, Field(gt=0, le=86400)]


class PredictorSettings(Model):
    """One version."""

    name: Label = Field(description="Its name, `main` or `canary`.")
    make: str = Field(
        pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$",
        description="`module:function` that makes the predictor of its name and its settings.",
    )
    settings: dict[str, Any] = Field(default={}, description="For that function.")
    weight: float = Field(default=0, ge=0, le=100, description="Share of the traffic in percent.")
    shadow: bool = Field(default=False, description="Gets a copy of the traffic; its answers are dropped.")
    model: str = Field(
        default="", description="Name of the model, or of the graph's root node; the predictor's when left out."
    )
    version: str = Field(default="", description="Version of the model.")
    image: str = Field(default="", description="What serves it, as Seldon names a container's image, with its tag.")
    lineage: dict[str, str] = Field(default={}, description="Where the model comes from: run, data, commit.")

    @model_validator(mode="after")
    def _shadow_has_no_weight(self) -> PredictorSettings:
        if self.shadow and self.weight:
            raise broken(f"a shadow has no weight, got {self.weight:g}", "take one of them out")
        return self

    @property
    def node(self) -> str:
        return self.model or self.name


class Circuit(Model):
    """When a predictor is left alone for a while."""

    errors: int = Field(default=5, ge=1, description="Errors in a row that open it.")
    rate: float | None = Field(default=None, gt=0, le=1, description="Share of errors that opens it too.")
    window: Seconds = Field(default=10, description="Time that the rate is taken over, in seconds.")
    least: int = Field(default=20, ge=1, description="Requests that the rate needs to be one.")
    open: Seconds = Field(default=5, description="Seconds until a request may try it again.")


class Log(Model):
    """Which predictions become events."""

    sample: float = Field(default=1.0, ge=0, le=1, description="Share of the predictions.")
    redact: tuple[str, ...] = Field(default=(), description="Fields, tensors and columns that are left out.")


class Sink(Model):
    """Where events go."""

    url: HttpUrl = Field(description="Address that takes CloudEvents by POST.")
    types: tuple[str, ...] = Field(default=(), description="Types of events that it gets; all when empty.")
    events: int = Field(default=10_000, ge=1, description="Most events that wait in memory.")
    bytes: int = Field(default=64 * MEBI, ge=1, description="Most bytes that wait in memory.")
    event_bytes: int = Field(default=8 * MEBI, ge=1, description="Largest event.")
    concurrency: int = Field(default=4, ge=1, le=64, description="Events on their way at once.")
    timeout: Seconds = Field(default=5, description="Longest time of one delivery, in seconds.")
    longest_wait: Seconds = Field(default=10, description="Longest pause before another try, in seconds.")
    spool: Path | None = Field(default=None, description="Folder for what memory has no room for.")
    spool_bytes: int = Field(default=256 * MEBI, ge=0, description="Most bytes in that folder.")


class Mirror(Model):
    """How the shadow gets its copies."""

    waiting: int = Field(default=256, ge=1, description="Most copies that wait.")
    waiting_bytes: int = Field(default=64 * MEBI, ge=1, description="Most bytes that wait.")
    concurrency: int = Field(default=4, ge=1, le=64, description="Copies under way at once.")
    tolerance: float = Field(default=1e-3, ge=0, description="Relative difference of numbers that agree.")


class JournalSettings(Model):
    """Where it is kept which version answered which request, and how much of it."""

    folder: Path = Field(description="Folder of the files; several gateways may share it.")
    days: float = Field(default=30, gt=0, description="How long it is kept.")
    bytes: int = Field(default=256 * MEBI, ge=1, description="Most bytes in that folder.")


class Deployment(Model):
    """One deployment: `/seldon/<namespace>/<name>/…`."""

    name: Label = Field(description="Its name.")
    namespace: Label = Field(default=NAMESPACE, description="Its namespace; the project's name, as on a cluster.")
    protocol: Protocol = Field(default="v2", description="The protocol that its events and its page name.")
    host: str = Field(default="127.0.0.1", description="Address that it listens on.")
    http_port: int = Field(default=0, ge=0, le=65535, description="Port for HTTP; a free one when 0.")
    grpc_port: int | None = Field(default=None, ge=0, le=65535, description="Port for gRPC; none when left out.")
    predictors: tuple[PredictorSettings, ...] = Field(min_length=1, description="Its versions; weights make 100.")
    timeout: Seconds = Field(default=10, description="Longest time of a request, in seconds.")
    try_timeout: Seconds | None = Field(default=None, description=_TRY)
    retries: int = Field(default=1, ge=0, le=10, description="Further tries of a failed request.")
    circuit: Circuit = Field(default=Circuit(), description="When a predictor is left alone.")
    sticky_header: Header | None = Field(default=None, description="Header that keeps a caller with one predictor.")
    variant_header: Header = Field(default="x-aiga-variant", description="Header that names the predictor to take.")
    seed: int | None = Field(default=None, description="Of the choice of predictors; the system's when left out.")
    log: Log = Field(default=Log(), description="Predictions as events.")
    sinks: tuple[Sink, ...] = Field(default=(), description="Where events go.")
    mirror: Mirror = Field(default=Mirror(), description="Copies for the shadow.")
    body_bytes: int = Field(default=64 * MEBI, ge=1, description="Largest body of a request.")
    bodies_bytes: int = Field(default=256 * MEBI, ge=1, description="Most bytes of all bodies under way.")
    health_period: Seconds = Field(default=2, description="Seconds between two looks at a predictor.")
    drain: Seconds = Field(default=20, description="Longest time that a stop waits for requests, then for events.")
    journal: JournalSettings | None = Field(default=None, description="Which version answered which request.")
    recent: int = Field(default=50, ge=0, le=1000, description="Last predictions that the page shows.")

    @model_validator(mode="after")
    def _adds_up(self) -> Deployment:
        names = [one.name for one in self.predictors]
        if len(set(names)) < len(names):
            raise broken(f"predictors share a name: {', '.join(names)}", "rename all but one")
        if sum(one.shadow for one in self.predictors) > 1:
            raise broken("there is more than one shadow", "as on a cluster, one at most")
        total = sum(one.weight for one in self.predictors)
        if abs(total - 100) > 1e-6:
            raise broken(f"weights make {total:g}", "they make 100")
        return self

    @property
    def shadow(self) -> PredictorSettings | None:
        return next((one for one in self.predictors if one.shadow), None)


Restart = Literal["host", "http_port", "grpc_port", "name", "namespace"]
FIXED: tuple[Restart, ...] = ("host", "http_port", "grpc_port", "name", "namespace")
"""What a running gateway cannot change."""


def load(file: Path) -> Deployment:
    """The deployment that a file says.

    Raises:
        UserError: it cannot be read, or is wrong; a line for each mistake.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror} (look at its path and permissions)") from None
    return loads(content, str(file))


def loads(content: bytes, file: str) -> Deployment:
    """The deployment in a file's bytes; see `load`."""
    try:
        return Deployment.model_validate_json(content)
    except ValidationError as error:
        raise UserError("\n".join(f"{file}: {_mistake(details)}" for details in error.errors())) from None


def _mistake(details: Any) -> str:
    place = ".".join(str(part) for part in details["loc"]) or "the file"
    remedy = (details.get("ctx") or {}).get("remedy")
    value = "" if isinstance(details["input"], (dict, list, bytes)) else f", got {details['input']!r:.60}"
    return f"{place}: {details['msg']}{value}" + (f" ({remedy})" if remedy else "")
