"""The space of a search: what Optuna draws from, what a grid counts through, and values typed as the file says.

Choices go to Optuna as their JSON text, for it takes 1, 1.0 and true as one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from random import Random
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from aiga.errors import UserError
from aiga.spec.base import Scalar
from aiga.spec.search import Choice, Dimension, FloatRange, IntRange, LogRange

GRID_LIMIT = 100_000
"""Points above which a grid is refused."""

Space = Mapping[str, Dimension]


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """What Optuna draws each parameter from."""
    return {name: _distribution(dimension) for name, dimension in space.items()}


def typed(space: Space, drawn: Mapping[str, Any]) -> dict[str, Scalar]:
    """Optuna's values as the step gets them, in the order of the file."""
    return {name: _value(dimension, drawn[name]) for name, dimension in space.items()}


class Grid:
    """All combinations of a space whose dimensions are choices and ranges with a step.

    They are counted in the order of the file, the last parameter quickest; where there are more than `trials`, in an
    order shuffled by `seed`, so that the part that is tried is spread over the whole.
    """

    def __init__(self, space: Space, trials: int, seed: int) -> None:
        endless = [name for name, dimension in space.items() if not _finite(dimension)]
        if endless:
            raise UserError(
                "\n".join(
                    f"train.search.space.{name}: must have a step or be a choice for method grid "
                    "(add step, list values with choice, or take method random or tpe)"
                    for name in endless
                )
            )
        self.size = math.prod(_count(dimension) for dimension in space.values())
        if self.size > GRID_LIMIT:
            raise UserError(
                f"train.search.space: a grid must have at most {GRID_LIMIT} points, got {self.size} "
                "(take greater steps, or method random)"
            )
        self._values = {name: _listed(dimension) for name, dimension in space.items()}
        self._order = list(range(self.size))
        if self.size > trials:
            Random(seed).shuffle(self._order)

    def __getitem__(self, position: int) -> dict[str, Any]:
        """Values of one point, as Optuna's distributions hold them."""
        rest = self._order[position]
        point = {}
        for name in reversed(self._values):
            rest, index = divmod(rest, len(self._values[name]))
            point[name] = self._values[name][index]
        return {name: point[name] for name in self._values}


def _distribution(dimension: Dimension) -> BaseDistribution:
    match dimension:
        case FloatRange(float=(low, high), step=step):
            return FloatDistribution(
                low, high if step is None else _point(low, step, _steps(low, high, step)), step=step
            )
        case LogRange(log=(low, high)):
            return FloatDistribution(low, high, log=True)
        case IntRange(int=(least, greatest), step=stride):
            return IntDistribution(least, greatest - (greatest - least) % stride, step=stride)
        case Choice():
            return CategoricalDistribution(_labels(dimension))
    raise AssertionError(f"no distribution for {dimension!r}")


def _value(dimension: Dimension, drawn: Any) -> Scalar:
    match dimension:
        case Choice(choice=values):
            return next(value for value in values if _label(value) == drawn)
        case IntRange():
            return int(drawn)
        case FloatRange(float=(low, _), step=float() as step):
            return _point(low, step, round((drawn - low) / step))
    return float(drawn)


def _finite(dimension: Dimension) -> bool:
    match dimension:
        case LogRange(log=(low, high)) | FloatRange(float=(low, high), step=None):
            return low == high
    return True


def _count(dimension: Dimension) -> int:
    match dimension:
        case IntRange(int=(least, greatest), step=stride):
            return (greatest - least) // stride + 1
        case FloatRange(float=(low, high), step=float() as step):
            return _steps(low, high, step) + 1
        case Choice():
            return len(_labels(dimension))
    return 1


def _listed(dimension: Dimension) -> Sequence[Any]:
    match dimension:
        case IntRange(int=(least, greatest), step=stride):
            return range(least, greatest + 1, stride)
        case FloatRange(float=(low, high), step=float() as step):
            return [_point(low, step, number) for number in range(_steps(low, high, step) + 1)]
        case Choice():
            return _labels(dimension)
        case LogRange(log=(low, _)) | FloatRange(float=(low, _)):
            return [low]
    raise AssertionError(f"no values of {dimension!r}")


def _steps(low: float, high: float, step: float) -> int:
    return int((Decimal(str(high)) - Decimal(str(low))) // Decimal(str(step)))


def _point(low: float, step: float, number: int) -> float:
    """Counted in decimals: 0.1 + 2 × 0.1 is 0.3, as the file's reader expects."""
    return float(Decimal(str(low)) + number * Decimal(str(step)))


def _label(value: Scalar) -> str:
    return json.dumps(value)


def _labels(choice: Choice) -> list[str]:
    return list(dict.fromkeys(map(_label, choice.choice)))
