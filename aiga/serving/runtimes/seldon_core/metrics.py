"""Seldon's metrics, as a class makes them."""

from __future__ import annotations

from typing import Any

from aiga.serving.runtimes.custom_metrics import labels

__all__ = [
    "COUNTER",
    "DEFAULT_LABELS",
    "GAUGE",
    "TIMER",
    "create_counter",
    "create_gauge",
    "create_timer",
    "validate_metrics",
]
COUNTER, GAUGE, TIMER = "COUNTER", "GAUGE", "TIMER"
DEFAULT_LABELS = {name: value for name, value in labels().items() if name != "worker_id"}
"""Labels of all metrics, as Seldon's variables give them."""


def create_counter(key: str, value: float) -> dict[str, Any]:
    """What a counter rises by."""
    return _metric(COUNTER, key, value)


def create_gauge(key: str, value: float) -> dict[str, Any]:
    """What a gauge is set to."""
    return _metric(GAUGE, key, value)


def create_timer(key: str, value: float) -> dict[str, Any]:
    """A duration in milliseconds."""
    return _metric(TIMER, key, value)


def _metric(kind: str, key: str, value: float) -> dict[str, Any]:
    _ = value + 1  # raises TypeError for what is no number, as Seldon's do
    return {"key": key, "type": kind, "value": value}


def validate_metrics(metrics: Any) -> bool:
    """Whether it is a list of metrics."""
    return isinstance(metrics, list) and all(_valid(metric) for metric in metrics)


def _valid(metric: Any) -> bool:
    try:
        metric["value"] + 1
        return metric["type"] in (COUNTER, GAUGE, TIMER) and isinstance(metric["key"], str)
    except (TypeError, KeyError):
        return False
