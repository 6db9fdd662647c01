"""Predictions, and feedback on them, of all protocols: addressed, counted, and told to the log."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence

from aiga.names import FEEDBACK_EVENT, REQUEST_EVENT, RESPONSE_EVENT
from aiga.serving.gateway import tracing
from aiga.serving.gateway.backend import Backend, Live
from aiga.serving.gateway.call import Call
from aiga.serving.gateway.dispatch import is_failure
from aiga.serving.gateway.exchange import Content, Exchange, Failed, Outcome
from aiga.serving.gateway.gateway import Gateway
from aiga.serving.gateway.journal import Prediction
from aiga.serving.messages import Message, ServingError
from aiga.serving.protocols.feedback import Feedback
from aiga.serving.protocols.metadata import ModelMetadata, TensorSpec


class Served:
    """One request on its way; `end` when its client has its answer."""

    __slots__ = ("_begun", "_gateway", "_method", "_service", "_when", "call", "live", "logged")

    def __init__(self, gateway: Gateway, call: Call, service: str, method: str, logged: bool) -> None:
        self.call, self.logged = call, logged
        self.live: Live = gateway.live
        self._gateway, self._service, self._method = gateway, service, method
        self._begun, self._when = time.perf_counter(), time.time()

    def end(self, outcome: Outcome | None, code: str, backend: Backend | None = None, *, shown: bool = True) -> None:
        """Counts it.

        Args:
            outcome: The answer, where there is one.
            code: The status by its protocol: of HTTP, or of gRPC by name.
            backend: Who was asked in vain, where there is no answer.
            shown: Whether the page shows it.
        """
        gateway, seconds = self._gateway, time.perf_counter() - self._begun
        backend = outcome.backend if outcome is not None else backend
        gateway.metrics.answered(backend, self._service, self._method, code, seconds)
        if backend is not None and shown:
            settings, call = backend.settings, self.call
            tries = outcome.tries if outcome is not None else 0
            about = (settings.name, settings.node, settings.version, call.protocol)
            gateway.answered(Prediction(self._when, call.request_id, *about, code, seconds, tries, settings.lineage))

    def log_request(self, backend: Backend, exchange: Exchange, code: int) -> None:
        """Tells the log what was asked, unless the request itself was wrong."""
        if self.logged and (code < 400 or is_failure(code)):
            self._gateway.log.tell(REQUEST_EVENT, self.call, backend, exchange.body, exchange.size)

    def log_response(self, backend: Backend, body: Content, size: int) -> None:
        """Tells the log what was answered."""
        if self.logged:
            self._gateway.log.tell(RESPONSE_EVENT, self.call, backend, body, size)

    def log_feedback(self, backend: Backend, body: Content, size: int) -> None:
        if self.logged:
            self._gateway.log.tell(FEEDBACK_EVENT, self.call, backend, body, size)


class Predictions:
    """What both servers, that of HTTP and that of gRPC, do with what they are sent."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    def begin(self, headers: Mapping[str, str], protocol: str, service: str, method: str) -> Served:
        """Takes a request up; `headers` have lower-case names, or are found whatever their case."""
        deployment = self.gateway.deployment
        deadline = asyncio.get_running_loop().time() + deployment.timeout
        call = Call(
            tracing.request_id(headers),
            tracing.trace(headers),
            protocol,
            deployment.name,
            deployment.namespace,
            deadline,
            method,
        )
        return Served(self.gateway, call, service, method, self.gateway.log.wants(call, headers))

    def check(self, namespace: str, deployment: str) -> None:
        """Raises ServingError 404 when a request is for another deployment; empty names are for this one."""
        own = self.gateway.deployment
        if (deployment and deployment != own.name) or (namespace and namespace != own.namespace):
            raise ServingError(404, f"{namespace}/{deployment} is not here: this is {own.namespace}/{own.name}")

    def address(self, exchange: Exchange, headers: Mapping[str, str]) -> None:
        """Says to which predictor the request wants to go.

        Raises:
            Failed: 404, it names a model or a version that there is not.
        """
        live = self.gateway.live
        deployment = live.deployment
        exchange.variant = headers.get(deployment.variant_header)
        if deployment.sticky_header is not None:
            exchange.key = headers.get(deployment.sticky_header)
        if exchange.model and exchange.model not in live.models:
            raise Failed(404, f"{deployment.name} serves {', '.join(sorted(live.models))}, not {exchange.model}")
        if exchange.version and live.versions:
            if exchange.version not in live.versions:
                served = ", ".join(sorted(live.versions))
                raise Failed(404, f"{deployment.name} serves version {served}, not {exchange.version}")
            exchange.variant, exchange.pinned = live.versions[exchange.version], True

    async def inputs(self) -> Sequence[TensorSpec]:
        """What the model takes, as far as its server tells."""
        for backend in self.gateway.live.taking(asyncio.get_running_loop().time()):
            metadata = await backend.describe()
            if metadata is not None:
                return metadata.inputs
        return ()

    async def metadata(self, model: str, version: str) -> ModelMetadata:
        """What is known of a model.

        Raises:
            Failed: there is no such one (404), or nobody to tell (503).
        """
        live, now = self.gateway.live, asyncio.get_running_loop().time()
        if model and model not in live.models:
            raise Failed(404, f"{live.deployment.name} serves {', '.join(sorted(live.models))}, not {model}")
        taking = live.taking(now)
        if version in live.versions:
            taking = [one for one in taking if one.name == live.versions[version]]
        if not taking:
            raise Failed(503, f"no predictor of {live.deployment.name} takes requests", retry_after=live.wait(now))
        settings = taking[0].settings
        return await taking[0].describe() or ModelMetadata(
            settings.node, (settings.version,) if settings.version else ()
        )

    async def feedback(self, served: Served, headers: Mapping[str, str], feedback: Feedback) -> tuple[Backend, Message]:
        """Hands on what an answer was worth, and counts it; the predictor, and what it says to that.

        Raises:
            Failed: nobody takes it.
            ServingError: the predictor refuses it.
        """
        live, now = served.live, asyncio.get_running_loop().time()
        variant = headers.get(live.deployment.variant_header)
        sticky = live.deployment.sticky_header
        closed = [one.name for one in live.backends.values() if not one.allows(now)]
        name = live.router.choose(variant, headers.get(sticky) if sticky else None, closed)
        if name is None:
            raise Failed(503, f"no predictor of {live.deployment.name} takes feedback", retry_after=live.wait(now))
        backend = live.backends[name]
        self.gateway.metrics.fed_back(backend, feedback.reward)
        send = getattr(backend.predictor, "feedback", None)
        if send is None:
            return backend, Message(())
        empty = Message(())
        try:
            async with asyncio.timeout_at(served.call.deadline):
                answer: Message = await send(
                    feedback.request or empty, feedback.response or empty, feedback.reward, served.call, feedback.truth
                )
        except TimeoutError:
            raise Failed(504, f"{name} took no feedback in time", backend) from None
        return backend, answer
