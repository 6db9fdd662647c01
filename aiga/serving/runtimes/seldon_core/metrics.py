"""Seldon's metrics, as a class makes them."""

from __future__ import annotations

from typing import Any

COUNTER, GAUGE, TIMER = "COUNTER", "GAUGE", "TIMER"


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
