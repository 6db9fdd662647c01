"""Trains a registered model again from what was recorded of it, and says whether the same comes out."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aiga.errors import AigaError, UserError
from aiga.names import MODEL_OUTPUT
from aiga.registry import Registered
from aiga.runner import record, run, snapshot, steps
from aiga.runner.artefact import Done
from aiga.runner.place import Place
from aiga.runner.record import RunRecord
from aiga.runner.screen import Screen
from aiga.spec import Project, load
from aiga.spec.graph import LABEL, TRAIN
from aiga.store import Missing, open_store

CAUSES = ("parameters", "seed", "packages", "python")
"""What a step's metadata tells of why it made something else."""


@dataclass(frozen=True)
class Compared:
    """One thing, then and now."""

    what: str
    then: str
    now: str

    @property
    def equal(self) -> bool:
        return self.then == self.now


def reproduce(place: Place, model: Registered, screen: Screen) -> list[Compared]:
    """Runs everything that led to the model again, with its source, data versions and parameters, reusing nothing.

    Returns:
        Its data, digest and metrics; where one of these differs, each step and what may be the cause besides.

    Raises:
        UserError: what was recorded is no longer in the store.
        AigaError: it cannot be trained again, with the reason.
    """
    recorded = record.load(place.store, place.project, model.evidence.run)
    name = f"{place.project}@{model.version}"
    if recorded is None:
        raise UserError(f"run {model.evidence.run}: is not in {place.store.address}, so {name} cannot be repeated")
    with tempfile.TemporaryDirectory(prefix="aiga-reproduce-") as scratch:
        folder = Path(scratch, "source")
        snapshot.restore(place, recorded.code, folder)
        project = _as_trained(load(folder).project, model.evidence.parameters)
        there = Place(place.project, Path(scratch), open_store(str(Path(scratch, "store"))))
        request = run.Request(
            folder,
            recorded.overrides,
            fresh=True,
            release=False,
            versions=_versions(model),
            origin=place.store,
            labels=_labels(place, recorded, name) if project.label is not None else None,
        )
        again = run.run(request, project, there, screen)
        if again.state == "failed":
            raise AigaError(f"{name}: cannot be trained again: {_kept(again, there, place)}")
        return list(_compared(model, recorded, again, place, there))


def _as_trained(project: Project, parameters: Mapping[str, Any]) -> Project:
    """The project with the parameters that won, in place of the search that found them."""
    if project.train is None:
        raise UserError(f"{project.name}: the recorded source trains no model")
    known = {**project.train.parameters, **dict.fromkeys(project.train.search.space if project.train.search else ())}
    train = project.train.model_copy(
        update={"search": None, "parameters": {name: parameters[name] for name in known if name in parameters}}
    )
    return project.model_copy(update={"train": train, "approve": None})


def _versions(model: Registered) -> dict[str, Any]:
    return {name: item for name, item in model.evidence.data.items() if item.get("kind")}


def _labels(place: Place, recorded: RunRecord, name: str) -> Done:
    """The labels that people gave then."""
    try:
        done = steps.stored(place, recorded.tag, LABEL)
    except Missing as error:
        raise Missing(f"{name}: the labels that it was trained with are gone: {error}") from error
    here = {output: replace(artefact, path=artefact.local(place)) for output, artefact in done.outputs.items()}
    return replace(done, outputs=here)


def _kept(again: RunRecord, there: Place, place: Place) -> str:
    """Why the repeated run failed; what its steps printed is kept where the reason says."""
    work, kept = there.home / "work", place.home / "reproduced"
    if work.is_dir():
        shutil.copytree(work, kept, symlinks=True, dirs_exist_ok=True)
    return again.reason.replace(str(work), str(kept))


def _compared(
    model: Registered, recorded: RunRecord, again: RunRecord, place: Place, there: Place
) -> Iterator[Compared]:
    found = list(_results(model, again, there))
    yield from found
    if all(item.equal for item in found):
        return
    for step in recorded.steps or {TRAIN: ""}:
        try:
            then, now = steps.stored(place, recorded.tag, step), steps.stored(there, again.tag, step)
        except Missing:  # labels, or a step that failed then
            continue
        yield from _made(step, then, now)
        yield from (item for item in _causes(step, then.metadata, now.metadata) if not item.equal)


def _results(model: Registered, again: RunRecord, there: Place) -> Iterator[Compared]:
    """What a model is: where its data begins, its bytes, its metrics."""
    for name, item in model.evidence.data.items():
        if "from" in item:
            step, _, output = name.rpartition(".")
            yield Compared(f"data {name}", str(item["digest"]), _digest(there, again, step, output))
    yield Compared("model", model.evidence.digest, _digest(there, again, TRAIN, MODEL_OUTPUT))
    for name, value in model.evidence.metrics.items():
        if name in again.metrics:
            yield Compared(f"metric {name}", f"{value:.6g}", f"{again.metrics[name]:.6g}")


def _digest(place: Place, told: RunRecord, step: str, output: str) -> str:
    try:
        return steps.stored(place, told.tag, step).outputs[output].digest
    except (Missing, KeyError):
        return "not made"


def _made(step: str, then: Done, now: Done) -> Iterator[Compared]:
    for output in sorted({*then.outputs, *now.outputs}):
        sides = (done.outputs[output].digest if output in done.outputs else "not made" for done in (then, now))
        yield Compared(f"{step} → {output}", *sides)
    for kind in ("values", "metrics"):
        yield from _pairs(step, getattr(then, kind), getattr(now, kind))


def _causes(step: str, then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Compared]:
    for cause in CAUSES:
        before, after = (_own(told) if cause == "parameters" else told.get(cause) for told in (then, now))
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from _pairs(f"{step}: {cause}", before, after)
        else:
            yield Compared(f"{step}: {cause}", str(before), str(after))


def _own(told: Mapping[str, Any]) -> dict[str, Any]:
    """A step's parameters without the values that earlier steps gave it."""
    given = told.get("values") or {}
    return {name: value for name, value in (told.get("parameters") or {}).items() if name not in given}


def _pairs(what: str, then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Compared]:
    for name in sorted({*then, *now}):
        yield Compared(f"{what} {name}", str(then.get(name, "not there")), str(now.get(name, "not there")))
