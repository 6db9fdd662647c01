"""What a trial is worth, and how the best one becomes the training step's result; the same here and in containers."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from aiga.names import METADATA
from aiga.runner import contracts, documents, layout, steps
from aiga.runner.artefact import Done, Task
from aiga.runner.fingerprint import Fingerprint
from aiga.runner.setting import Setting
from aiga.spec.base import plain
from aiga.spec.search import Search

if TYPE_CHECKING:
    from aiga.search.study import Study

HARMLESS = ("parallel", "maxFailures")
"""What changes how a search goes, and not what comes of it."""


PRUNED = "pruned: worse than others at the same point"


class Heard:
    """Hears what a trial logs, tells the study of it, and says when to prune the trial."""

    def __init__(self, study: Study, number: int, metric: str, show: Callable[[float], None] = lambda _: None) -> None:
        self._study, self._number, self._metric, self._show = study, number, metric, show
        self._count = 0
        self.last: float | None = None
        self.failure: Literal["pruned", "failed"] = "failed"
        """What a trial is that did not come to its end."""

    def __call__(self, line: Mapping[str, Any]) -> str:
        value = (line.get("metrics") or {}).get(self._metric)
        if not isinstance(value, int | float) or not math.isfinite(value):
            return ""
        self._count += 1
        self.last = float(value)
        self._show(self.last)
        step = line.get("step")
        if self._study.report(self._number, self._count if step is None else int(step), self.last):
            self.failure = "pruned"
            return PRUNED
        return ""


def fingerprinted(setting: Setting, task: Task, search: Search) -> Fingerprint:
    """What a search's result depends on."""
    found = plain(search)
    shaping = {key: value for key, value in found.items() if key not in HARMLESS}
    parts = {f"search {key}": json.dumps(value, sort_keys=True) for key, value in shaping.items()}
    return Fingerprint({**steps.fingerprinted(setting, task).parts, **parts})


def with_(task: Task, parameters: Mapping[str, Any]) -> Task:
    """The task with a trial's parameters."""
    return replace(task, parameters={**task.parameters, **parameters})


def folder(setting: Setting, task: Task, number: int) -> Path:
    """Where a trial works."""
    return setting.place.work(setting.tag, task.name) / "trials" / f"{number:04d}"


def value(metadata: Mapping[str, Any], metric: str) -> tuple[float | None, str]:
    """What a trial that came to its end is worth; None, and why, where it has failed all the same."""
    found = (metadata.get("metrics") or {}).get(metric)
    if found is None:
        return None, f"it reported no {metric}"
    return (float(found), "") if math.isfinite(found) else (None, f"its {metric} is {found}")


def keep(setting: Setting, task: Task, number: int, metadata: Mapping[str, Any]) -> Done:
    """Puts what a trial made into the store."""
    prefix = layout.trial(setting.project.name, setting.tag, task.name, number)
    return steps.kept(setting, task, folder(setting, task, number), prefix, metadata)


def kept(setting: Setting, task: Task, number: int) -> dict[str, Any]:
    """The metadata of a trial that the store has.

    Raises:
        Missing: it was not kept.
    """
    prefix = layout.trial(setting.project.name, setting.tag, task.name, number)
    return dict(documents.load(setting.place.store.read(f"{prefix}/{METADATA}")))


def take(
    setting: Setting,
    task: Task,
    search: Search,
    ranked: Sequence[Mapping[str, Any]],
    print_: Fingerprint,
    *,
    tag: str,
) -> Done:
    """Makes the best trial's result that of the step, or that of a new training with its parameters.

    Args:
        task: the step, without any trial's parameters.
        ranked: trials from best to worst, at least one of them complete.
        print_: what the search depended on when it began.
        tag: the run that it began in, which has its trials.
    """
    best = ranked[0]
    own = with_(task, best["parameters"])
    if search.retrain:
        where = setting.place.work(setting.tag, task.name) / "winner"
        metadata = steps.tried(setting, own, where, where.with_name("winner-checkpoint"))
    else:
        began = replace(setting, tag=tag)
        where = folder(began, task, best["number"])
        metadata = _fetched(began, task, best["number"], where)
    contracts.check(own, {name: where / "outputs" / file for name, file in own.work.outputs.items()})
    table = [{key: row[key] for key in ("rank", "number", "parameters", "value", "state", "reason")} for row in ranked]
    told = {
        **metadata,
        "winner": best["number"],
        "trials": table,
        "search": f"{tag}/{task.name}",
        "fingerprint": dict(print_.parts),
    }
    done = steps.kept(setting, own, where, layout.step(setting.project.name, setting.tag, task.name), told)
    steps.remember(setting, task.name, print_, contract=contracts.digest(task))
    return done


def _fetched(setting: Setting, task: Task, number: int, where: Path) -> dict[str, Any]:
    """What the store has of a trial: its working folder may be gone with a killed run, or on another machine."""
    prefix = layout.trial(setting.project.name, setting.tag, task.name, number)
    wanted = {file: where / "outputs" / file for file in task.work.outputs.values()}
    for file, target in {**wanted, **{log: where / log for log in steps.LOGS}}.items():
        if not target.exists() and setting.place.store.exists(f"{prefix}/{file}"):
            setting.place.store.download(f"{prefix}/{file}", target)
    return kept(setting, task, number)
