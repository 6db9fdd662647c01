"""All that a run has at hand."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

from aiga.runner import environment
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

    @classmethod
    def of(
        cls, tag: str, project: Project, folder: Path, place: Place, screen: Screen, *, fresh: bool = False
    ) -> Setting:
        """A run's setting, with the project's environment, which is made now where it is not there.

        Raises:
            UserError: the project's requirements cannot be installed, or its steps make no graph.
            TransientError: the package index did not answer.
        """
        graph = Graph.of(project)
        python = environment.ensure(folder, screen.say)
        return cls(tag, project, graph, folder, place, python, environment.digest(folder), screen, fresh)

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
