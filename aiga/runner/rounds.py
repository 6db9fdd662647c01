"""One trial, and the winner, of a search whose trials run in containers of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiga.errors import AigaError, UserError
from aiga.names import METADATA
from aiga.runner import documents, layout, record, steps, trials
from aiga.runner.artefact import Done, Task
from aiga.runner.materials import Materials
from aiga.runner.place import Place
from aiga.runner.record import RunRecord
from aiga.runner.setting import Setting
from aiga.search import commands
from aiga.spec.graph import TRAIN
from aiga.spec.search import Search
from aiga.store import Missing


def begun(place: Place, tag: str) -> RunRecord:
    """The run whose search goes on.

    Raises:
        UserError: there is none, its training is done, or `aiga run` is at work on it.
    """
    found = record.load(place.store, place.project, tag)
    if found is None:
        raise UserError(f"{tag}: there is no such run of {place.project} (see `aiga runs`)")
    if found.state == "running" and found.here and found.alive:
        raise UserError(f"{tag}: aiga run is at work on it, as process {found.pid} (wait for it, or stop it)")
    try:
        told = documents.load(place.store.read(f"{layout.step(place.project, tag, TRAIN)}/{METADATA}"))
    except Missing:
        return found
    if told.get("state") in ("succeeded", "reused"):
        raise UserError(f"{tag}: its training is done, and stays as it is (begin a new run to search again)")
    return found


def journal(place: Place, tag: str) -> str:
    """Where the search of a run is noted."""
    return f"{layout.step(place.project, tag, TRAIN)}/search"


def trial(
    setting: Setting, run: RunRecord, search: Search, number: int, parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """Trains once with the steps that the run has done, and records the result in the run's journal.

    A training that fails is a failed trial, not an error: the search goes on. What it reports is told as it comes, and
    it is pruned as one on this machine is.
    """
    store, prefix, task = setting.place.store, journal(setting.place, run.tag), _task(setting, run)
    own, folder = trials.with_(task, parameters), trials.folder(setting, task, number)
    heard = trials.Heard(commands.opened(search, store, prefix), number, search.objective.metric)
    checkpoint = folder.with_name(f"{number:04d}-checkpoint")
    try:
        metadata = steps.tried(setting, own, folder, checkpoint, trial=number, metrics=heard)
        value, reason = trials.value(metadata, search.objective.metric)
    except AigaError as error:
        metadata, value, reason = {}, None, str(error).splitlines()[0]
    if value is None:
        state = heard.failure
        commands.record(search, store, prefix, number, heard.last, state=state, reason=reason)
        return {"number": number, "state": state, "reason": reason}
    trials.keep(setting, own, number, metadata)
    commands.record(search, store, prefix, number, value, seconds=metadata.get("seconds"))
    return {"number": number, "state": "complete", "value": value}


def take(setting: Setting, run: RunRecord, search: Search, ranked: Sequence[Mapping[str, Any]]) -> Done:
    """Makes the best trial's result that of the training step."""
    task = _task(setting, run)
    return trials.take(setting, task, search, ranked, trials.fingerprinted(setting, task, search), tag=run.tag)


def _task(setting: Setting, run: RunRecord) -> Task:
    """The training step with what the run's earlier steps made, and the sources as the run read them."""
    taken = setting.graph.node(TRAIN).takes
    materials = Materials(setting, run.sources)
    for node in setting.graph.nodes:
        if node.name != TRAIN and any(node.name == each.step for each in taken):
            materials.done[node.name] = steps.stored(setting.place, setting.tag, node.name)
    sources = {each.source for each in taken if each.source is not None}
    unread = sorted(sources - run.sources.keys())
    if unread:
        raise UserError(f"{run.tag}: it has not read {', '.join(unread)} (let aiga run take it up first)")
    if sources:
        materials.read(sources)
    return materials.task(setting.graph.node(TRAIN))
