"""All that a run has at hand."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

from aiga.runner.place import Place
from aiga.runner.screen import Screen
from aiga.spec.base import delta, size
from aiga.spec.graph import Graph
from aiga.spec.project import Project
from aiga.spec.resources import Resources
from aiga.spec.steps import Retries, Work
from aiga.step.order import Limits


@dataclass(frozen=True)
class Setting:
    """One run of one project."""

    tag: str
    project: Project
    graph: Graph
    folder: Path
    """The project's."""
    place: Place
    python: Path
    """Interpreter of the project's environment."""
    environment: str
    """Digest of what that environment is made of."""
    screen: Screen
    fresh: bool = False
    """Whether nothing is reused."""
    stop: threading.Event = field(default_factory=threading.Event)
    """Set when the run is to end at once."""

    def resources(self, work: Work) -> Resources:
        return work.resources or self.project.resources

    def retries(self, work: Work) -> Retries:
        return work.retries or self.project.retries

    def limits(self, work: Work) -> Limits:
        """What the step may use, and how long it may take."""
        found = self.resources(work)
        return Limits(
            cpu=found.cpu,
            memory=size(found.memory) if found.memory else None,
            timeout=delta(work.timeout or self.project.timeout).total_seconds(),
        )
