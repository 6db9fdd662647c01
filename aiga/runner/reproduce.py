"""Trains a registered model again from what was recorded of it, and says whether the same comes out."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiga.errors import UserError
from aiga.registry import Registered
from aiga.runner import record, run, snapshot
from aiga.runner.place import Place
from aiga.runner.screen import Screen
from aiga.spec import Project, load
from aiga.store import open_store


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

    Raises:
        UserError: what was recorded is no longer in the store.
    """
    tag = model.evidence.trained.split("/")[0]
    recorded = record.load(place.store, place.project, tag)
    if recorded is None:
        raise UserError(
            f"run {tag}: is not in {place.store.address}, so {place.project}@{model.version} cannot be repeated"
        )
    with tempfile.TemporaryDirectory(prefix="aiga-reproduce-") as scratch:
        folder = Path(scratch, "source")
        snapshot.restore(place, recorded.code, folder)
        project = _as_trained(load(folder).project, model.evidence.parameters)
        there = Place(place.project, Path(scratch), open_store(str(Path(scratch, "store"))))
        request = run.Request(
            folder, recorded.overrides, fresh=True, release=False, versions=_versions(model), origin=place.store
        )
        again = run.run(request, project, there, screen)
        return list(_compared(model, again, there))


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


def _compared(model: Registered, again: record.RunRecord, place: Place) -> Iterator[Compared]:
    from aiga.runner.steps import stored

    for name, item in model.evidence.data.items():
        if "from" in item:
            step, _, output = name.rpartition(".")
            yield Compared(f"data {name}", str(item["digest"]), stored(place, again.tag, step).outputs[output].digest)
    yield Compared("model", model.evidence.digest, stored(place, again.tag, "train").outputs["model"].digest)
    for name, value in model.evidence.metrics.items():
        if name in again.metrics:
            yield Compared(f"metric {name}", f"{value:.6g}", f"{again.metrics[name]:.6g}")
