"""A circuit breaker: keeps requests from a predictor that fails, and tries it again after a while.

A state machine without a clock of its own: every method takes the time, in seconds on any steady clock.
"""

from __future__ import annotations

from collections import deque
from enum import Enum

from aiga.serving.gateway.deployment import Circuit

MOST_COUNTED = 1000
"""Latest requests that a rate is taken of, within its window."""


class State(Enum):
    CLOSED = "closed"
    """Requests go through."""
    OPEN = "open"
    """None does."""
    HALF_OPEN = "half-open"
    """One does; its end decides."""


class Breaker:
    """The circuit of one predictor."""

    def __init__(self, settings: Circuit) -> None:
        self.settings = settings
        self.opened = 0
        """How often it has opened."""
        self._in_a_row = 0
        self._recent: deque[tuple[float, bool]] = deque()
        self._failed_recently = 0
        self._until: float | None = None
        """When an open circuit lets one request through; None while it is closed."""
        self._trying = False

    def state(self, now: float) -> State:
        if self._until is None:
            return State.CLOSED
        return State.OPEN if now < self._until else State.HALF_OPEN

    def allows(self, now: float) -> bool:
        """Whether a request may go through; changes nothing."""
        return self._until is None or (now >= self._until and not self._trying)

    def wait(self, now: float) -> float:
        """Seconds until it may let a request through."""
        return 0.0 if self._until is None else max(0.0, self._until - now)

    def begin(self, now: float) -> bool:
        """A request goes through: whether it is the one that tries a half-open circuit. `end` is told the same."""
        self._trying = self._until is not None and now >= self._until
        return self._trying

    def end(self, trial: bool, now: float, succeeded: bool | None) -> None:
        """A request has ended: well, badly, or (None) given up by its caller, which says nothing of the predictor."""
        if trial:
            self._trying = False
            if succeeded:
                self._close()
            elif succeeded is False:
                self._open(now)
        elif self._until is None and succeeded is not None:
            self._in_a_row = 0 if succeeded else self._in_a_row + 1
            if self.settings.rate is not None:
                self._record(now, not succeeded)
            if not succeeded and (self._in_a_row >= self.settings.errors or self._rate_reached()):
                self._open(now)

    def _rate_reached(self) -> bool:
        rate, count = self.settings.rate, len(self._recent)
        return rate is not None and count >= self.settings.least and self._failed_recently >= rate * count

    def _record(self, now: float, failed: bool) -> None:
        recent = self._recent
        while recent and (recent[0][0] <= now - self.settings.window or len(recent) >= MOST_COUNTED):
            self._failed_recently -= recent.popleft()[1]
        recent.append((now, failed))
        self._failed_recently += failed

    def _open(self, now: float) -> None:
        self._until = now + self.settings.open
        self.opened += 1

    def _close(self) -> None:
        self._until = None
        self._in_a_row = self._failed_recently = 0
        self._recent.clear()
