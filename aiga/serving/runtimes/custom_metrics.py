"""Metrics that a wrapped class makes, for Prometheus, with Seldon's names, labels and buckets."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import numpy as np

from aiga.serving.runtimes.calls import TAG_OF, rewarded
from aiga.serving.runtimes.seldon_core import env_utils

BUCKETS = (*np.logspace(-3, np.log10(30), 50).tolist(), float("inf"))
"""Upper bounds of a timer, in seconds."""
_TYPES = {"COUNTER": "counter", "GAUGE": "gauge", "TIMER": "histogram"}
Key = tuple[str, str, tuple[tuple[str, str], ...]]
"""Type, name, and labels of its own."""


def labels() -> dict[str, str]:
    """The labels of all metrics, from the variables that Seldon gives a container."""
    image, _, version = env_utils.get_image_name().rpartition(":")
    deployment = env_utils.get_deployment_name()
    return {
        "deployment_name": deployment,
        "model_name": env_utils.get_model_name(),
        "model_image": image,
        "model_version": version,
        "predictor_name": env_utils.get_predictor_name(),
        "predictor_version": env_utils.get_predictor_version(),
        "seldon_deployment_name": deployment,
        "image_name": image,
        "image_version": version,
        "worker_id": str(os.getpid()),
    }


@dataclass
class _Timer:
    counts: list[int] = field(default_factory=lambda: [0] * len(BUCKETS))
    total: float = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[int(np.searchsorted(BUCKETS, seconds))] += 1
        self.total += seconds


class CustomMetrics:
    """What a class said so far; a collector for prometheus_client."""

    def __init__(self, own: Mapping[str, str] | None = None) -> None:
        """`own` are labels besides those of the environment."""
        self._labels = {**labels(), **(own or {})}
        self._values: dict[Key, float] = {}
        self._timers: dict[Key, _Timer] = {}
        self._lock = Lock()

    def update(self, metrics: Iterable[Mapping[str, Any]], method: str) -> None:
        """Takes in metrics that `seldon_core.metrics.validate_metrics` finds valid."""
        with self._lock:
            for metric in metrics:
                tags = {**{name: str(value) for name, value in metric.get("tags", {}).items()}, "method": method}
                key = (metric["type"], metric["key"], tuple(sorted(tags.items())))
                if metric["type"] == "TIMER":
                    self._timers.setdefault(key, _Timer()).observe(metric["value"] / 1000)
                elif metric["type"] == "GAUGE":
                    self._values[key] = metric["value"]
                else:
                    self._values[key] = self._values.get(key, 0) + metric["value"]

    def reward(self, reward: float) -> None:
        """Counts a feedback and what it was worth, as Seldon does unless it was worth nothing."""
        if reward:
            self.update(rewarded(reward), TAG_OF["send_feedback"])

    def describe(self) -> Sequence[Any]:
        """None is known before a class says it."""
        return ()

    def collect(self) -> Iterator[Any]:
        from prometheus_client import Metric
        from prometheus_client.utils import floatToGoString

        with self._lock:
            values = dict(self._values)
            timers = {key: (np.cumsum(timer.counts).tolist(), timer.total) for key, timer in self._timers.items()}
        families: dict[tuple[str, str], Any] = {}

        def family(kind: str, name: str) -> Any:
            base = name.removesuffix("_total") if kind == "COUNTER" else name
            return families.setdefault((kind, base), Metric(base, "Of the wrapped class.", _TYPES[kind]))

        for (kind, name, tags), value in values.items():
            metric = family(kind, name)
            suffix = "_total" if kind == "COUNTER" else ""
            metric.add_sample(metric.name + suffix, {**dict(tags), **self._labels}, value)
        for (kind, name, tags), (counts, total) in timers.items():
            metric, own = family(kind, name), {**dict(tags), **self._labels}
            for bound, count in zip(BUCKETS, counts, strict=True):
                le = floatToGoString(bound)  # type: ignore[no-untyped-call]
                metric.add_sample(f"{name}_bucket", {**own, "le": le}, count)
            metric.add_sample(f"{name}_count", own, counts[-1])
            metric.add_sample(f"{name}_sum", own, total)
        yield from families.values()
