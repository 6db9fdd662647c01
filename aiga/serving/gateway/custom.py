"""Metrics that wrapped classes report with their answers, exposed as Seldon's Python wrapper exposes them."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

MOST = 1000
"""Series; those beyond are counted and left out, lest a tag with ever new values fill the memory."""
BOUNDS = tuple(10 ** (-3 + (1.4771212547196624 + 3) * step / 49) for step in range(50))
"""Seconds: the wrapper's fifty, from 1 ms to 30 s, evenly apart on a logarithmic scale."""

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_TAG = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_KINDS = {"COUNTER": "counter", "GAUGE": "gauge", "TIMER": "histogram"}

_Key = tuple[str, str, tuple[tuple[str, str], ...]]


@dataclass
class _Series:
    value: float = 0.0
    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))


class Custom(Collector):
    """The metrics of all predictors."""

    def __init__(self) -> None:
        self._series: dict[_Key, _Series] = {}
        self.refused = 0
        """Values left out: no valid name or value, another kind than before, or too many series."""
        self._kinds: dict[str, str] = {}

    def add(self, metrics: Any, labels: Mapping[str, str], method: str = "predict") -> None:
        """What one answer reports.

        Args:
            metrics: As `meta.metrics` has them: `key`, `type` (COUNTER when left out, GAUGE or TIMER), `value` (of a
                timer in milliseconds) and `tags`.
            labels: Of the predictor, or of the node of its graph; they win over tags of the same name.
            method: What the answer is of.
        """
        for metric in metrics if isinstance(metrics, Iterable) else [metrics]:
            if not self._add(metric, labels, method):
                self.refused += 1

    def _add(self, metric: Any, labels: Mapping[str, str], method: str) -> bool:
        if not isinstance(metric, Mapping):
            return False
        name, kind, value = metric.get("key"), metric.get("type", "COUNTER"), metric.get("value")
        tags = metric.get("tags") or {}
        if (
            not isinstance(name, str)
            or not _NAME.fullmatch(name)
            or not isinstance(kind, str)
            or kind not in _KINDS
            or not isinstance(tags, Mapping)
        ):
            return False
        if isinstance(value, bool) or not isinstance(value, int | float) or (kind != "GAUGE" and not value >= 0):
            return False
        if self._kinds.setdefault(name, kind) != kind:
            return False
        own = {str(tag): str(text) for tag, text in tags.items() if _TAG.fullmatch(str(tag))}
        key = (name, kind, tuple(sorted({**own, "method": method, **labels}.items())))
        series = self._series.get(key)
        if series is None:
            if len(self._series) >= MOST:
                return False
            series = self._series[key] = _Series()
        if kind == "TIMER":
            series.value += value / 1000
            series.counts[bisect_left(BOUNDS, value / 1000)] += 1
        else:
            series.value = value if kind == "GAUGE" else series.value + value
        return True

    def collect(self) -> Iterator[Metric]:
        families: dict[str, Metric] = {}
        for (name, kind, labels), series in sorted(self._series.items()):
            family = families.setdefault(
                name,
                Metric(name.removesuffix("_total") if kind == "COUNTER" else name, "Of a wrapped class.", _KINDS[kind]),
            )
            _expose(family, kind, dict(labels), series)
        yield from families.values()


def _expose(family: Metric, kind: str, labels: dict[str, str], series: _Series) -> None:
    if kind != "TIMER":
        family.add_sample(family.name + ("_total" if kind == "COUNTER" else ""), labels, series.value)
        return
    seen = 0
    for bound, count in zip((*map(repr, BOUNDS), "+Inf"), series.counts, strict=True):
        seen += count
        family.add_sample(f"{family.name}_bucket", {**labels, "le": bound}, seen)
    family.add_sample(f"{family.name}_count", labels, seen)
    family.add_sample(f"{family.name}_sum", labels, series.value)
