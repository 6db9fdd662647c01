"""Runs side by side: what differs between them, their metrics, and how those came about."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from aiga.runner import layout, steps
from aiga.runner.artefact import Done
from aiga.runner.place import Place
from aiga.runner.record import RunRecord
from aiga.store import Missing

Points = Sequence[tuple[float, float]]
"""Steps and values."""


@dataclass(frozen=True)
class Side:
    """One run, as it is laid beside others."""

    run: RunRecord
    facts: Mapping[str, str]
    """All that may differ: state, parameters, metrics, digests of what each step made."""
    metrics: Mapping[str, float]
    """Of the evaluation as they are, of a step as `step metric`."""
    curves: Mapping[str, Points] = field(default_factory=dict)
    """What a step logged of a metric more than once, under the same names."""


def side(place: Place, run: RunRecord) -> Side:
    """What the store has of a run."""
    facts: dict[str, str] = {"state": run.state}
    metrics: dict[str, float] = dict(run.metrics)
    curves: dict[str, Points] = {}
    for step, done in _done(place, run):
        facts |= {f"{step}.{name}": str(value) for name, value in (done.metadata.get("parameters") or {}).items()}
        if done.metadata.get("seed") is not None:
            facts[f"{step}.seed"] = str(done.metadata["seed"])
        facts |= {f"{step} → {name}": artefact.digest[:19] for name, artefact in done.outputs.items()}
        metrics |= {f"{step} {name}": value for name, value in done.metrics.items()}
        logged = series(place, f"{layout.runs(place.project)}/{done.where}/{steps.LOG}")
        curves |= {f"{step} {name}": points for name, points in logged.items() if len(points) > 1}
    facts |= {f"metric {name}": f"{value:.6g}" for name, value in metrics.items()}
    return Side(run, facts, metrics, curves)


def differences(sides: Sequence[Side]) -> dict[str, list[str]]:
    """The facts that are not the same for all, each with its values side by side; empty where a run has none."""
    names = dict.fromkeys(name for one in sides for name in one.facts)
    rows = {name: [one.facts.get(name, "") for one in sides] for name in names}
    return {name: values for name, values in rows.items() if len(set(values)) > 1}


def series(place: Place, key: str) -> dict[str, Points]:
    """What a log holds of each metric, as far as it is finite; nothing where there is no such log."""
    try:
        lines = place.store.read(key).splitlines()
    except Missing:
        return {}
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for number, line in enumerate(lines, 1):
        try:
            told = json.loads(line)
        except ValueError:  # cut short by a kill or a full disk
            continue
        step = told.get("step")
        for name, value in (told.get("metrics") or {}).items():
            if isinstance(value, int | float) and math.isfinite(value):
                found[name].append((number if step is None else step, value))
    return dict(found)


def _done(place: Place, run: RunRecord) -> Iterator[tuple[str, Done]]:
    for step in run.steps:
        try:
            yield step, steps.stored(place, run.tag, step)
        except Missing:
            continue
