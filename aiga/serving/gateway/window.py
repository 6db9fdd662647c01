"""Rates and latencies of the last minute, in little and constant memory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

SPAN = 60.0
"""Seconds."""
_SLOTS = 12
_SLOT = SPAN / _SLOTS
_SHORTEST = 1e-5
"""Seconds; all that is shorter counts as this."""
_GROWTH = math.log(1.05)
_BINS = 1 + math.ceil(math.log(1e3 / _SHORTEST) / _GROWTH)


@dataclass(slots=True)
class _Slot:
    number: int = -1
    failed: int = 0
    bins: list[int] = field(default_factory=lambda: [0] * _BINS)
    """Counts by latency, each bin's end 5 % above the one's before it."""


@dataclass(frozen=True)
class Figures:
    """What happened within the span."""

    requests: int
    failed: int
    rate: float
    """Requests in a second."""
    p50: float | None
    """Seconds, to within 5 %; None without requests."""
    p99: float | None


class Window:
    """Counts of one predictor; times are seconds on any steady clock."""

    def __init__(self, now: float) -> None:
        self._since = now
        self._slots = [_Slot() for _ in range(_SLOTS)]

    def add(self, now: float, seconds: float, failed: bool = False) -> None:
        """One request has ended."""
        number = int(now / _SLOT)
        slot = self._slots[number % _SLOTS]
        if slot.number != number:
            slot.number, slot.failed, slot.bins = number, 0, [0] * _BINS
        slot.failed += failed
        position = math.ceil(math.log(seconds / _SHORTEST) / _GROWTH) if seconds > _SHORTEST else 0
        slot.bins[min(position, _BINS - 1)] += 1

    def quantiles(self, now: float, shares: Sequence[float]) -> list[float]:
        """Latencies that these shares of the last minute's requests were within; NaN without requests."""
        bins = _added(self._current(now))
        return [found if (found := _quantile(bins, sum(bins), share)) is not None else math.nan for share in shares]

    def figures(self, now: float) -> Figures:
        """Of the last minute, or of the time since the window began."""
        slots = self._current(now)
        bins = _added(slots)
        requests = sum(bins)
        seconds = min(now - self._since, (_SLOTS - 1) * _SLOT + now % _SLOT)
        return Figures(
            requests,
            sum(slot.failed for slot in slots),
            requests / max(seconds, 1.0),
            _quantile(bins, requests, 0.5),
            _quantile(bins, requests, 0.99),
        )

    def _current(self, now: float) -> list[_Slot]:
        newest = int(now / _SLOT)
        return [slot for slot in self._slots if newest - _SLOTS < slot.number <= newest]


def _added(slots: Iterable[_Slot]) -> list[int]:
    return [sum(column) for column in zip(*(slot.bins for slot in slots), strict=True)]


def _quantile(bins: list[int], count: int, share: float) -> float | None:
    wanted = max(1, math.ceil(share * count))
    seen = 0
    for position, number in enumerate(bins):
        seen += number
        if seen >= wanted:
            return _SHORTEST * math.exp(position * _GROWTH)
    return None
