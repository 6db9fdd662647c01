"""What goes from step to step: files with a digest, and values; and the record of how a step came by them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiga.runner.place import Place
from aiga.spec.base import Scalar


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

    def local(self, place: Place) -> Path:
        """A path on this machine with its content."""
        return self.path if self.path is not None else place.artefact(self.key, self.digest)

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
