"""Rules that look at more than one field of a project."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from aiga.spec.mistakes import Finding
from aiga.spec.project import Project
from aiga.spec.rules import flow, operation, scores, serving, work

Rule = Callable[[Project], Iterator[Finding]]
RULES: tuple[Rule, ...] = (*flow.RULES, *work.RULES, *scores.RULES, *serving.RULES, *operation.RULES)


def findings(project: Project) -> list[Finding]:
    """All that is wrong with a project whose single fields are right."""
    return [finding for rule in RULES for finding in rule(project)]


def doubts(project: Project) -> list[Finding]:
    """What may be right, and seldom is."""
    return list(scores.doubts(project))


__all__ = ["RULES", "doubts", "findings"]
