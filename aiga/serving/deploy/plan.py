"""Which versions of a model are served, and what share of the traffic each gets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from aiga.errors import UserError
from aiga.spec.serve import Canary, Serve, Shadow, Split

Role = Literal["main", "canary", "shadow"]
MAIN: Final = "main"
CANARY: Final = "canary"
SHADOW: Final = "shadow"


@dataclass(frozen=True)
class Version:
    """One version: a predictor of the deployment."""

    name: Role
    at: str
    """What it is: a model's address, or what stands on a stage."""
    weight: float = 0.0
    """Percent of the traffic; a shadow has none, and sees a copy of all of it."""


@dataclass(frozen=True)
class Beside:
    """A further version that a person asks for: `2`, `2=25`, `staging`."""

    at: str
    share: float | None = None

    @classmethod
    def parse(cls, text: str) -> Beside:
        """The version and its share in percent.

        Raises:
            UserError: it is neither.
        """
        found = re.fullmatch(r"(?P<at>[\w@.-]+)(=(?P<share>\d+(\.\d+)?)%?)?", text)
        if found is None:
            raise UserError(f"{text}: must be a version, or version=percent, such as 2=10 or staging")
        share = float(found["share"]) if found["share"] else None
        if share is not None and not 0 < share < 100:
            raise UserError(f"{text}: the share must lie between 0 and 100 percent")
        return cls(found["at"], share)


def versions(project: str, serve: Serve, canary: Beside | None, shadow: Beside | None) -> list[Version]:
    """The predictors of a deployment.

    A canary without a share gets the first one of the project's strategy.

    Args:
        project: whose model it is where the block names none.
    """
    at = serve.model or project
    share = 0.0
    found: list[Version] = []
    if canary is not None:
        share = canary.share if canary.share is not None else first_share(serve)
        found.append(Version(CANARY, _address(project, canary.at), share))
    if shadow is not None:
        found.append(Version(SHADOW, _address(project, shadow.at)))
    return [Version(MAIN, at, 100 - share), *found]


def first_share(serve: Serve) -> float:
    """What the project's strategy gives a new version first, in percent."""
    match serve.strategy:
        case Canary() as strategy:
            return min(strategy.steps[0], 50.0) if strategy.steps[0] == 100 else strategy.steps[0]
        case Split() as strategy:
            return strategy.share
        case _:
            return 10.0


def sticky(serve: Serve) -> str | None:
    """The header that keeps a caller with one version, where the strategy has one."""
    return serve.strategy.header if isinstance(serve.strategy, Split) else None


def mirrored(serve: Serve) -> bool:
    """Whether a new version begins as a shadow."""
    return isinstance(serve.strategy, Shadow)


def shares(current: Sequence[Version], share: float) -> list[Version]:
    """The same versions, with another share for the canary."""
    return [
        Version(v.name, v.at, share if v.name == CANARY else 100 - share if v.name == MAIN else 0.0) for v in current
    ]


def _address(project: str, at: str) -> str:
    return at if "@" in at else f"{project}@{at}"
