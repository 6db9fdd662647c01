"""Rules of an inference graph: each unit can do what its kind says."""

from __future__ import annotations

from collections.abc import Iterator

from aiga.spec.mistakes import MISSING, Finding
from aiga.spec.places import Path
from aiga.spec.project import Project
from aiga.spec.rules.work import twice
from aiga.spec.serve import RATIO, THREADED, THREADS, Serve, Unit, is_class, is_share

BUILT_IN = ("router", "combiner")
"""Kinds that do something without a class: they choose by chance, and average."""


def units(serve: Serve) -> Iterator[tuple[Path, Unit]]:
    """All units of the graph, a parent before its children."""

    def below(path: Path, unit: Unit) -> Iterator[tuple[Path, Unit]]:
        yield path, unit
        for index, child in enumerate(unit.children):
            yield from below((*path, "children", index), child)

    if serve.graph is not None:
        yield from below(("serve", "graph"), serve.graph)


def graph(project: Project) -> Iterator[Finding]:
    """Each unit has the children that its kind wants, and something that does its work."""
    if project.serve is None:
        return
    found = list(units(project.serve))
    yield from twice(((*path, "name"), unit.name) for path, unit in found)
    for path, unit in found:
        yield from _children(path, unit)
        yield from _worker(path, unit, project)
        yield from _parameters(path, unit, project.serve)


def _children(path: Path, unit: Unit) -> Iterator[Finding]:
    children: Path = (*path, "children")
    if unit.kind in BUILT_IN and not unit.children:
        yield Finding(children, MISSING, f"a {unit.kind} has some", "add the units it chooses among or joins")
    elif unit.kind == "router" and unit.run is None and len(unit.children) != 2:
        below = ", ".join(child.name for child in unit.children)
        yield Finding(children, below, "a router without run chooses between two", "add run: module:Class")
    if unit.kind == "model" and unit.children:
        below = ", ".join(child.name for child in unit.children)
        yield Finding(children, below, "a model has none", "make it a transformer, or its children's sibling")


def _worker(path: Path, unit: Unit, project: Project) -> Iterator[Finding]:
    """The class or the model that does a unit's work."""
    uses: tuple[Path, ...] = ((*path, "model"),)
    if unit.run is not None and unit.model is not None:
        yield Finding((*path, "run"), unit.run, "model stands in its place", "take one of them out", uses)
    elif unit.model is not None and unit.kind != "model":
        yield Finding(uses[0], unit.model, f"a {unit.kind} is no model", "take it out, or write kind: model")
    elif unit.run is not None:
        if unit.server not in (None, "custom"):
            yield Finding((*path, "server"), unit.server, "runs no class", "take it out: run says what serves")
        if not is_class(unit.run):
            yield Finding((*path, "run"), unit.run, "must be module:Class of the project's folder", "such as serve:Sum")
    elif unit.kind not in ("model", *BUILT_IN):
        yield Finding((*path, "run"), MISSING, f"a {unit.kind} needs it", "add run: module:Class")
    elif unit.kind == "model" and unit.server == "custom":
        server: tuple[Path, ...] = ((*path, "server"),)
        yield Finding((*path, "run"), MISSING, "server custom needs it", "add run: module:Class", server)
    elif unit.kind == "model" and unit.model is None and not project.train:
        rule = "is required where the project trains none"
        yield Finding((*path, "model"), MISSING, rule, "add model: its address, or run", (("train",),))


def _parameters(path: Path, unit: Unit, serve: Serve) -> Iterator[Finding]:
    """What does not go to a class is known by name."""
    if unit.run is not None:
        return
    own = unit.server or serve.server
    known = {"model": (THREADS,) if own in THREADED else (), "router": (RATIO,)}.get(unit.kind, ())
    for name, value in unit.parameters.items():
        place = (*path, "parameters", name)
        if name not in known:
            remedy = f"write {known[0]}, or take it out" if known else "take it out"
            yield Finding(place, value, f"nothing takes it: a {unit.kind} without run has no such parameter", remedy)
        elif name == RATIO and not is_share(value):
            yield Finding(place, value, "must be a share from 0 to 1", "such as 0.5")
