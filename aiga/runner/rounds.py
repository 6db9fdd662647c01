"""One trial, and the winner, of a search whose trials run in containers of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiga.errors import AigaError
from aiga.runner import steps, trials
from aiga.runner.artefact import Done
from aiga.runner.materials import Materials
from aiga.runner.setting import Setting
from aiga.runner.steps import Task
from aiga.search import commands
from aiga.spec.graph import TRAIN
from aiga.spec.search import Search


def trial(setting: Setting, search: Search, prefix: str, number: int, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Trains once with the steps that the run has done, and records the result in the journal under `prefix`.

    A training that fails is a failed trial, not an error: the search goes on.
    """
    store, task = setting.place.store, _task(setting)
    own, folder = trials.with_(task, parameters), trials.folder(setting, task, number)
    try:
        metadata = steps.tried(setting, own, folder, folder.with_name(f"{number:04d}-checkpoint"), trial=number)
        value, reason = trials.value(metadata, search.objective.metric)
    except AigaError as error:
        metadata, value, reason = {}, None, str(error).splitlines()[0]
    if value is None:
        commands.record(search, store, prefix, number, state="failed", reason=reason)
        return {"number": number, "state": "failed", "reason": reason}
    trials.keep(setting, own, number, metadata)
    commands.record(search, store, prefix, number, value, seconds=metadata.get("seconds"))
    return {"number": number, "state": "complete", "value": value}


def take(setting: Setting, search: Search, ranked: Sequence[Mapping[str, Any]]) -> Done:
    """Makes the best trial's result that of the training step."""
    task = _task(setting)
    return trials.take(setting, task, search, ranked, trials.fingerprinted(setting, task, search))


def _task(setting: Setting) -> Task:
    """The training step with what the run's earlier steps made."""
    materials = Materials(setting)
    for node in setting.graph.nodes:
        if node.name != TRAIN and any(node.name == a.step for a in setting.graph.node(TRAIN).takes):
            materials.done[node.name] = steps.stored(setting.place, setting.tag, node.name)
    if any(address.source is not None for address in setting.graph.node(TRAIN).takes):
        materials.read({}, None)
    return materials.task(setting.graph.node(TRAIN))
