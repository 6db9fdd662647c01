"""What Prometheus reads: Seldon's metrics by Seldon's names and labels, and the gateway's own."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from weakref import WeakSet

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import SummaryMetricFamily
from prometheus_client.registry import Collector

from aiga.serving.gateway.backend import Backend
from aiga.serving.gateway.call import Answer
from aiga.serving.gateway.codes import POST, named
from aiga.serving.gateway.custom import Custom
from aiga.serving.gateway.exchange import Exchange
from aiga.serving.gateway.window import Window
from aiga.serving.graph.passage import Method, NodeCall
from aiga.serving.messages import Message
from aiga.serving.protocols.protos.methods import TENSORFLOW, V2
from aiga.serving.runtimes.calls import TAG_OF, rewarded

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
        self._graphs: WeakSet[Backend] = WeakSet()

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
        """A predictor has answered, or failed to; of a graph its nodes' calls count, and not the whole."""
        if not self._nodes(backend):
            labels = self._model(backend, backend.settings.node, exchange.service)
            self._client.add((*labels, exchange.method, named(status, exchange.method)), seconds)

    def retried(self, predictor: str) -> None:
        self._retries.labels(self._deployment, predictor).inc()

    def wrapped(self, backend: Backend, answer: Answer | Message) -> None:
        """An answer may bring metrics of a wrapped class; those of a graph's nodes come with their calls."""
        if self._nodes(backend):
            return
        metrics = answer.metrics if isinstance(answer, Answer) else answer.meta.get("metrics")
        self.custom.refused += answer.left_out if isinstance(answer, Answer) else 0
        if metrics:
            self.custom.add(metrics, self._labels(backend, backend.settings.node))

    def fed_back(self, backend: Backend, reward: float) -> None:
        """A client has told what an answer was worth; in a graph the nodes that are told of it count it."""
        if not self._nodes(backend):
            self._rewarded(self._labels(backend, backend.settings.node), reward)

    def text(self) -> bytes:
        """All of them, as Prometheus reads them."""
        for backend in list(self._graphs):
            self._nodes(backend)
        return generate_latest(self.registry)

    def _nodes(self, backend: Backend) -> bool:
        """Counts the calls of nodes that a graph has noted; False where the predictor is no graph."""
        calls: deque[NodeCall] | None = getattr(backend.predictor, "node_calls", None)
        if calls is None:
            return False
        self._graphs.add(backend)
        while calls:
            call = calls.popleft()
            method = call.context.method
            service = _service(call.context.protocol, call.method, call.node, method)
            model = self._model(backend, call.node, service)
            self._client.add((*model, method, named(call.status, method)), call.seconds)
            labels = self._labels(backend, call.node)
            if call.reward is not None:
                self._rewarded(labels, call.reward)
            self.custom.add(call.metrics, labels, TAG_OF[call.method])
        return True

    def _model(self, backend: Backend, node: str, service: str) -> tuple[str, ...]:
        settings = backend.settings
        return (self._deployment, settings.name, settings.version, service, node, *_image(backend, node))

    def _rewarded(self, labels: dict[str, str], reward: float) -> None:
        self.custom.add(rewarded(reward), labels, TAG_OF["send_feedback"])

    def _labels(self, backend: Backend, node: str) -> dict[str, str]:
        settings = backend.settings
        image, tag = _image(backend, node)
        names = {"deployment_name": self._deployment, "model_name": node, "model_image": image}
        older = {"seldon_deployment_name": self._deployment, "image_name": image, "image_version": tag}
        predictor = {"predictor_name": settings.name, "predictor_version": settings.version, "model_version": tag}
        return names | predictor | older | {"worker_id": "0"}

    def _gauges(self, name: str, text: str, labels: tuple[str, ...]) -> Gauge:
        if name not in self._known_gauges:
            names = ("deployment_name", *labels)
            self._known_gauges[name] = Gauge(f"aiga_gateway_{name}", text, names, registry=self.registry)
        return self._known_gauges[name]


def _image(backend: Backend, node: str) -> tuple[str, str]:
    """What serves a node, and its tag."""
    images = getattr(backend.predictor, "images", {})
    image, _, tag = images.get(node, backend.settings.image).partition(":")
    return image, tag


_COMPONENTS: Mapping[str, str] = {
    "predict": "Model",
    "transform_input": "Transformer",
    "transform_output": "OutputTransformer",
    "route": "Router",
    "aggregate": "Combiner",
    "send_feedback": "Model",
}
"""Method to its service in Seldon's protocol on gRPC."""
_VERBS: Mapping[str, str] = {"route": "route", "aggregate": "aggregate", "send_feedback": "feedback"}
"""Method to the end of its path where that is not the one of a prediction."""


def _service(protocol: str, method: Method, node: str, by: str) -> str:
    """What Seldon's executor asks a node for: by HTTP as `executor/api/rest/client.go` of 1.17.1 has it, else as
    `executor/api/grpc` has it, where the clients of v2 and TensorFlow know predictions alone.
    """
    if by == POST:
        names = {
            "v2": f"/v2/models/{node}/{_VERBS.get(method, 'infer')}",
            "tensorflow": f"/v1/models/{node}:{_VERBS.get(method, 'predict')}",
            "seldon": f"/{method.replace('_', '-')}",
        }
    else:
        names = {
            "v2": f"/{V2}/ModelInfer",
            "tensorflow": f"/{TENSORFLOW}/Predict",
            "seldon": f"/seldon.protos.{_COMPONENTS[method]}/{method.title().replace('_', '')}",
        }
    return names[protocol]
