"""Stages: which version stands where, told by the history of changes, which is never rewritten."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal, get_args

import yaml
from pydantic import AwareDatetime, Field, ValidationError

from aiga.errors import UserError
from aiga.registry.evidence import mistakes
from aiga.spec.base import Model
from aiga.store import Corrupt

Stage = Literal["staging", "production"]
STAGES: tuple[Stage, ...] = get_args(Stage)


class Change(Model):
    """A version came to stand on a stage."""

    at: AwareDatetime
    stage: Stage
    action: Literal["promote", "rollback"]
    version: int = Field(ge=1)
    """That stands there from now on."""
    before: int | None
    """That stood there."""
    by: str
    why: str


class Stages(Model):
    """`stages.yaml`: all changes, the newest last."""

    history: tuple[Change, ...] = ()

    def standing(self, stage: Stage) -> int | None:
        """The version on a stage, None where there never was one."""
        stack = self._stack(stage)
        return stack[-1] if stack else None

    def promoted(self, version: int, stage: Stage, by: str, why: str) -> Stages:
        return self._with(stage, "promote", version, by, why)

    def rolled_back(self, stage: Stage, by: str, why: str) -> Stages:
        """What stood before is back; done again, what stood before that.

        Raises:
            UserError: nothing stood there before.
        """
        stack = self._stack(stage)
        if len(stack) < 2:
            now = f"version {stack[0]} is the first there" if stack else "nothing stands there"
            raise UserError(f"{stage}: cannot be rolled back: {now} (promote a version)")
        return self._with(stage, "rollback", stack[-2], by, why)

    def _stack(self, stage: Stage) -> list[int]:
        """Versions that were promoted and not rolled back."""
        stack: list[int] = []
        for change in self.history:
            if change.stage != stage:
                continue
            if change.action == "rollback":
                del stack[-1:]
            elif stack[-1:] != [change.version]:
                stack.append(change.version)
        return stack

    def _with(self, stage: Stage, action: Literal["promote", "rollback"], version: int, by: str, why: str) -> Stages:
        now = datetime.now(UTC).replace(microsecond=0)
        change = Change(
            at=now, stage=stage, action=action, version=version, before=self.standing(stage), by=by, why=why
        )
        return Stages(history=(*self.history, change))

    def to_yaml(self) -> bytes:
        return yaml.safe_dump(self.model_dump(mode="json", by_alias=True), sort_keys=False, allow_unicode=True).encode()


def from_yaml(data: bytes, where: str) -> Stages:
    """The stages in a file. Raises Corrupt where it is no such file."""
    try:
        return Stages.model_validate(yaml.safe_load(data))
    except yaml.YAMLError as error:
        raise Corrupt(f"{where}: is damaged: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        raise Corrupt(f"{where}: is damaged: {mistakes(error)}") from error
