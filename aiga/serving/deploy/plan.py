"""Which versions of a model are served, and what share of the traffic each gets."""

from __future__ import annotations

import re
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


def versions(
    project: str, serve: Serve, canary: Beside | None, shadow: Beside | None, *, trained: bool = True
) -> list[Version]:
    """The predictors of a deployment.

    A canary without a share gets the first one of the project's strategy.

    Args:
        project: whose model it is where the block names none.
        trained: whether the project trains one.

    Raises:
        UserError: there is no other version, or the project wants it to see copies of the traffic alone.
    """
    at = serve.model or project
    own = at.partition("@")[0] or project
    beside = canary or shadow
    if beside is not None and serve.run is not None and serve.model is None and not trained:
        raise UserError(f"{beside.at}: {serve.run} is served without a model, so there are no versions of it")
    if canary is not None and canary.share is None and isinstance(serve.strategy, Shadow):
        raise UserError(
            f"{canary.at}: serve.strategy lets a new version see copies of the traffic alone (--shadow {canary.at}; "
            f"--canary {canary.at}=10 gives it traffic all the same)"
        )
    share = 0.0
    found: list[Version] = []
    if canary is not None:
        share = canary.share if canary.share is not None else first_share(serve)
        found.append(Version(CANARY, _address(own, canary.at), share))
    if shadow is not None:
        found.append(Version(SHADOW, _address(own, shadow.at)))
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
    return serve.strategy.header.lower() if isinstance(serve.strategy, Split) else None


def _address(project: str, at: str) -> str:
    return at if "@" in at else f"{project}@{at}"
