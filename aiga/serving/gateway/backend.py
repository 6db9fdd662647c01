"""What stands behind the gateway at one moment: predictors, each with its circuit and its figures."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiga.errors import UserError
from aiga.serving.gateway.breaker import Breaker
from aiga.serving.gateway.call import Answer, Call, Forwarding, Predictor
from aiga.serving.gateway.deployment import Circuit, Deployment, PredictorSettings
from aiga.serving.gateway.router import Route, Router
from aiga.serving.gateway.window import Window
from aiga.serving.protocols.metadata import ModelMetadata

LONGEST_TELLING = 2.0
"""Seconds that a predictor has to say what its model takes."""

Make = Callable[[PredictorSettings], Predictor]


class Backend:
    """One predictor."""

    def __init__(self, settings: PredictorSettings, predictor: Predictor, circuit: Circuit, now: float) -> None:
        self.settings, self.predictor = settings, predictor
        self.name = settings.name
        self.breaker = Breaker(circuit)
        self.window = Window(now)
        self.healthy = True
        """As last seen; taken for granted until then."""
        self.missed = 0
        """Looks in a row that found it not ready."""
        self.in_flight = 0
        self.answered = 0.0
        """The event loop's time of its last good answer."""
        self._metadata: ModelMetadata | None = None
        self.forward: Callable[[bytes, Mapping[str, str], Call], Awaitable[Answer]] | None = None
        if isinstance(predictor, Forwarding):
            self.forward = predictor.forward

    def allows(self, now: float) -> bool:
        """Whether a request may go to it."""
        return self.healthy and self.breaker.allows(now)

    def serves(self, settings: PredictorSettings) -> bool:
        """Whether it is the predictor that the settings describe, be its share of the traffic what it may."""
        return bool(_identity(self.settings) == _identity(settings))

    async def describe(self) -> ModelMetadata | None:
        """What its model takes and gives, asked for once; None where it does not say."""
        ask = getattr(self.predictor, "metadata", None)
        if self._metadata is None and ask is not None:
            try:
                async with asyncio.timeout(LONGEST_TELLING):
                    self._metadata = await ask()
            except Exception:
                return None
        return self._metadata

    async def close(self) -> None:
        close = getattr(self.predictor, "close", None)
        if close is not None:
            await close()


@dataclass(frozen=True)
class Live:
    """A deployment with its predictors. A request keeps to the one that it began with."""

    deployment: Deployment
    backends: Mapping[str, Backend]
    """All, by name; the shadow too."""
    router: Router
    shadow: Backend | None
    models: frozenset[str]
    """Names that a request may call the model."""
    versions: Mapping[str, str]
    """Version of the model to the predictor that serves it, the shadow apart."""

    def taking(self, now: float) -> list[Backend]:
        """Those that requests may go to and that have a share of the traffic."""
        return [one for one in self.backends.values() if one.settings.weight > 0 and one.allows(now)]

    def wait(self, now: float) -> float:
        """Seconds until one of them may take a request again."""
        waits = [
            one.breaker.wait(now) if one.healthy else self.deployment.health_period
            for one in self.backends.values()
            if one.settings.weight > 0
        ]
        return min(waits, default=self.deployment.health_period)


def build(deployment: Deployment, make: Make, now: float, before: Live | None = None) -> Live:
    """A deployment with its predictors; those that there were before are kept, with what is known of them.

    Raises:
        UserError: a predictor cannot be made; those made before it are not closed, for none has been used.
    """
    known = before.backends if before is not None else {}
    backends: dict[str, Backend] = {}
    kept: list[tuple[Backend, PredictorSettings]] = []
    for settings in deployment.predictors:
        backend = known.get(settings.name)
        if backend is not None and backend.serves(settings):
            kept.append((backend, settings))
        else:
            backend = Backend(settings, make(settings), deployment.circuit, now)
        backends[settings.name] = backend
    for backend, settings in kept:
        backend.settings, backend.breaker.settings = settings, deployment.circuit
    routes = (Route(one.name, one.weight) for one in deployment.predictors if not one.shadow)
    random = before.router.random if before is not None and before.deployment.seed == deployment.seed else None
    shadow = backends[deployment.shadow.name] if deployment.shadow is not None else None
    models = frozenset((deployment.name, *(one.node for one in deployment.predictors)))
    versions = {one.version: one.name for one in deployment.predictors if one.version and not one.shadow}
    return Live(deployment, backends, Router(routes, deployment.seed, random), shadow, models, versions)


def made(settings: PredictorSettings) -> Predictor:
    """The predictor that the function which the settings name makes of them.

    Raises:
        UserError: there is no such function, or it fails.
    """
    module, _, function = settings.make.partition(":")
    try:
        predictor: Predictor = getattr(importlib.import_module(module), function)(settings.name, settings.settings)
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"predictors: {settings.name}: make: {settings.make}: {type(error).__name__}: {error}"
            " (it must name a function of a name and settings)"
        ) from error
    return predictor


def _identity(settings: PredictorSettings) -> Any:
    return settings.model_dump(exclude={"weight", "shadow", "lineage"})
