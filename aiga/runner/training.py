"""The training step: one try, or a search of many trials of which the best one becomes the model."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from aiga.errors import AigaError
from aiga.runner import attempt, began, layout, steps, trials
from aiga.runner.artefact import Done, Task
from aiga.runner.fingerprint import Fingerprint
from aiga.runner.setting import Setting
from aiga.runner.steps import StepFailed
from aiga.search.study import Study, Trial
from aiga.spec.search import Search
from aiga.spec.steps import Train
from aiga.store import Missing


def do(setting: Setting, task: Task, train: Train) -> Done:
    """Trains, with a search where the project asks for one.

    Raises:
        StepFailed: training failed, or too many trials did.
    """
    if train.search is None:
        return steps.do(setting, task)
    print_ = trials.fingerprinted(setting, task, train.search)
    found = steps.again(setting, task, print_)
    if found is not None:
        return found
    setting.screen.step(task.name, "running", steps.because(setting, task.name, print_))
    done = _Searching(setting, task, train.search, print_).run()
    setting.screen.step(task.name, "done")
    return done


class _Searching:
    """One search: asks the study, tries, tells, and takes the winner."""

    def __init__(self, setting: Setting, task: Task, search: Search, print_: Fingerprint) -> None:
        self._setting, self._task, self._search, self._print = setting, task, search, print_
        self._checkpoints = Path()
        self._began, failed = began.of(setting, task, print_)
        self._prefix = layout.step(setting.project.name, self._began.tag, task.name)
        self._study = Study.open(search, task.name, setting.place.store, f"{self._prefix}/search")
        if failed:
            self._study.forgive()
            complete = sum(trial.state == "complete" for trial in self._study.ranked())
            setting.screen.say(f"{task.name}: goes on with the search of {self._began.tag}: {complete} trials complete")

    def run(self) -> Done:
        """All trials, side by side as the file says, then the winner."""
        screen = self._setting.screen
        screen.search(self._search.objective.metric, self._search.objective.goal)
        self._tell_kept()
        self._study.abandon()
        self._show_finished()
        with self._setting.place.checkpoint(self._print.key, self._setting.tag) as self._checkpoints:
            with ThreadPoolExecutor(self._search.parallel, thread_name_prefix="trial") as pool:
                for worker in [pool.submit(self._work) for _ in range(self._search.parallel)]:
                    worker.result()
            return self._winner()

    def _tell_kept(self) -> None:
        """Tells the study of trials that were kept, in a run that was killed before it could."""
        store = self._setting.place.store
        for name in store.children(f"{self._prefix}/trials"):
            number = int(name)
            try:
                told = trials.kept(self._began, self._task, number)
            except Missing:
                continue
            value, _ = trials.value(told, self._search.objective.metric)
            if told.get("state") == "succeeded" and value is not None:
                self._study.tell(number, value, seconds=told.get("seconds"))

    def _show_finished(self) -> None:
        """Shows the trials of a search that was killed, and is gone on with."""
        for ranked in self._study.ranked():
            self._setting.screen.trial(ranked.number, ranked.parameters, state=ranked.state, value=ranked.value)

    def _work(self) -> None:
        while not self._setting.stop.is_set():
            trial = self._study.ask()
            if trial is None:
                return
            self._try(trial)

    def _try(self, trial: Trial) -> None:
        screen, metric = self._setting.screen, self._search.objective.metric
        screen.trial(trial.number, trial.parameters)
        heard = trials.Heard(
            self._study, trial.number, metric, lambda value: screen.trial(trial.number, trial.parameters, value=value)
        )
        task = trials.with_(self._task, trial.parameters)
        folder = trials.folder(self._began, self._task, trial.number)
        checkpoint = self._checkpoints / f"{trial.slot:04d}"
        began = time.monotonic()
        try:
            metadata = steps.tried(self._began, task, folder, checkpoint, trial=trial.number, metrics=heard)
        except attempt.Stopped:
            raise
        except AigaError as error:
            reason = str(error).splitlines()[0]
            self._study.tell(trial.number, heard.last, heard.failure, reason, time.monotonic() - began)
            screen.trial(trial.number, trial.parameters, state=heard.failure, value=heard.last, reason=reason)
            return
        value, reason = trials.value(metadata, metric)
        if value is not None:
            trials.keep(self._began, task, trial.number, metadata)
        end: Literal["complete", "failed"] = "complete" if value is not None else "failed"
        self._study.tell(trial.number, value, end, reason, time.monotonic() - began)
        screen.trial(trial.number, trial.parameters, state=end, value=value, reason=reason)

    def _winner(self) -> Done:
        failure = self._study.failure()
        if self._study.best() is None or failure is not None:
            raise StepFailed(f"{self._task.name}: {failure or 'no trial completed'}")
        ranked = [asdict(trial) for trial in self._study.ranked()]
        return trials.take(self._setting, self._task, self._search, ranked, self._print, tag=self._began.tag)
