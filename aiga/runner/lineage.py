"""Where a model, or all that a run made, comes from: step by step back to the data's digest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from aiga.errors import UserError
from aiga.names import METADATA
from aiga.registry import Registered
from aiga.runner import documents, layout, steps
from aiga.runner.place import Place
from aiga.runner.record import RunRecord
from aiga.store import Missing, Store


@dataclass(frozen=True)
class Link:
    """One thing on the way: what it is, its digest, and what it was made of."""

    name: str
    digest: str
    what: str
    """Who made it, in a few words: the call, the commit, the parameters; or the source."""
    made_of: tuple[Link, ...] = ()

    def ends(self) -> Iterator[Link]:
        """Where the lineage ends: what was made of nothing."""
        if not self.made_of:
            yield self
        for link in self.made_of:
            yield from link.ends()


def of_model(store: Store, model: Registered) -> Link:
    """The lineage of a registered model.

    Raises:
        UserError: the store no longer has the metadata of what led to it.
    """
    told = model.evidence
    name = f"{model.project}@{model.version}"
    return of_step(store, model.project, told.trained, name=name, digest=told.digest, versions=dict(told.data))


def of_run(place: Place, run: RunRecord) -> Link:
    """The lineage of what a run ended with: the outputs that no other of its steps took.

    Raises:
        UserError: the store no longer has the metadata of its steps.
    """
    found = {}
    for step in run.steps:
        try:
            found[step] = steps.stored(place, run.tag, step)
        except Missing:  # it failed, or was skipped
            continue
    taken = {  # by name: what was reused took it of an earlier run
        item["from"].rpartition(".")[0].rpartition("/")[2]
        for done in found.values()
        for kind in ("inputs", "values")
        for item in (done.metadata.get(kind) or {}).values()
        if "from" in item
    }
    made_of = tuple(
        of_step(place.store, place.project, done.where, name=name, digest=digest, versions=dict(run.sources))
        for step, done in found.items()
        if step not in taken
        for name, digest in ({n: a.digest for n, a in done.outputs.items()} or {done.step: ""}).items()
    )
    model = f"model {place.project}@{run.model}" if run.model is not None else ""
    what = "; ".join(part for part in (run.state, model, ", ".join(run.overrides)) if part)
    return Link(f"run {run.tag}", "", what, made_of)


def of_step(store: Store, project: str, where: str, *, name: str, digest: str, versions: dict[str, Any]) -> Link:
    """The lineage of what a step made.

    Args:
        where: `<tag>/<step>`.
        name: what it is called here.
        versions: source to its version, as the run recorded it.

    Raises:
        UserError: the store no longer has the step's metadata.
    """
    told = _metadata(store, project, where)
    files = (told.get("inputs") or {}).items()
    values = (told.get("values") or {}).items()
    made_of = (
        *(_of_input(store, project, argument, item, versions) for argument, item in files),
        *(_of_value(store, project, argument, item, versions) for argument, item in values),
    )
    return Link(name, digest, _made(where, told), made_of)


def _of_value(store: Store, project: str, argument: str, item: dict[str, Any], versions: dict[str, Any]) -> Link:
    where = item["from"].rpartition(".")[0]
    return of_step(store, project, where, name=f"{argument}={item['value']}", digest="", versions=versions)


def _of_input(store: Store, project: str, argument: str, item: dict[str, Any], versions: dict[str, Any]) -> Link:
    origin = item["from"]
    if origin.startswith("source:"):
        version = versions.get(origin.removeprefix("source:")) or {}
        told = version.get("origin") or {}
        dataset = f"dataset {told['project']}/{told['dataset']}@{told['version']}" if "dataset" in told else ""
        place = told.get("url") or told.get("uri") or told.get("path") or dataset
        return Link(argument, item["digest"], f"{origin} {place}".strip())
    if "/" not in origin:
        return Link(argument, item["digest"], f"model {origin}")
    where, _, output = origin.rpartition(".")
    return of_step(
        store,
        project,
        where,
        name=f"{argument} ({output})" if output != argument else argument,
        digest=item["digest"],
        versions=versions,
    )


def _made(where: str, told: dict[str, Any]) -> str:
    parameters = ", ".join(f"{name}={value}" for name, value in (told.get("parameters") or {}).items())
    git = told.get("git") or {}
    commit = f"commit {git['commit'][:10]}" if git.get("commit") else ""
    changed = f" with changes {git['dirty'][:19]}" if git.get("dirty") else ""
    seed = "" if told.get("seed") is None else f"seed {told['seed']}"
    parts = [where, f"{commit}{changed}", parameters, seed]
    return "; ".join(part for part in parts if part)


def _metadata(store: Store, project: str, where: str) -> dict[str, Any]:
    try:
        return dict(documents.load(store.read(f"{layout.runs(project)}/{where}/{METADATA}")))
    except Missing:
        raise UserError(f"{where}: its metadata is not in {store.address} (was the run removed?)") from None
