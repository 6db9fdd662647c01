"""A circuit breaker: keeps requests from a predictor that fails, and tries it again after a while.

A state machine without a clock of its own: every method takes the time, in seconds on any steady clock.
"""

from __future__ import annotations

from collections import deque
from enum import Enum

from aiga.serving.gateway.deployment import Circuit


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
        self._recent: deque[tuple[float, bool]] = deque(maxlen=settings.window_requests)
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

    def begin(self, now: float) -> None:
        """A request goes through; it ends by one of the three below."""
        if self._until is not None and now >= self._until:
            self._trying = True

    def succeeded(self, now: float) -> None:
        self._in_a_row = 0
        if self._until is None:
            self._record(now, failed=False)
        elif self._trying:
            self._close()

    def failed(self, now: float) -> None:
        if self._until is not None:
            if self._trying:
                self._open(now)
            return
        self._in_a_row += 1
        self._record(now, failed=True)
        if self._in_a_row >= self.settings.errors or self._rate_reached():
            self._open(now)

    def given_up(self) -> None:
        """The caller went away before the request's end, which says nothing of the predictor."""
        self._trying = False

    def _rate_reached(self) -> bool:
        if self.settings.rate is None or len(self._recent) < self.settings.least:
            return False
        return self._failed_recently >= self.settings.rate * len(self._recent)

    def _record(self, now: float, failed: bool) -> None:
        if self.settings.rate is None:
            return
        recent = self._recent
        while recent and (recent[0][0] <= now - self.settings.window or len(recent) == recent.maxlen):
            self._failed_recently -= recent.popleft()[1]
        recent.append((now, failed))
        self._failed_recently += failed

    def _open(self, now: float) -> None:
        self._until, self._trying = now + self.settings.open, False
        self.opened += 1

    def _close(self) -> None:
        self._until, self._trying = None, False
        self._in_a_row = self._failed_recently = 0
        self._recent.clear()
