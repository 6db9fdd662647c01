"""What Prometheus reads: Seldon's metrics by Seldon's names and labels, and the gateway's own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import SummaryMetricFamily
from prometheus_client.registry import Collector

from aiga.serving.gateway.backend import Backend
from aiga.serving.gateway.call import Answer
from aiga.serving.gateway.codes import named
from aiga.serving.gateway.custom import Custom
from aiga.serving.gateway.exchange import Exchange
from aiga.serving.gateway.window import Window
from aiga.serving.messages import Message

SERVER = "seldon_api_executor_server_requests_seconds"
CLIENT = "seldon_api_executor_client_requests_seconds"
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
OBJECTIVES = (0.5, 0.75, 0.9, 0.98, 0.99, 1.0)
"""As the executor has them: `executor/api/metric/constants.go` of Seldon Core 1.17.1."""

_SERVER_LABELS = ("deployment_name", "predictor_name", "predictor_version", "service", "method", "code")
_CLIENT_LABELS = (
    *("deployment_name", "predictor_name", "predictor_version", "service"),
    *("model_name", "model_image", "model_version", "method", "code"),
)
FEEDBACK, REWARD = "seldon_api_model_feedback", "seldon_api_model_feedback_reward"
MOST_SERIES = 500
"""Label values of latencies; those beyond share one series whose service is `other`."""


class _Latencies(Collector):
    """One of Seldon's pairs: a histogram, and a summary of the last minute."""

    def __init__(self, name: str, text: str, labels: tuple[str, ...], registry: CollectorRegistry) -> None:
        self._histogram = Histogram(
            name, f"A histogram of latencies for {text}", labels, buckets=BUCKETS, registry=registry
        )
        self._name, self._text, self._labels = name, text, labels
        self._service = labels.index("service")
        self._known: dict[tuple[str, ...], tuple[Any, Window, list[float]]] = {}
        registry.register(self)

    def add(self, values: tuple[str, ...], seconds: float) -> None:
        known = self._known.get(values) or self._new(values)
        child, window, totals = known
        child.observe(seconds)
        window.add(time.monotonic(), seconds)
        totals[0] += 1
        totals[1] += seconds

    def _new(self, values: tuple[str, ...]) -> tuple[Any, Window, list[float]]:
        if len(self._known) >= MOST_SERIES:
            values = tuple("other" if at == self._service else value for at, value in enumerate(values))
        if values not in self._known:
            self._known[values] = self._histogram.labels(*values), Window(time.monotonic()), [0, 0.0]
        return self._known[values]

    def collect(self) -> Iterator[SummaryMetricFamily]:
        family = SummaryMetricFamily(f"{self._name}_summary", f"A summary of latencies for {self._text}")
        now = time.monotonic()
        for values, (_, window, (count, total)) in self._known.items():
            labels = dict(zip(self._labels, values, strict=True))
            for share, seconds in zip(OBJECTIVES, window.quantiles(now, OBJECTIVES), strict=True):
                family.add_sample(family.name, {**labels, "quantile": f"{share:g}"}, seconds)
            family.add_sample(f"{family.name}_count", labels, count)
            family.add_sample(f"{family.name}_sum", labels, total)
        yield family

    def describe(self) -> Iterator[SummaryMetricFamily]:
        yield SummaryMetricFamily(f"{self._name}_summary", "")


class Metrics:
    """All of a gateway's."""

    def __init__(self, deployment: str) -> None:
        self.registry = CollectorRegistry()
        self._deployment = deployment
        self._known_gauges: dict[str, Gauge] = {}
        self._server = _Latencies(SERVER, "executor server", _SERVER_LABELS, self.registry)
        self._client = _Latencies(CLIENT, "client calls from executor", _CLIENT_LABELS, self.registry)
        self.custom = Custom()
        self.registry.register(self.custom)
        ProcessCollector(registry=self.registry)
        self._retries = self.counter("retries", "Further tries, by the predictor that got them.", "predictor_name")
        self.mirrored = self.counter(
            "mirror_copies", "Copies for the shadow, by what became of them.", "predictor_name", "outcome"
        )
        self.rows = self.counter(
            "mirror_rows", "Rows that main and shadow both answered, by whether they agree.", "predictor_name", "agree"
        )
        self.events = self.counter("events", "Events delivered.", "sink")
        self.dropped = self.counter("events_dropped", "Events that were not delivered.", "sink", "reason")
        self.refused = self.counter("refused", "Requests that no predictor was asked for.", "reason")
        self.gauge("custom_refused", "Values of wrapped classes left out.", lambda: float(self.custom.refused))
        self.reloads = self.counter("reloads", "Changes of the configuration, by whether it was valid.", "valid")

    def counter(self, name: str, text: str, *labels: str) -> Counter:
        """A counter of the gateway's own."""
        return Counter(f"aiga_gateway_{name}", text, ("deployment_name", *labels), registry=self.registry)

    def gauge(self, name: str, text: str, value: Callable[[], float], **labels: str) -> None:
        """A gauge of the gateway's own, asked for its value when it is read."""
        self._gauges(name, text, tuple(labels)).labels(self._deployment, *labels.values()).set_function(value)

    def answered(self, backend: Backend | None, service: str, method: str, code: str, seconds: float) -> None:
        """A client has its answer."""
        settings = backend.settings if backend is not None else None
        name, version = (settings.name, settings.version) if settings else ("", "")
        self._server.add((self._deployment, name, version, service, method, code), seconds)

    def asked(self, backend: Backend, exchange: Exchange, status: int, seconds: float) -> None:
        """A predictor has answered, or failed to."""
        settings = backend.settings
        image, _, tag = settings.image.partition(":")
        labels = (self._deployment, settings.name, settings.version, exchange.service, settings.node, image, tag)
        self._client.add((*labels, exchange.method, named(status, exchange.method)), seconds)

    def retried(self, predictor: str) -> None:
        self._retries.labels(self._deployment, predictor).inc()

    def wrapped(self, backend: Backend, answer: Answer | Message) -> None:
        """An answer may bring metrics of a wrapped class."""
        metrics = answer.metrics if isinstance(answer, Answer) else answer.meta.get("metrics")
        self.custom.refused += answer.left_out if isinstance(answer, Answer) else 0
        if metrics:
            self.custom.add(metrics, self._labels(backend))

    def fed_back(self, backend: Backend, reward: float) -> None:
        """A client has told what an answer was worth."""
        metrics = [{"key": FEEDBACK, "value": 1}, {"key": REWARD, "type": "COUNTER", "value": reward}]
        self.custom.add(metrics, self._labels(backend), "feedback")

    def text(self) -> bytes:
        """All of them, as Prometheus reads them."""
        return generate_latest(self.registry)

    def _labels(self, backend: Backend) -> dict[str, str]:
        settings = backend.settings
        image, _, tag = settings.image.partition(":")
        names = {"deployment_name": self._deployment, "model_name": settings.node, "model_image": image}
        older = {"seldon_deployment_name": self._deployment, "image_name": image, "image_version": tag}
        predictor = {"predictor_name": settings.name, "predictor_version": settings.version, "model_version": tag}
        return names | predictor | older | {"worker_id": "0"}

    def _gauges(self, name: str, text: str, labels: tuple[str, ...]) -> Gauge:
        if name not in self._known_gauges:
            names = ("deployment_name", *labels)
            self._known_gauges[name] = Gauge(f"aiga_gateway_{name}", text, names, registry=self.registry)
        return self._known_gauges[name]
