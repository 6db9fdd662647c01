"""Which predictor a request goes to."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from hashlib import blake2b
from itertools import accumulate
from random import Random


@dataclass(frozen=True)
class Route:
    """A predictor that takes part of the traffic."""

    name: str
    weight: float


class Router:
    """Chooses among predictors by their weights."""

    def __init__(self, routes: Iterable[Route], seed: int | None = None, random: Random | None = None) -> None:
        """Takes the predictors; one of weight 0 is chosen only by its name.

        Args:
            routes: All but the shadow.
            seed: Of the draws.
            random: Draws go on from here instead, as when only weights have changed.
        """
        self.routes = tuple(routes)
        self.random = random or Random(seed)
        self._names = frozenset(route.name for route in self.routes)
        self._drawn: dict[frozenset[str], _Shares] = {}

    def choose(self, variant: str | None = None, key: str | None = None, excluded: Collection[str] = ()) -> str | None:
        """The predictor for a request; None where none is left.

        Args:
            variant: The predictor that the caller asks for; it gets it while it is not excluded.
            key: The caller: the same one gets the same predictor for as long as that one's share does not shrink.
            excluded: Predictors that may not be chosen.
        """
        if variant is not None and variant in self._names and variant not in excluded:
            return variant
        shares = self._shares(excluded)
        if len(shares.routes) <= 1:
            return shares.routes[0].name if shares.routes else None
        if key is not None:
            return max(shares.routes, key=lambda route: _score(route, key)).name
        return shares.routes[bisect_right(shares.bounds, self.random.random() * shares.total)].name

    def _shares(self, excluded: Collection[str]) -> _Shares:
        left_out = frozenset(excluded) & self._names
        shares = self._drawn.get(left_out)
        if shares is None:
            shares = self._drawn[left_out] = _Shares(self.routes, left_out)
        return shares


class _Shares:
    """Those that may be chosen, and where each one's share ends on a line from 0 to their total."""

    def __init__(self, routes: Iterable[Route], excluded: Collection[str]) -> None:
        self.routes = tuple(route for route in routes if route.weight > 0 and route.name not in excluded)
        bounds = tuple(accumulate(route.weight for route in self.routes))
        self.bounds, self.total = bounds[:-1], bounds[-1] if bounds else 0.0


def _score(route: Route, key: str) -> float:
    """Weighted rendezvous hashing: the highest score wins, each in proportion to its weight, and a change of one
    weight moves callers only to or from that predictor."""
    digest = blake2b(f"{route.name}\0{key}".encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return -route.weight / math.log((int.from_bytes(digest) + 0.5) / 2**64)
