"""What goes from step to step: files with a digest, and values; and the record of how a step came by them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiga.errors import UserError
from aiga.runner.place import Place
from aiga.sources.marks import mark
from aiga.spec.base import Scalar
from aiga.spec.steps import Train, Work


@dataclass(frozen=True)
class Artefact:
    """A file or folder, by digest."""

    digest: str
    origin: str
    """Who made it: `<tag>/<step>.<output>`, or `source:<name>`."""
    key: str = ""
    """Where the store has it."""
    path: Path | None = None
    """Where this machine has it already."""
    mark: str = ""
    """Of the files at `path` when their digest was taken, where others than this run may write to them."""

    def local(self, place: Place) -> Path:
        """A path on this machine with its content."""
        return self.path if self.path is not None else place.artefact(self.key, self.digest)

    @property
    def altered(self) -> bool:
        """Whether somebody wrote to it since its digest was taken."""
        if not self.mark or self.path is None:
            return False
        try:
            return mark(self.path) != self.mark
        except UserError:  # a link in a folder leads nowhere now
            return True

    def plain(self) -> dict[str, str]:
        return {"digest": self.digest, "from": self.origin, **({"key": self.key} if self.key else {})}


@dataclass(frozen=True)
class Done:
    """A step's result: of this run, or of an earlier one that it is reused from."""

    step: str
    where: str
    """`<tag>/<step>` of the run that did it."""
    outputs: Mapping[str, Artefact] = field(default_factory=dict)
    values: Mapping[str, Scalar] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    reused: bool = False


@dataclass(frozen=True)
class Task:
    """One step with everything it takes."""

    name: str
    work: Work
    files: Mapping[str, Artefact]
    values: Mapping[str, Scalar]
    parameters: Mapping[str, Scalar]
    origins: Mapping[str, str] = field(default_factory=dict)
    """Value to who gave it: `<tag>/<step>.<name>`."""

    @property
    def arguments(self) -> dict[str, Scalar]:
        """Parameters, and values of earlier steps."""
        return {**self.parameters, **self.values}

    @property
    def seed(self) -> int | None:
        """Of a training step."""
        return self.work.seed if isinstance(self.work, Train) else None
