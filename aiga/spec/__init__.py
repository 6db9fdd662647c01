"""`project.yaml`: its models, its mistakes, the graph of its steps."""

from __future__ import annotations

from aiga.spec.graph import Graph
from aiga.spec.load import Loaded, load
from aiga.spec.mistakes import SpecError
from aiga.spec.project import Project

__all__ = ["Graph", "Loaded", "Project", "SpecError", "load"]
