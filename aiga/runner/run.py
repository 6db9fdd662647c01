"""One run of a project, from its sources to a promoted model; killed at any point, the next one takes it up."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiga.errors import AigaError, TransientError
from aiga.names import MODEL_OUTPUT
from aiga.registry import Stage
from aiga.runner import code, layout, owner, people, record, schedule, steps
from aiga.runner.artefact import Done
from aiga.runner.attempt import Stopped
from aiga.runner.materials import Materials
from aiga.runner.place import Place
from aiga.runner.record import RunRecord
from aiga.runner.screen import Screen
from aiga.runner.setting import Setting
from aiga.runner.snapshot import Source
from aiga.secrets.resolve import resolve
from aiga.spec import Project
from aiga.spec.graph import Node
from aiga.spec.parameters import override
from aiga.spec.people import Label
from aiga.spec.steps import Train
from aiga.store import Store
from aiga.store.digest import file_digest

if TYPE_CHECKING:
    from aiga.runner.evaluation import Judgement

PARALLEL = 4
"""Steps at the same time; a search has its own number."""


@dataclass(frozen=True)
class Request:
    """What a user asks of a run."""

    folder: Path
    overrides: tuple[str, ...] = ()
    fresh: bool = False
    """Reuse nothing."""
    new: bool = False
    """Do not take up a killed run."""
    ask: Callable[[], str | None] = field(default=lambda: None)
    """Asks the person at the terminal to approve."""
    release: bool = True
    """Register and promote what passes."""
    stage: Stage = "production"
    """Where it is promoted to."""
    versions: Mapping[str, Any] = field(default_factory=dict)
    """Source to the recorded version that is to be read, in place of what the source holds now."""
    origin: Store | None = None
    """The store that has those versions."""
    labels: Done | None = None
    """Labels that were given before, in place of asking for them."""


def run(request: Request, project: Project, place: Place, screen: Screen) -> RunRecord:
    """Runs a project and returns the record of how it ended.

    Args:
        project: as its file says it; the request's overrides are applied here.

    Raises:
        UserError: something the user must mend before anything is run.
        KeyboardInterrupt: the run was stopped; the same request takes it up.
    """
    project = override(project, list(request.overrides))
    _refuse_missing_secrets(project)
    if request.release:
        owner.claim(place, request.folder, screen.say)
    setting = Setting.of(layout.new_tag(), project, request.folder, place, screen, fresh=request.fresh)
    source = Source.of(project, request.folder)
    for name, why in source.left_out.items():
        screen.say(f"note: {name!r} is not kept with the source: {why}")
    asked = _asked(project, request.folder)
    killed = None if request.new or request.fresh else _killed(place, project.name, asked, screen.say)
    if killed is not None and not record.take_up(place.store, killed):
        killed = None
    if killed is not None:
        setting = replace(setting, tag=killed.tag)
    screen.say(f"run {setting.tag}{f': taken up where it was {killed.state}' if killed else ''}")
    return _Run(setting, request, asked, source).execute()


class _Run:
    """The run itself: what there is so far, and the record that tells it."""

    def __init__(self, setting: Setting, request: Request, asked: str, source: Source) -> None:
        self.setting, self.request = setting, request
        self._materials = Materials(setting, request.versions, request.origin)
        source.keep(setting.place)
        self.record = RunRecord(
            setting.tag, setting.project.name, "running", record.timestamp(), asked, request.overrides, source.digest
        )

    def execute(self) -> RunRecord:
        self._save()
        try:
            with self.setting.screen:
                return self._execute()
        except (KeyboardInterrupt, Stopped):
            self.setting.stop.set()
            if not self.record.ended:
                self._end("interrupted", "stopped by hand")
            raise KeyboardInterrupt from None
        except AigaError as error:
            self._end("failed", str(error))
            raise
        except OSError as error:
            told = f"{error.filename or self.setting.place.home}: {error.strerror or error}"
            with contextlib.suppress(AigaError, OSError):
                self._end("failed", told)
            raise TransientError(f"{told} (make room, or set AIGA_HOME to another folder, and run again)") from error

    def _execute(self) -> RunRecord:
        nodes = self.setting.graph.nodes
        self.setting.screen.expect([node.name for node in nodes])
        try:
            self._materials.read()
        finally:
            self._save(sources=self._materials.versions)
        needs = {node.name: {taken.step for taken in node.takes if taken.step} for node in nodes}
        outcome = schedule.run(needs, self._do, parallel=PARALLEL, stop=self.setting.stop)
        for name, cause in outcome.skipped.items():
            self.setting.screen.step(name, "skipped", f"{cause} failed")
        done = {name: "reused" if self._materials.done[name].reused else "done" for name in outcome.done}
        failed, skipped = dict.fromkeys(outcome.failed, "failed"), dict.fromkeys(outcome.skipped, "skipped")
        self._save(steps={**done, **failed, **skipped})
        for error in outcome.failed.values():
            if not isinstance(error, AigaError):  # stopped by hand, or a mistake of ours
                raise error
        if outcome.failed:
            return self._end("failed", "\n".join(str(error) for error in outcome.failed.values()))
        return self._judged()

    def _do(self, name: str) -> None:
        node = self.setting.graph.node(name)
        try:
            self._materials.done[name] = self._result(node)
        except AigaError:
            self.setting.screen.step(name, "failed")
            raise

    def _result(self, node: Node) -> Done:
        if isinstance(node.work, Label):
            if self.request.labels is not None:
                return self.request.labels
            return people.labels(
                self.setting,
                node.work,
                self._materials.found(node.needs["data"]),
                lambda waits: self._save(state="waiting" if waits else "running"),
            )
        task = self._materials.task(node)
        if isinstance(node.work, Train):
            from aiga.runner import training  # brings optuna

            return training.do(self.setting, task, node.work)
        return steps.do(self.setting, task)

    def _judged(self) -> RunRecord:
        """Gates, registration, approval, promotion: each where the project has it."""
        judgement = self._judgement()
        self._materials.publish()
        if judgement is not None and not judgement.passed:
            return self._end("rejected", "; ".join(v.reason for v in judgement.verdicts if not v.passed))
        trained = self._materials.done.get("train")
        if trained is None or MODEL_OUTPUT not in trained.outputs or not self.request.release:
            return self._end("succeeded", "")
        from aiga.runner import release  # brings scikit-learn

        registered = release.register(self.setting, trained, judgement, self._materials.roots())
        self._save(model=registered.version)
        released = release.release(
            self.setting,
            registered,
            stage=self.request.stage,
            approve=self.setting.project.approve,
            ask=self.request.ask,
            waiting=lambda: self._save(state="waiting"),
        )
        return self._end("rejected" if released.rejected else "succeeded", released.rejected)

    def _judgement(self) -> Judgement | None:
        evaluate, materials = self.setting.project.evaluate, self._materials
        if evaluate is None:
            return None
        from aiga.runner import evaluation  # brings scikit-learn

        suites = self.setting.graph.node("evaluate").suites
        data = {name: materials.found(address) for name, address in suites.items()}
        judgement = evaluation.judge(
            self.setting,
            materials.tasks["evaluate"],
            evaluate,
            materials.done["evaluate"],
            production=evaluation.in_production(self.setting) if evaluation.compares(evaluate) else None,
            data=data,
        )
        for verdict in judgement.verdicts:
            self.setting.screen.say(f"gate: {'passed' if verdict.passed else 'FAILED'}: {verdict.reason}")
        verdicts = tuple(verdict.plain() for verdict in judgement.verdicts)
        self._save(metrics=dict(judgement.metrics), verdicts=verdicts)
        return judgement

    def _save(self, **changes: Any) -> None:
        self.record = self.record.now(**changes)
        record.save(self.setting.place.store, self.record)

    def _end(self, state: record.State, reason: str) -> RunRecord:
        self._save(state=state, reason=reason, ended=record.timestamp())
        if state == "succeeded":
            self.setting.place.tidy(self.setting.tag)
        return self.record


def _asked(project: Project, folder: Path) -> str:
    """Digest of what a run is asked: the project as overridden, and the code of its steps."""
    code_ = [f"{file.relative_to(folder).as_posix()} {file_digest(file)}" for file in code.of_steps(project, folder)]
    return hashlib.sha256("\n".join([project.model_dump_json(), *code_]).encode()).hexdigest()


def _killed(place: Place, project: str, asked: str, say: Callable[[str], None]) -> RunRecord | None:
    """The latest run, if it asked the same and was killed before its end."""
    latest = record.latest(place.store, project, say)
    return latest if latest is not None and latest.unfinished and latest.asked == asked else None


def _refuse_missing_secrets(project: Project) -> None:
    works: Sequence[Any] = [*project.etl, *(w for w in (project.train, project.evaluate) if w is not None)]
    resolve([name for work in works for name in work.secrets], project.secrets, project.name)
