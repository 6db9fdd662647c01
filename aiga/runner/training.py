"""The training step: one try, or a search of many trials of which the best one becomes the model."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Literal

import yaml

from aiga.errors import AigaError
from aiga.names import METADATA
from aiga.runner import attempt, layout, steps
from aiga.runner.artefact import Done
from aiga.runner.fingerprint import Fingerprint
from aiga.runner.setting import Setting
from aiga.runner.steps import StepFailed, Task
from aiga.search.study import Study, Trial
from aiga.spec.base import plain
from aiga.spec.search import Search
from aiga.spec.steps import Train

PRUNED = "pruned: worse than others at the same point"


def do(setting: Setting, task: Task, train: Train) -> Done:
    """Trains, with a search where the project asks for one.

    Raises:
        StepFailed: training failed, or too many trials did.
    """
    if train.search is None:
        return steps.do(setting, task)
    print_ = steps.fingerprinted(setting, task, {"search": plain(train.search)})
    found = steps.reusable(setting, task.name, print_) if train.cache and not setting.fresh else None
    if found is not None:
        return steps.reuse(setting, task.name, found)
    setting.screen.step(task.name, "running", steps.because(setting, task.name, print_))
    done = _Searching(setting, task, train.search, print_).run()
    steps.remember(setting, task.name, print_)
    setting.screen.step(task.name, "done")
    return done


class _Searching:
    """One search: asks the study, tries, tells, and takes the winner."""

    def __init__(self, setting: Setting, task: Task, search: Search, print_: Fingerprint) -> None:
        self._setting, self._task, self._search, self._print = setting, task, search, print_
        self._prefix = layout.step(setting.project.name, setting.tag, task.name)
        self._study = Study.open(search, task.name, setting.place.store, f"{self._prefix}/search")

    def run(self) -> Done:
        """All trials, side by side as the file says, then the winner."""
        screen = self._setting.screen
        screen.search(self._search.objective.metric, self._search.objective.goal)
        self._study.abandon()
        self._show_finished()
        with ThreadPoolExecutor(self._search.parallel, thread_name_prefix="trial") as pool:
            for worker in [pool.submit(self._work) for _ in range(self._search.parallel)]:
                worker.result()
        return self._winner()

    def _show_finished(self) -> None:
        """Shows the trials of a search that was killed, and is gone on with."""
        for ranked in self._study.ranked():
            self._setting.screen.trial(ranked.number, ranked.parameters, ranked.state, ranked.value)

    def _work(self) -> None:
        while not self._setting.stop.is_set():
            trial = self._study.ask()
            if trial is None:
                return
            self._try(trial)

    def _try(self, trial: Trial) -> None:
        screen, metric = self._setting.screen, self._search.objective.metric
        screen.trial(trial.number, trial.parameters)
        watch = _Watch(
            self._study, trial, metric, lambda value: screen.trial(trial.number, trial.parameters, value=value)
        )
        task = self._with(trial.parameters)
        folder = self._setting.place.work(self._setting.tag, self._task.name) / "trials" / f"{trial.number:04d}"
        checkpoint = self._setting.place.checkpoint(self._print.key) / f"{trial.slot:04d}"
        began = time.monotonic()
        try:
            metadata = steps.tried(self._setting, task, folder, checkpoint, trial=trial.number, metrics=watch)
        except attempt.Stopped:
            raise
        except AigaError as error:
            state: Literal["pruned", "failed"] = "pruned" if watch.pruned else "failed"
            self._study.tell(trial.number, watch.last, state, str(error).splitlines()[0], time.monotonic() - began)
            screen.trial(trial.number, trial.parameters, state, watch.last)
            return
        value = metadata.get("metrics", {}).get(metric)
        name = layout.trial(self._setting.project.name, self._setting.tag, self._task.name, trial.number)
        if value is None or not math.isfinite(value):
            reason = f"it reported no {metric}" if value is None else f"its {metric} is {value}"
            self._study.tell(trial.number, None, "failed", reason, time.monotonic() - began)
            screen.trial(trial.number, trial.parameters, "failed")
            return
        steps.kept(self._setting, task, folder, name, metadata)
        self._study.tell(trial.number, value, "complete", "", time.monotonic() - began)
        screen.trial(trial.number, trial.parameters, "complete", value)

    def _with(self, parameters: Mapping[str, Any]) -> Task:
        return replace(self._task, parameters={**self._task.parameters, **parameters})

    def _winner(self) -> Done:
        """The best trial's result as the step's, or a new training with its parameters."""
        ranked = self._study.ranked()
        best, failure = self._study.best(), self._study.failure()
        if best is None or failure is not None:
            raise StepFailed(f"{self._task.name}: {failure or 'no trial completed'}")
        setting, task = self._setting, self._with(best.parameters)
        table = [
            {"rank": r.rank, "number": r.number, "parameters": r.parameters, "value": r.value, "state": r.state}
            for r in ranked
        ]
        folder = setting.place.work(setting.tag, self._task.name)
        if self._search.retrain:
            metadata = steps.tried(
                setting, task, folder / "winner", setting.place.checkpoint(self._print.key) / "winner"
            )
            folder = folder / "winner"
        else:
            folder = folder / "trials" / f"{best.number:04d}"
            metadata = self._fetched(best.number, folder)
        steps.checked(task, folder)
        told = {**metadata, "winner": best.number, "trials": table, "fingerprint": dict(self._print.parts)}
        return steps.kept(setting, task, folder, self._prefix, told)

    def _fetched(self, number: int, folder: Any) -> dict[str, Any]:
        """What the store has of a trial: its working folder may be gone with a killed run."""
        setting = self._setting
        name = layout.trial(setting.project.name, setting.tag, self._task.name, number)
        for file in (*self._task.work.outputs.values(), steps.LOG):
            target = folder / "outputs" / file if file != steps.LOG else folder / file
            if not target.exists() and setting.place.store.exists(f"{name}/{file}"):
                setting.place.store.download(f"{name}/{file}", target)
        return dict(yaml.safe_load(setting.place.store.read(f"{name}/{METADATA}")))


class _Watch:
    """Hears what a trial logs, and says when to prune it."""

    def __init__(self, study: Study, trial: Trial, metric: str, show: Any) -> None:
        self._study, self._trial, self._metric, self._show = study, trial, metric, show
        self._count = 0
        self.last: float | None = None
        self.pruned = False

    def __call__(self, line: Mapping[str, Any]) -> str:
        value = (line.get("metrics") or {}).get(self._metric)
        if not isinstance(value, int | float) or not math.isfinite(value):
            return ""
        self._count += 1
        self.last = float(value)
        self._show(self.last)
        step = line.get("step")
        if self._study.report(self._trial.number, self._count if step is None else int(step), self.last):
            self.pruned = True
            return PRUNED
        return ""
