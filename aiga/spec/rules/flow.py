"""Rules of what steps take from one another."""

from __future__ import annotations

from collections.abc import Iterator

from aiga.names import MODEL_OUTPUT
from aiga.spec.graph import EVALUATE, Use, Wiring
from aiga.spec.mistakes import Finding, meant
from aiga.spec.places import ANY, Path
from aiga.spec.project import Project


def producers(project: Project) -> Iterator[Finding]:
    """Every input is one thing that is produced."""
    wiring = Wiring(project)
    for use in wiring.unclear:
        implied = use.taker == EVALUATE and use.argument == MODEL_OUTPUT and not use.suite
        if implied and project.evaluate and MODEL_OUTPUT not in project.evaluate.inputs:
            continue
        if use.found:
            choice = " or ".join(str(address) for address in use.found)
            yield Finding(use.path, use.name, "more than one produces it", f"write {choice}", _looked_at(wiring, use))
        else:
            yield Finding(use.path, use.name, "nobody produces it", _nearest(wiring, use), _looked_at(wiring, use))


def cycles(project: Project) -> Iterator[Finding]:
    """No step waits for itself."""
    wiring = Wiring(project)
    paths = {task.name: task.path for task in reversed(wiring.tasks)}
    for cycle in wiring.cycles():
        first, *others = ((*paths[name], "in") for name in cycle[:-1])
        remedy = "take one of these inputs out"
        yield Finding(first, " -> ".join(cycle), "a cycle: none of these steps can begin", remedy, tuple(others))


def data(project: Project) -> Iterator[Finding]:
    """Suites and labelling read files."""
    for use in Wiring(project).uses:
        if (use.suite or use.path[-1] == "data") and len(use.found) == 1 and use.found[0].scalar:
            yield Finding(use.path, use.name, "is a value, not data", "name a source, or an output that is a file")


RULES = (producers, cycles, data)


def _nearest(wiring: Wiring, use: Use) -> str:
    others = [address for address in wiring.given if address.producer != use.taker]
    of_step = [str(address) for address in others if address.producer == use.name]
    if of_step:
        return f"it is a step; take what it makes: {', '.join(of_step)}"
    known = [str(address) if any(char in use.name for char in ".:") else address.output for address in others]
    return meant(use.name, set(known))


def _looked_at(wiring: Wiring, use: Use) -> tuple[Path, ...]:
    """Where that which the name means would be declared."""
    blocks: list[Path] = [("label",), ("train",), ("evaluate",), *(task.path for task in wiring.tasks)]
    inside = [(*block, key) for block in dict.fromkeys(blocks) for key in ("name", "out", "output", "returns")]
    return (("sources", use.name.removeprefix("source:")), ("etl", ANY), *inside)
