"""Compares the stand-ins with the real charts and manifests, where `vendor/` has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.standins import facts, render
from simulator.standins.table import Table

Case = tuple[Table, str, Mapping[str, Any]]


@dataclass(frozen=True)
class Comparison:
    """What one entry, rendered with the same values, has on either side only, and in what its objects differ."""

    table: Table
    case: str
    missing: Sequence[str]
    extra: Sequence[str]
    differing: Sequence[str]

    @property
    def undeclared(self) -> list[str]:
        """What is missing without the table saying so."""
        return [key for key in self.missing if key not in self.table.omits]


def compare(real: Path, standins: Path, case: Case) -> Comparison:
    """One entry under one set of values."""
    table, name, values = case
    theirs = {facts.key(o): o for o in render.objects(real, table, values)}
    ours = {facts.key(o): o for o in render.objects(standins, table, values)}
    differing = [
        f"{key}: {line}"
        for key in theirs
        if key in ours
        for line in facts.differences(facts.of(theirs[key]), facts.of(ours[key]))
    ]
    missing = sorted(key for key in theirs if key not in ours)
    return Comparison(table, name, missing, sorted(key for key in ours if key not in theirs), differing)


def inventory(root: Path, case: Case) -> dict[str, str]:
    """The objects that an entry has under one set of values, each with the digest of its facts."""
    table, _, values = case
    return {facts.key(o): facts.digest(o) for o in render.objects(root, table, values)}


def report(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """A line for each difference, a heading for each entry and case."""
    for comparison in comparisons:
        declared = len(comparison.missing) - len(comparison.undeclared)
        yield f"{comparison.table.stem} [{comparison.case}]: {declared} left out on purpose"
        yield from (f"  only upstream: {key}" for key in comparison.undeclared)
        yield from (f"  only here:     {key}" for key in comparison.extra)
        yield from (f"  {line}" for line in comparison.differing)
