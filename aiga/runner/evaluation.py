"""Judges a candidate: its metrics, its suites and its gates, beside the model in production on the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from aiga.errors import UserError
from aiga.evaluate import gates, latency, metrics, suites, table
from aiga.evaluate.gates import Scores, Verdict
from aiga.evaluate.suites import SuiteScore
from aiga.evaluate.table import Predictions
from aiga.names import MODEL_OUTPUT, PREDICTIONS
from aiga.registry import Registry
from aiga.runner import documents, layout, steps
from aiga.runner.artefact import Artefact, Done, Task
from aiga.runner.materials import registered
from aiga.runner.setting import Setting
from aiga.spec.evaluate import Evaluate, LatencyGate, ProductionGate, Suite

PRODUCTION = "production"


@dataclass(frozen=True)
class Judgement:
    """What is known of a candidate. It passed where every verdict did."""

    metrics: Mapping[str, float]
    verdicts: tuple[Verdict, ...]
    predictions: Predictions | None = None
    """The table that it was judged by."""

    @property
    def passed(self) -> bool:
        return all(verdict.passed for verdict in self.verdicts)


def judge(
    setting: Setting,
    task: Task,
    evaluate: Evaluate,
    done: Done,
    *,
    production: Artefact | None,
    data: Mapping[str, Artefact],
) -> Judgement:
    """Judges the model that `task` evaluated.

    Args:
        done: what the evaluation of the candidate made.
        production: the model in production; None where there is none.
        data: suite to its data.

    Raises:
        UserError: a version of a suite holds something else than before.
    """
    changed = [why for suite in evaluate.suites if (why := _changed(setting, suite, data[suite.name]))]
    if changed:
        raise UserError("\n".join(changed))
    candidate = scores(setting, evaluate, done)
    other = None
    if production is not None and _gated(evaluate):
        other = scores(setting, evaluate, _with(setting, task, PRODUCTION, {MODEL_OUTPUT: production}))
    verdicts = gates.judge(evaluate.gates, candidate, other, lambda gate: _latency(setting, task, gate))
    mine = {
        suite.name: _score(setting, task, suite, {_argument(task, suite): data[suite.name]})
        for suite in evaluate.suites
    }
    theirs = None
    if production is not None:
        theirs = {
            suite.name: _score(
                setting, task, suite, {_argument(task, suite): data[suite.name], MODEL_OUTPUT: production}, PRODUCTION
            )
            for suite in evaluate.suites
        }
    verdicts += suites.judge(evaluate.suites, mine, theirs)
    return Judgement(dict(candidate.reported), tuple(verdicts), candidate.table)


def compares(evaluate: Evaluate) -> bool:
    """Whether the model in production is wanted at all."""
    return bool(evaluate.suites) or _gated(evaluate)


def _gated(evaluate: Evaluate) -> bool:
    return any(isinstance(gate, ProductionGate) for gate in evaluate.gates)


def in_production(setting: Setting) -> Artefact | None:
    """The project's model in production, verified."""
    place = setting.place
    version = Registry(place.store, place.project).stage("production")
    return None if version is None else registered(place, f"{place.project}@{version}")


def scores(setting: Setting, evaluate: Evaluate, done: Done) -> Scores:
    """What the step reported, and what is computed of its table of predictions."""
    reported = {**done.metrics, **{k: float(v) for k, v in done.values.items() if isinstance(v, int | float)}}
    if PREDICTIONS not in done.outputs:
        return Scores(None, reported)
    predictions = table.read(done.outputs[PREDICTIONS].local(setting.place))
    return Scores(predictions, {**reported, **metrics.compute(predictions, evaluate.metrics)})


def _argument(task: Task, suite: Suite) -> str:
    """The input of `evaluate` in whose place the suite stands."""
    return suite.argument or next(name for name in task.files if name != MODEL_OUTPUT)


def _changed(setting: Setting, suite: Suite, data: Artefact) -> str:
    """Why this version of a suite is none: it held something else when it was first scored. Empty where it is one."""
    store, folder = setting.place.store, layout.suites(setting.project.name, suite.name)
    key = f"{folder}/{suite.version}.yaml"
    if store.create(key, documents.dump({"digest": data.digest, "run": setting.tag})):
        return ""
    first = documents.load(store.read(key))
    if first["digest"] == data.digest:
        return ""
    free = 1 + max(int(name.removesuffix(".yaml")) for name in store.children(folder))
    return (
        f"suite {suite.name}: version {suite.version}: is {data.digest[:19]}, and was {first['digest'][:19]} in run "
        f"{first['run']}: a version keeps its content, or scores could not be compared (make it version: {free})"
    )


def _score(setting: Setting, task: Task, suite: Suite, files: Mapping[str, Artefact], whose: str = "") -> SuiteScore:
    name = f"suite-{suite.name}-v{suite.version}{f'-{whose}' if whose else ''}"
    done = _with(setting, task, name, files)
    return suites.score(suite, table.read(done.outputs[PREDICTIONS].local(setting.place)))


def _with(setting: Setting, task: Task, what: str, files: Mapping[str, Artefact]) -> Done:
    """The same evaluation of something else: done once, for its result is found again by what it depends on."""
    return steps.do(setting, replace(task, name=f"{task.name}-{what}", files={**task.files, **files}))


def _latency(setting: Setting, task: Task, gate: LatencyGate) -> float:
    return latency.measure(task.files[MODEL_OUTPUT].local(setting.place), gate)
