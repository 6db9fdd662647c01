"""What becomes of a candidate that passed: a version in the registry, with its evidence, and a stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiga.evaluate import baseline, table
from aiga.names import MODEL_OUTPUT
from aiga.registry import Evidence, Registered, Registry, SigningKey
from aiga.runner.artefact import Done
from aiga.runner.evaluation import Judgement
from aiga.runner.setting import Setting


def register(setting: Setting, trained: Done, judgement: Judgement | None, data: Mapping[str, Any]) -> Registered:
    """Registers what training made, signed with the project's key."""
    model = trained.outputs[MODEL_OUTPUT]
    key = SigningKey.load_or_create(setting.project.name)
    return Registry(setting.place.store, setting.project.name).register(
        model.local(setting.place), evidence(setting, trained, judgement, data), key
    )


def evidence(setting: Setting, trained: Done, judgement: Judgement | None, data: Mapping[str, Any]) -> Evidence:
    """All that speaks for a model: where it comes from, and how it was judged."""
    told = trained.metadata
    watched: Mapping[str, Any] = {}
    if judgement is not None and judgement.predictions is not None:
        watched = baseline.summarise({}, table.read(judgement.predictions.local(setting.place)))
    return Evidence(
        project=setting.project.name,
        run=setting.tag,
        trained=trained.where,
        data=dict(data),
        parameters=dict(told.get("parameters") or {}),
        metrics={**trained.metrics, **(judgement.metrics if judgement else {})},
        gates=[verdict.plain() for verdict in judgement.verdicts] if judgement else [],
        trials=list(told.get("trials") or []),
        commit=dict(told.get("git") or {}),
        packages=dict(told.get("packages") or {}),
        baseline=dict(watched),
    )
