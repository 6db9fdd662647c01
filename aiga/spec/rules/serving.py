"""Rules of serving: what is served, and by what."""

from __future__ import annotations

import re
from collections.abc import Iterator

from aiga.spec.mistakes import MISSING, Finding
from aiga.spec.places import Path
from aiga.spec.project import Project
from aiga.spec.rules.work import twice
from aiga.spec.serve import Canary, Serve, Unit

BUILT_IN = ("router", "combiner")
"""Kinds that do something without a class: they choose by chance, and average."""
_CONDITION = re.compile(r"[a-z][a-z0-9_]*[<>][0-9]+(\.[0-9]+)?(%|x|ms|s)?")


def served(project: Project) -> Iterator[Finding]:
    """There is something to serve, and one server for it."""
    serve = project.serve
    if serve is None:
        return
    if serve.server == "custom" and serve.run is None and serve.graph is None:
        yield Finding(("serve", "run"), MISSING, "server custom needs run or graph", "add run: module:Class")
    elif not project.train and serve.model is None and serve.graph is None and serve.run is None:
        rule = "is required where the project trains none"
        yield Finding(("serve", "model"), MISSING, rule, "add model: its address, or a graph", (("train",),))
    if serve.run is not None and serve.server != "custom":
        uses = (("serve", "server"),)
        yield Finding(("serve", "run"), serve.run, f"is not for server {serve.server}", "write server: custom", uses)
    if serve.graph is not None:
        for key, value in (("model", serve.model), ("run", serve.run)):
            if value is not None:
                remedy = "take one of them out"
                yield Finding(("serve", key), value, "the graph stands in its place", remedy, (("serve", "graph"),))


def licence(project: Project) -> Iterator[Finding]:
    """Nobody takes Triton's licence upon them unawares."""
    serve = project.serve
    if serve is None or serve.accept_licence:
        return
    remedy = "add serve.acceptLicence: true when you accept its licence, or take server onnx"
    rule, uses = "its image is not under an OSI licence", (("serve", "acceptLicence"),)
    servers: list[tuple[Path, str | None]] = [(("serve", "server"), serve.server)]
    servers += [((*path, "server"), unit.server) for path, unit in _units(serve)]
    yield from (Finding(path, server, rule, remedy, uses) for path, server in servers if server == "triton")


def graph(project: Project) -> Iterator[Finding]:
    """Each unit of an inference graph can do what its kind says."""
    if project.serve is None:
        return
    units = list(_units(project.serve))
    yield from twice(((*path, "name"), unit.name) for path, unit in units)
    for path, unit in units:
        children: Path = (*path, "children")
        if unit.kind in ("router", "combiner") and not unit.children:
            yield Finding(children, MISSING, f"a {unit.kind} has some", "add the units it chooses among or joins")
        if unit.kind == "model" and unit.children:
            below = ", ".join(child.name for child in unit.children)
            yield Finding(children, below, "a model has none", "make it a transformer, or its children's sibling")
        if unit.run is not None and unit.model is not None:
            uses: tuple[Path, ...] = ((*path, "model"),)
            yield Finding((*path, "run"), unit.run, "model stands in its place", "take one of them out", uses)
        elif unit.run is None and unit.kind in BUILT_IN:
            continue
        elif unit.kind != "model" and unit.run is None:
            yield Finding((*path, "run"), MISSING, f"a {unit.kind} needs it", "add run: module:Class")
        elif unit.run is None and unit.model is None and not project.train:
            rule = "is required where the project trains none"
            yield Finding((*path, "model"), MISSING, rule, "add model: its address, or run", (("train",),))


def conditions(project: Project) -> Iterator[Finding]:
    """What undoes a canary can be understood."""
    strategy = project.serve.strategy if project.serve else None
    for index, condition in enumerate(strategy.abort_on if isinstance(strategy, Canary) else ()):
        if not _CONDITION.fullmatch(condition):
            path = ("serve", "strategy", "abortOn", index)
            yield Finding(path, condition, "must be a name, < or >, and a number", "such as errors>1% or p95>2x")


RULES = (served, licence, graph, conditions)


def _units(serve: Serve) -> Iterator[tuple[Path, Unit]]:
    """All units of the graph, a parent before its children."""

    def below(path: Path, unit: Unit) -> Iterator[tuple[Path, Unit]]:
        yield path, unit
        for index, child in enumerate(unit.children):
            yield from below((*path, "children", index), child)

    if serve.graph is not None:
        yield from below(("serve", "graph"), serve.graph)
