"""What the steps of a run take and make: sources, outputs, values, models of other projects, published datasets."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from aiga.errors import UserError
from aiga.registry import resolve_model
from aiga.runner.artefact import Artefact, Done, Task
from aiga.runner.place import Place
from aiga.runner.setting import Setting
from aiga.secrets.resolve import lookup
from aiga.sources.marks import mark
from aiga.sources.read import Reader
from aiga.sources.version import Version
from aiga.spec.base import Scalar
from aiga.spec.graph import Address, Node
from aiga.spec.project import Project
from aiga.spec.steps import Work
from aiga.store import Progress, Store


class Materials:
    """What there is so far of one run."""

    def __init__(self, setting: Setting, recorded: Mapping[str, Any] | None = None, origin: Store | None = None):
        """Args:
        recorded: source to the earlier version that is to be had in place of what it holds now.
        origin: the store that has those, and models of other projects, where it is not the run's own.
        """
        self._setting = setting
        self._recorded = recorded or {}
        self._origin = origin
        self.versions: dict[str, Any] = {}
        """Source to the version that this run saw, as evidence; after a failed read, of those that were read."""
        self.done: dict[str, Done] = {}
        self.tasks: dict[str, Task] = {}
        self._sources: dict[str, Artefact] = {}

    def read(self, names: Collection[str] | None = None) -> None:
        """Reads every source, or those named, then holds each to its contract.

        Raises:
            UserError: a source cannot be read, or breaches its contract: all breaches of all sources.
        """
        setting = self._setting
        progress = setting.screen.transfer("sources")
        known_by = reader(setting.project, setting.folder, setting.place, self._origin, progress)
        sources = {n: each for n, each in setting.project.sources.items() if names is None or n in names}
        for name, source in sources.items():
            known = self._recorded.get(name)
            self.add_source(name, known_by.restore(known) if known else known_by.read(name, source))
            setting.screen.say(f"source {name}: {self.versions[name]['digest'][:19]} ({source.kind})")
        breaches = []
        for name, source in sources.items():
            if source.expect is not None:
                from aiga.sources import expect  # brings pandas

                try:
                    expect.check(self._sources[name].local(setting.place), source.expect, f"source {name}")
                except UserError as error:
                    breaches.append(str(error))
        if breaches:
            raise UserError("\n".join(breaches))

    def add_source(self, name: str, version: Version) -> None:
        self._sources[name] = Artefact(
            version.digest, f"source:{name}", path=version.path, mark=version.mark or mark(version.path)
        )
        self.versions[name] = version.evidence()

    def task(self, node: Node) -> Task:
        """A step with all that it takes; what it needs is done."""
        assert isinstance(node.work, Work)
        files: dict[str, Artefact] = {}
        values: dict[str, Scalar] = {}
        origins: dict[str, str] = {}
        for argument, address in node.needs.items():
            if address.scalar:
                giver = self.done[address.producer]
                values[argument] = giver.values[address.output]
                origins[argument] = f"{giver.where}.{address.output}"
            else:
                files[argument] = self.found(address)
        self.tasks[node.name] = Task(node.name, node.work, files, values, dict(node.work.parameters), origins)
        return self.tasks[node.name]

    def found(self, address: Address) -> Artefact:
        """The files that an address means."""
        if address.source is not None:
            return self._sources[address.source]
        if address.model is not None:
            place = self._setting.place
            return registered(replace(place, store=self._origin or place.store), address.model)
        return self.done[address.producer].outputs[address.output]

    def roots(self) -> dict[str, Any]:
        """Where the lineage ends: the version of each source, and what the steps made that take nothing."""
        made = {
            f"{name}.{output}": {"digest": artefact.digest, "from": artefact.origin}
            for name, task in self.tasks.items()
            if not task.files and not task.values
            for output, artefact in self.done[name].outputs.items()
        }
        return {**self.versions, **made}

    def publish(self) -> None:
        """Publishes the datasets of the steps; one that is published already keeps its version."""
        place, tag = self._setting.place, self._setting.tag
        for step in self._setting.project.etl:
            for name, publication in step.publish.items():
                artefact = self.done[step.name].outputs[publication.output]
                from aiga.sources import datasets  # brings pandas

                told = {"run": tag, "from": artefact.origin, "description": publication.description}
                version = datasets.publish(place.store, place.project, name, artefact.local(place), told)
                self._setting.screen.say(f"dataset {place.project}/{name}: version {version}")


def reader(
    project: Project, folder: Path, place: Place, origin: Store | None = None, progress: Progress | None = None
) -> Reader:
    """What reads the sources of a project; `origin` is the store of their recorded versions, where it is another."""
    return Reader(
        project=project.name,
        folder=folder,
        store=origin or place.store,
        cache=place.home / "sources",
        secrets=lookup(project.secrets, project.name),
        progress=progress,
    )


def registered(place: Place, address: str) -> Artefact:
    """A registered model, its signature and digest verified."""
    found = resolve_model(address, place.store, place.project)
    path = found.registry.fetch(found.version, place.home / "models" / found.project / str(found.version))
    return Artefact(found.evidence.digest, f"{found.project}@{found.version}", path=path)
