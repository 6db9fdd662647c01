"""What becomes of a candidate that passed: a version in the registry with its evidence, then a stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from aiga.errors import TransientError, UserError
from aiga.evaluate import baseline
from aiga.names import MODEL_OUTPUT
from aiga.registry import Evidence, Registered, Registry, SigningKey, Stage
from aiga.runner import people
from aiga.runner.artefact import Done
from aiga.runner.evaluation import Judgement
from aiga.runner.setting import Setting
from aiga.sources import tables
from aiga.spec.people import Approve

RUNNER = "aiga run"


@dataclass(frozen=True)
class Released:
    """The version, and the reason where it did not come to production."""

    model: Registered
    rejected: str = ""


def release(
    setting: Setting,
    registered: Registered,
    *,
    stage: Stage,
    approve: Approve | None,
    ask: Callable[[], str | None],
    waiting: Callable[[], None],
) -> Released:
    """Brings a version to a stage; to production over staging, where a person must approve.

    One that was taken out of it by hand stays out: only a person puts it back.

    Args:
        ask: asks the person at the terminal.
        waiting: is told when the run begins to wait.
    """
    registry = Registry(setting.place.store, setting.project.name)
    name = f"{setting.project.name}@{registered.version}"
    if registry.stage(stage) == registered.version:
        setting.screen.say(f"model {name} is in {stage}")
        return Released(registered)
    if any(c.stage == stage and c.version == registered.version for c in registry.history()):
        again = f"aiga promote {registered.version}"
        setting.screen.say(f"model {name} was taken out of {stage}, and stays out ({again} puts it back)")
        return Released(registered)
    by, why = RUNNER, f"run {setting.tag}"
    if approve is not None and stage == "production":
        registry.promote(registered.version, "staging", by=RUNNER, why="it passed its gates")
        waiting()
        setting.screen.say(f"waiting: aiga approve {setting.tag} (or --reject), for {approve.timeout}")
        answer = people.approval(setting, approve, ask)
        by, why = answer["by"], answer.get("why") or why
        if answer["decision"] != people.APPROVED:
            return Released(registered, f"{by} rejected it: {why}")
        if by != people.NOBODY:
            registry.approved(registered.version, by, SigningKey.load_or_create(setting.project.name))
    _promote(registry, registered.version, stage, by=by, why=why)
    setting.screen.say(f"model {setting.project.name}@{registry.stage(stage)} is in {stage}")
    return Released(registered)


def _promote(registry: Registry, version: int, stage: Stage, *, by: str, why: str) -> None:
    """Promotes a version; of two runs that end at the same time, the one with the newer version wins."""
    while True:
        try:
            registry.promote(version, stage, by=by, why=why)
        except TransientError:
            standing = registry.stage(stage)
            if standing is None or standing >= version:
                return
        else:
            return


def register(setting: Setting, trained: Done, judgement: Judgement | None, data: Mapping[str, Any]) -> Registered:
    """Registers what training made, signed with the project's key; what is registered already keeps its version."""
    registry = Registry(setting.place.store, setting.project.name)
    same = next((m for m in registry.versions() if m.evidence.trained == trained.where), None)
    if same is not None:
        return same
    model = trained.outputs[MODEL_OUTPUT].local(setting.place)
    return registry.register(
        model, evidence(setting, trained, judgement, data), SigningKey.load_or_create(setting.project.name)
    )


def evidence(setting: Setting, trained: Done, judgement: Judgement | None, data: Mapping[str, Any]) -> Evidence:
    """All that speaks for a model: where it comes from, and how it was judged."""
    told = trained.metadata
    return Evidence(
        project=setting.project.name,
        run=setting.tag,
        trained=trained.where,
        data=dict(data),
        parameters=dict(told.get("parameters") or {}),
        seed=told.get("seed"),
        metrics={**trained.metrics, **(judgement.metrics if judgement else {})},
        gates=[verdict.plain() for verdict in judgement.verdicts] if judgement else [],
        trials=list(told.get("trials") or []),
        commit=dict(told.get("git") or {}),
        packages=dict(told.get("packages") or {}),
        baseline=_baseline(setting, trained, judgement),
    )


def _baseline(setting: Setting, trained: Done, judgement: Judgement | None) -> dict[str, Any]:
    """What monitors compare with: the first table that training took, and the predictions of the evaluation."""
    return baseline.summarise(_inputs(setting, trained), judgement.predictions if judgement else None)


def _inputs(setting: Setting, trained: Done) -> dict[str, Any]:
    """The columns of the first table among training's inputs, of its first rows; none where it took no table."""
    for item in (trained.metadata.get("inputs") or {}).values():
        if not item.get("key"):
            continue
        path = setting.place.artefact(item["key"], item["digest"])
        try:
            chunk = next(iter(tables.chunks(path)))
        except (UserError, StopIteration):
            continue
        columns = {str(name): _numbers(chunk.frame[name]) if chunk.text else chunk.frame[name] for name in chunk.frame}
        return {**columns, **chunk.arrays}
    return {}


def _numbers(column: pd.Series[Any]) -> pd.Series[Any]:
    """Text of a CSV as the numbers that it stands for, where all of it does."""
    try:
        return pd.to_numeric(column)
    except (ValueError, TypeError):
        return column
