"""How a model is served, and how a new version takes over."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from aiga.spec.base import FUNCTION, Duration, HeaderName, Model, ModelAddress, Name, Run, Scalar, broken, seconds
from aiga.spec.resources import Resources

Server = Literal["onnx", "sklearn", "xgboost", "mlflow", "tensorflow", "triton", "custom"]
Protocol = Literal["v2", "tensorflow", "seldon"]
THREADED = ("onnx", "tensorflow", "triton")
"""Servers whose models ONNX Runtime serves on this machine."""
THREADS = "threads"
"""Their parameter: how many threads one request may use."""
RATIO = "ratioA"
"""Parameter of a router without a class: the share of requests that the first of its two children gets."""
_LONGEST = 86400.0


def is_class(run: str) -> bool:
    return FUNCTION.fullmatch(run) is not None


def is_share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _bounded(duration: str) -> str:
    if not 0 < seconds(duration) <= _LONGEST:
        raise broken("must be above 0 and at most 1d", "such as 10s")
    return duration


Patience = Annotated[Duration, AfterValidator(_bounded)]


class Unit(Model):
    """One node of an inference graph."""

    name: Name = Field(description="Its name.")
    kind: Literal["model", "transformer", "output-transformer", "router", "combiner"] = Field(
        description="What it does with a request."
    )
    run: Run | None = Field(default=None, description="Python class (module:Class) that does it.")
    model: ModelAddress | None = Field(default=None, description="Model address, in place of `run`.")
    server: Server | None = Field(default=None, description="What serves it; the block's when left out.")
    parameters: dict[str, Scalar] = Field(default={}, description="Arguments of the class.")
    children: tuple[Unit, ...] = Field(default=(), description="What it passes requests on to.")


class Replicas(Model):
    """How many servers there are."""

    min: int = Field(default=1, ge=0, description="Least number.")
    max: int = Field(default=1, ge=1, description="Greatest number.")

    @model_validator(mode="after")
    def _rises(self) -> Replicas:
        if self.min > self.max:
            raise broken(f"min {self.min} is above max {self.max}", "give max too")
        return self


Step = Annotated[float, Field(gt=0, le=100)]


class Canary(Model):
    """The new version gets a share of the traffic that grows."""

    type: Literal["canary"] = Field(description="A growing share.")
    steps: tuple[Step, ...] = Field(default=(10, 50, 100), min_length=1, description="Shares in percent; rise to 100.")
    bake: Duration = Field(default="10m", description="How long each share is watched.")
    abort_on: tuple[str, ...] = Field(
        default=("errors>1%", "p95>2x", "disagreement>10%"), description="Conditions that undo it."
    )

    @model_validator(mode="after")
    def _rises(self) -> Canary:
        steps = list(self.steps)
        if steps != sorted(set(steps)) or steps[-1] != 100:
            given = ", ".join(f"{step:g}" for step in steps)
            raise broken(f"steps must rise and end at 100, got {given}", "such as steps: [10, 50, 100]")
        return self


class Shadow(Model):
    """The new version sees a copy of the traffic; its answers are compared and dropped."""

    type: Literal["shadow"] = Field(description="A copy of the traffic.")
    duration: Duration = Field(default="24h", description="How long it is watched.")
    min_requests: int = Field(default=1000, ge=1, description="Requests that must have been compared.")
    then: Literal["canary", "promote"] = Field(default="canary", description="What follows.")


class Split(Model):
    """Two versions share the traffic until a person decides."""

    type: Literal["ab"] = Field(description="A fixed share.")
    share: Step = Field(default=50, description="Percent of the traffic that the new version gets.")
    header: HeaderName = Field(default="x-aiga-variant", description="Header that keeps a caller with one version.")


class AtOnce(Model):
    """The new version takes over at once."""

    type: Literal["replace"] = Field(description="No share in between.")


Strategy = Annotated[Canary | Shadow | Split | AtOnce, Field(discriminator="type", description="How it takes over.")]


class Circuit(Model):
    """When a version that fails gets no requests for a while."""

    errors: int = Field(default=5, ge=1, description="Errors in a row that open it.")
    rate: float | None = Field(default=None, gt=0, le=1, description="Share of errors that opens it too.")
    window: Patience = Field(default="10s", description="Time that the share is taken over.")
    least: int = Field(default=20, ge=1, description="Requests that the share needs to be one.")
    open: Patience = Field(default="5s", description="Time until one request may try it again.")


class Log(Model):
    """Which requests and responses become events."""

    sample: float = Field(default=1.0, ge=0, le=1, description="Share of the requests.")
    redact: tuple[str, ...] = Field(default=(), description="Fields that are left out.")


class Serve(Model):
    """A deployment of a model."""

    server: Server = Field(default="onnx", description="What serves the model.")
    model: ModelAddress | None = Field(
        default=None, description="Model address; the project's production model when left out."
    )
    run: Run | None = Field(default=None, description="Python class (module:Class) for server custom.")
    parameters: dict[str, Scalar] = Field(
        default={}, description="Arguments of the class; of server onnx `threads`, of one request."
    )
    protocol: Protocol = Field(default="v2", description="What clients speak.")
    replicas: Replicas = Field(default=Replicas(), description="How many servers.")
    resources: Resources | None = Field(default=None, description="Of each server; the project's when left out.")
    timeout: Patience = Field(default="10s", description="Longest time of a request.")
    retries: int = Field(default=1, ge=0, le=10, description="Further tries of a failed request.")
    circuit: Circuit = Field(default=Circuit(), description="When a version that fails is left alone.")
    graph: Unit | None = Field(default=None, description="Inference graph, in place of one model.")
    strategy: Strategy = Field(default=AtOnce(type="replace"), description="How a new version takes over.")
    log: Log = Field(default=Log(), description="Requests and responses as events.")
    allow_pickle: bool = Field(default=False, description="Whether pickled models are loaded: they run any code.")
    accept_licence: bool = Field(
        default=False, description="Triton's image is not under an OSI licence: true says that you accept its own."
    )
    fallback: ModelAddress | None = Field(
        default=None, description="Model address that a takedown serves in its place."
    )
