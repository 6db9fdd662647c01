"""How much of requests' bodies is in memory: all of them together have a bound, however many clients send at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from aiga.serving.gateway.exchange import Failed

LATER = 1.0
"""Seconds after which there may be room again."""


class Crowded(Failed):
    """There is no room for a body now; what is left of it is not read."""


class Hold:
    """What one request holds."""

    __slots__ = ("_bodies", "size")

    def __init__(self, bodies: Bodies) -> None:
        self._bodies, self.size = bodies, 0

    def add(self, size: int) -> None:
        """Holds so many bytes more.

        Raises:
            Crowded: all requests together hold too many.
        """
        bodies = self._bodies
        if bodies.bytes + size > bodies.most():
            raise Crowded(
                503, f"bodies of requests under way have {bodies.most()} bytes at most together", retry_after=LATER
            )
        self.size += size
        bodies.bytes += size


class Bodies:
    """What all requests under way hold."""

    def __init__(self, most: Callable[[], int]) -> None:
        """`most` tells the bound of the moment in bytes."""
        self.most, self.bytes = most, 0

    @contextmanager
    def held(self) -> Iterator[Hold]:
        """What a request holds until the block is left."""
        hold = Hold(self)
        try:
            yield hold
        finally:
            self.bytes -= hold.size
