"""One run of a project, from its sources to a promoted model; killed at any point, the next one takes it up."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiga.errors import AigaError, UserError
from aiga.names import MODEL_OUTPUT
from aiga.registry import Registry, resolve_model
from aiga.runner import code, environment, layout, people, record, schedule, steps
from aiga.runner.artefact import Artefact, Done
from aiga.runner.attempt import Stopped
from aiga.runner.place import Place
from aiga.runner.record import RunRecord
from aiga.runner.screen import Screen
from aiga.runner.setting import Setting
from aiga.runner.steps import Task
from aiga.secrets.resolve import lookup, resolve
from aiga.sources import datasets, expect
from aiga.sources.read import Reader
from aiga.spec import Graph, Project
from aiga.spec.base import Scalar
from aiga.spec.graph import Address, Node
from aiga.spec.parameters import override
from aiga.spec.steps import Work
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
    versions: Mapping[str, Any] = field(default_factory=dict)
    """Source to the recorded version that is to be read, in place of what the source holds now."""
    origin: Store | None = None
    """The store that has those versions."""


def run(request: Request, project: Project, place: Place, screen: Screen) -> RunRecord:
    """Runs a project and returns the record of how it ended.

    Args:
        project: as its file says it; the request's overrides are applied here.

    Raises:
        UserError: something the user must mend before anything is run.
        KeyboardInterrupt: the run was stopped; the same request takes it up.
    """
    project = override(project, list(request.overrides))
    graph = Graph.of(project)
    _refuse_missing_secrets(project)
    python = environment.ensure(request.folder, screen.say)
    asked = _asked(project, request)
    killed = None if request.new or request.fresh else _killed(place, project.name, asked)
    tag = killed.tag if killed else layout.new_tag()
    setting = Setting(
        tag, project, graph, request.folder, place, python, environment.digest(request.folder), screen, request.fresh
    )
    screen.say(f"run {tag}: taken up where it was {killed.state}" if killed else f"run {tag}")
    return _Run(setting, request, asked).execute()


class _Run:
    """The run itself: what is known so far, and the record that tells it."""

    def __init__(self, setting: Setting, request: Request, asked: str) -> None:
        self.setting, self.request = setting, request
        self._store, self._name = setting.place.store, setting.project.name
        self._sources: dict[str, Artefact] = {}
        self._versions: dict[str, Any] = {}
        self._done: dict[str, Done] = {}
        self._tasks: dict[str, Task] = {}
        self._registry = Registry(self._store, self._name)
        self.record = RunRecord(
            setting.tag, self._name, "running", record.timestamp(), asked, request.overrides, self._snapshot()
        )

    def execute(self) -> RunRecord:
        record.save(self._store, self.record)
        try:
            with self.setting.screen:
                return self._execute()
        except (KeyboardInterrupt, Stopped):
            self.setting.stop.set()
            self._end("interrupted", "stopped by hand")
            raise KeyboardInterrupt from None
        except AigaError as error:
            self._end("failed", str(error))
            raise

    def _execute(self) -> RunRecord:
        nodes = self.setting.graph.nodes
        self.setting.screen.expect([node.name for node in nodes])
        self._read_sources()
        needs = {node.name: {taken.step for taken in node.takes if taken.step} for node in nodes}
        outcome = schedule.run(needs, self._do, parallel=PARALLEL, stop=self.setting.stop)
        for name, cause in outcome.skipped.items():
            self.setting.screen.step(name, "skipped", f"{cause} failed")
        states = {
            **{name: "reused" if self._done[name].reused else "done" for name in outcome.done if name in self._done},
            **dict.fromkeys(outcome.failed, "failed"),
            **dict.fromkeys(outcome.skipped, "skipped"),
        }
        self.record = self.record.now(steps=states)
        if outcome.failed:
            stopped = next((e for e in outcome.failed.values() if isinstance(e, Stopped)), None)
            if stopped is not None:
                raise stopped
            reason = "\n".join(str(error) for error in outcome.failed.values())
            return self._end("failed", reason)
        return self._judged()

    def _read_sources(self) -> None:
        """Reads every source, and records which version of it this run saw."""
        place, project = self.setting.place, self.setting.project
        reader = Reader(
            project=project.name,
            folder=self.setting.folder,
            store=self.request.origin or place.store,
            cache=place.home / "sources",
            secrets=lookup(project.secrets, project.name),
        )
        for name, source in project.sources.items():
            known = self.request.versions.get(name)
            version = reader.restore(known) if known else reader.read(name, source)
            if source.expect is not None:
                expect.check(version.path, source.expect, f"source {name}")
            self._sources[name] = Artefact(version.digest, f"source:{name}", path=version.path)
            self._versions[name] = version.evidence()
            self.setting.screen.say(f"source {name}: {version.digest[:19]} ({source.kind})")

    def _do(self, name: str) -> None:
        node = self.setting.graph.node(name)
        if node.kind == "label":
            raise UserError(f"{name}: this release does not wait for labels yet (leave the block out)")
        task = self._tasks[name] = self._task(node)
        try:
            if node.kind == "train":
                assert self.setting.project.train is not None
                from aiga.runner import training  # brings optuna

                self._done[name] = training.do(self.setting, task, self.setting.project.train)
            else:
                self._done[name] = steps.do(self.setting, task)
        except AigaError:
            self.setting.screen.step(name, "failed")
            raise

    def _task(self, node: Node) -> Task:
        assert isinstance(node.work, Work)
        files: dict[str, Artefact] = {}
        values: dict[str, Scalar] = {}
        for argument, address in node.needs.items():
            if address.scalar:
                values[argument] = self._done[address.producer].values[address.output]
            else:
                files[argument] = self._found(address)
        return Task(node.name, node.work, files, values, dict(node.work.parameters))

    def _judged(self) -> RunRecord:
        """Gates, registration, approval, promotion: each where the project has it."""
        setting, project = self.setting, self.setting.project
        judgement = None
        if project.evaluate is not None and "evaluate" in self._done:
            from aiga.runner import evaluation  # brings scikit-learn

            task, done = self._tasks["evaluate"], self._done["evaluate"]
            suites = self.setting.graph.node("evaluate").suites
            data = {name: self._found(address) for name, address in suites.items()}
            judgement = evaluation.judge(
                setting, task, project.evaluate, done, production=self._in_production(), data=data
            )
            for verdict in judgement.verdicts:
                setting.screen.say(f"gate: {'passed' if verdict.passed else 'FAILED'}: {verdict.reason}")
            verdicts = tuple(verdict.plain() for verdict in judgement.verdicts)
            self.record = self.record.now(metrics=dict(judgement.metrics), verdicts=verdicts)
        self._publish()
        if judgement is not None and not judgement.passed:
            return self._end("rejected", "; ".join(v.reason for v in judgement.verdicts if not v.passed))
        trained = self._done.get("train")
        if trained is None or MODEL_OUTPUT not in trained.outputs or not self.request.release:
            return self._end("succeeded", "")
        return self._released(trained, judgement)

    def _released(self, trained: Done, judgement: Judgement | None) -> RunRecord:
        from aiga.runner import release

        registry, setting = self._registry, self.setting
        same = next((m for m in registry.versions() if m.evidence.trained == trained.where), None)
        registered = same or release.register(setting, trained, judgement, self._data())
        self.record = self.record.now(model=registered.version)
        approve = setting.project.approve
        if approve is not None:
            registry.promote(registered.version, "staging", by="aiga run", why="it passed its gates")
            record.save(self._store, self.record.now(state="waiting"))
            setting.screen.say(f"waiting: aiga approve {setting.tag} (or --reject), until {approve.timeout} are over")
            answer = people.approval(setting, approve, self.request.ask)
            if answer["decision"] != "approved":
                return self._end("rejected", f"{answer['by']} rejected it. {answer.get('why', '')}".strip())
        if registry.stage("production") != registered.version:
            registry.promote(registered.version, "production", by="aiga run", why=f"run {setting.tag}")
        setting.screen.say(f"model {self._name}@{registered.version} is in production")
        return self._end("succeeded", "")

    def _publish(self) -> None:
        """Publishes the datasets of the steps; one that is published already keeps its version."""
        for step in self.setting.project.etl:
            for name, publication in step.publish.items():
                artefact = self._done[step.name].outputs[publication.output]
                told = {"run": self.setting.tag, "from": artefact.origin, "description": publication.description}
                version = datasets.publish(self._store, self._name, name, artefact.local(self.setting.place), told)
                self.setting.screen.say(f"dataset {self._name}/{name}: version {version}")

    def _found(self, address: Address) -> Artefact:
        """The files that an address means."""
        if address.source is not None:
            return self._sources[address.source]
        if address.model is not None:
            return _registered(self.setting.place, address.model)
        return self._done[address.producer].outputs[address.output]

    def _in_production(self) -> Artefact | None:
        version = self._registry.stage("production")
        return None if version is None else _registered(self.setting.place, f"{self._name}@{version}")

    def _data(self) -> dict[str, Any]:
        """Digest of each source, and of what the steps without any input made: where the lineage ends."""
        roots = {
            f"{name}.{output}": {"digest": artefact.digest, "from": artefact.origin}
            for name, done in self._done.items()
            if not self._tasks[name].files and not self._tasks[name].values
            for output, artefact in done.outputs.items()
        }
        return {**self._versions, **roots}

    def _snapshot(self) -> str:
        """Keeps the source as this run found it; its digest."""
        files = code.of_project(self.setting.folder)
        lines = [f"{f.relative_to(self.setting.folder).as_posix()}\0{file_digest(f)}" for f in files]
        digest = "sha256:" + hashlib.sha256("\n".join(lines).encode()).hexdigest()
        prefix = layout.code(self._name, digest)
        for file in files:
            key = f"{prefix}/{file.relative_to(self.setting.folder).as_posix()}"
            if not self._store.exists(key):
                self._store.upload(file, key)
        return digest

    def _end(self, state: record.State, reason: str) -> RunRecord:
        self.record = self.record.now(state=state, reason=reason, ended=record.timestamp())
        record.save(self._store, self.record)
        if state == "succeeded":
            self.setting.place.tidy(self.setting.tag)
        return self.record


def _registered(place: Place, address: str) -> Artefact:
    """A registered model, its signature and digest verified."""
    found = resolve_model(address, place.store, place.project)
    path = found.registry.fetch(found.version, place.home / "models" / found.project / str(found.version))
    return Artefact(found.evidence.digest, f"{found.project}@{found.version}", path=path)


def _asked(project: Project, request: Request) -> str:
    """Digest of what a run is asked: the project as overridden, and its source."""
    files = code.of_project(request.folder)
    parts = [project.model_dump_json(), *(f"{f.name}:{file_digest(f)}" for f in files)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _killed(place: Place, project: str, asked: str) -> RunRecord | None:
    """The latest run, if it asked the same and was killed before its end."""
    latest = record.latest(place.store, project)
    return latest if latest is not None and latest.unfinished and latest.asked == asked else None


def _refuse_missing_secrets(project: Project) -> None:
    works: Sequence[Any] = [*project.etl, *(w for w in (project.train, project.evaluate) if w is not None)]
    resolve([name for work in works for name in work.secrets], project.secrets, project.name)
