"""Rules of serving: what is served, and by what."""

from __future__ import annotations

import re
from collections.abc import Iterator

from aiga.spec.mistakes import MISSING, Finding
from aiga.spec.places import Path
from aiga.spec.project import Project
from aiga.spec.rules import inference
from aiga.spec.serve import THREADED, THREADS, Canary, is_class

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
    elif serve.run is not None and not is_class(serve.run):
        rule = "must be module:Class of the project's folder"
        yield Finding(("serve", "run"), serve.run, rule, "such as serve:Mnist")
    known = (THREADS,) if serve.server in THREADED else ()
    for name, given in serve.parameters.items() if serve.run is None else ():
        if name not in known or serve.graph is not None:
            rule = "nothing takes it: it is an argument of a class, or threads of server onnx"
            yield Finding(("serve", "parameters", name), given, rule, "give it to a unit of the graph, or take it out")
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
    servers += [((*path, "server"), unit.server) for path, unit in inference.units(serve)]
    yield from (Finding(path, server, rule, remedy, uses) for path, server in servers if server == "triton")


def conditions(project: Project) -> Iterator[Finding]:
    """What undoes a canary can be understood."""
    strategy = project.serve.strategy if project.serve else None
    for index, condition in enumerate(strategy.abort_on if isinstance(strategy, Canary) else ()):
        if not _CONDITION.fullmatch(condition):
            path = ("serve", "strategy", "abortOn", index)
            yield Finding(path, condition, "must be a name, < or >, and a number", "such as errors>1% or p95>2x")


RULES = (served, licence, inference.graph, conditions)
