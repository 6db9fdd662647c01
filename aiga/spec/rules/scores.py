"""Rules of search and evaluation: parameters, metrics, gates, suites."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from aiga.names import MODEL_OUTPUT, PREDICTIONS
from aiga.spec.evaluate import Computed, Evaluate, GapGate, LatencyGate, ProductionGate, SliceGate
from aiga.spec.mistakes import MISSING, Finding, meant, nearest
from aiga.spec.places import Path
from aiga.spec.project import Project
from aiga.spec.rules.work import SEED, twice
from aiga.spec.search import FloatRange, LogRange

COMPUTED: tuple[str, ...] = get_args(Computed)
_NUMBERS = ("number", "integer")
_METRICS: Path = ("evaluate", "metrics")
_RETURNS: Path = ("evaluate", "returns")


def space(project: Project) -> Iterator[Finding]:
    """What is searched for is a parameter that the method can suggest."""
    if not project.train or not project.train.search:
        return
    search, path = project.train.search, ("train", "search", "space")
    for name, dimension in search.space.items():
        if name in project.train.inputs:
            yield Finding((*path, name), name, "is an input of train too", "rename one", (("train", "in", name),))
        if name == SEED:
            yield Finding((*path, name), name, "is an argument already: train.seed", "take it out")
        endless = isinstance(dimension, LogRange) or (isinstance(dimension, FloatRange) and dimension.step is None)
        if search.method == "grid" and endless:
            remedy = "give float a step, write a choice, or search with random or tpe"
            rule = "a grid has no end of values here"
            yield Finding(
                (*path, name),
                dimension.model_dump(exclude_defaults=True),
                rule,
                remedy,
                (("train", "search", "method"),),
            )


def objective(project: Project) -> Iterator[Finding]:
    """What is sought is a number."""
    if project.train and project.train.search:
        metric = project.train.search.objective.metric
        kind = project.train.returns.get(metric, "number")
        if kind not in _NUMBERS:
            path = ("train", "search", "objective", "metric")
            uses = (("train", "returns", metric),)
            yield Finding(path, metric, f"is {kind}, not a number", "return a number", uses)


def gates(project: Project) -> Iterator[Finding]:
    """Gates judge metrics that there are."""
    for index, gate in enumerate(project.evaluate.gates if project.evaluate else ()):
        assert project.evaluate is not None
        if isinstance(gate, LatencyGate):
            continue
        path = ("evaluate", "gates", index, "metric")
        by_row = isinstance(gate, SliceGate | GapGate | ProductionGate)
        found = _unreported(project.evaluate, gate.metric, by_row)
        if found:
            yield Finding(path, gate.metric, *found, (_METRICS, _RETURNS))


def predictions(project: Project) -> Iterator[Finding]:
    """What is computed of single predictions needs their table."""
    evaluate = project.evaluate
    if evaluate is None or PREDICTIONS in evaluate.outputs:
        return
    by_row = [f"gates[{i}]" for i, gate in enumerate(evaluate.gates) if _of_rows(gate, evaluate)]
    by_row += [f"suites[{index}]" for index in range(len(evaluate.suites))]
    if by_row:
        made = ", ".join(evaluate.outputs) or "nothing"
        remedy = f"such as out: {{{PREDICTIONS}: {PREDICTIONS}.parquet}}"
        rule = f"has no output {PREDICTIONS}, which {by_row[0]} judges"
        uses: tuple[Path, ...] = (("evaluate", "gates"), ("evaluate", "suites"), _METRICS, _RETURNS)
        yield Finding(("evaluate", "out"), made, rule, remedy, uses)


def suites(project: Project) -> Iterator[Finding]:
    """Each suite stands in the place of one input."""
    evaluate = project.evaluate
    if evaluate is None:
        return
    path: Path = ("evaluate", "suites")
    yield from twice(((*path, index, "name"), suite.name) for index, suite in enumerate(evaluate.suites))
    inputs = [name for name in evaluate.inputs if name != MODEL_OUTPUT]
    for index, suite in enumerate(evaluate.suites):
        here, uses = (*path, index, "argument"), (("evaluate", "in"),)
        if suite.argument is None and len(inputs) != 1:
            remedy = f"add argument: one of {', '.join(inputs)}" if inputs else "give evaluate an input"
            yield Finding(here, MISSING, f"evaluate has {len(inputs)} inputs besides the model", remedy, uses)
        elif suite.argument is not None and suite.argument not in inputs:
            remedy = meant(suite.argument, inputs, "inputs are")
            yield Finding(here, suite.argument, "is no input of evaluate", remedy, uses)


def candidate(project: Project) -> Iterator[Finding]:
    """There is one model to evaluate, and something to approve."""
    evaluate = project.evaluate
    if evaluate:
        given = evaluate.model is not None or MODEL_OUTPUT in evaluate.inputs
        if not project.train and not given:
            rule = "is required where the project trains none"
            yield Finding(("evaluate", "model"), MISSING, rule, "add model: its address", (("train",),))
        if project.train and evaluate.model is not None:
            yield Finding(("evaluate", "model"), evaluate.model, "train makes the model", "take it out")
        elif evaluate.model is not None and MODEL_OUTPUT in evaluate.inputs:
            uses = (("evaluate", "in", MODEL_OUTPUT),)
            yield Finding(("evaluate", "model"), evaluate.model, "is an input too", "take one of them out", uses)
    if project.approve and not project.train and not evaluate:
        remedy = "add train or evaluate, or take it out"
        yield Finding(("approve",), "approve", "has no candidate to approve", remedy, (("train",), ("evaluate",)))


RULES = (space, objective, gates, predictions, suites, candidate)


def doubts(project: Project) -> Iterator[Finding]:
    """A metric that `aiga.log(name=…)` cannot spell."""
    if project.train and project.train.search:
        metric = project.train.search.objective.metric
        if not metric.isidentifier():
            path = ("train", "search", "objective", "metric")
            yield Finding(path, metric, "is no Python name", f"report it as {{{metric!r}: value}}, or rename it")


def _unreported(evaluate: Evaluate, metric: str, by_row: bool) -> tuple[str, str] | None:
    """The rule that a gate's metric breaks, and the remedy."""
    if metric in evaluate.metrics:
        return None
    if by_row:
        if metric in COMPUTED:
            return "is not computed", "add it to evaluate.metrics"
        return "is not computed of predictions", f"one of evaluate.metrics: {', '.join(COMPUTED)}"
    kind = evaluate.returns.get(metric)
    if kind in _NUMBERS:
        return None
    if kind:
        return f"is {kind}, not a number", "declare it as number in evaluate.returns"
    near = nearest(metric, {*evaluate.metrics, *evaluate.returns})
    hint = f"did you mean {near}? Else " if near else ""
    places = "evaluate.returns or evaluate.metrics" if metric in COMPUTED else "evaluate.returns"
    return "nobody reports it", f"{hint}list it in {places}"


def _of_rows(gate: object, evaluate: Evaluate) -> bool:
    if isinstance(gate, SliceGate | GapGate | ProductionGate):
        return True
    metric = getattr(gate, "metric", None)
    return metric in evaluate.metrics and metric not in evaluate.returns
