"""The registered models of what is served: all looked up, and their signatures checked, before anything is started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aiga.errors import UserError
from aiga.registry import Registry, Resolved, resolve_model
from aiga.serving.deploy.plan import MAIN, Version
from aiga.serving.graph import builtin
from aiga.serving.graph.layout import servers as holders
from aiga.serving.graph.layout import units
from aiga.serving.servers.layout import Served, fetch
from aiga.spec.project import Project
from aiga.spec.serve import Serve, Server, Unit
from aiga.store import Missing, Store


@dataclass(frozen=True)
class Models:
    """What each version is made of; what a stage meant at the start it means until the end."""

    name: str
    """Of the deployment."""
    serve: Serve
    found: Mapping[str, Mapping[str, Resolved]]
    """Version to address to model."""

    @classmethod
    def look_up(cls, project: Project, serve: Serve, versions: Sequence[Version], store: Store, folder: Path) -> Models:
        """Finds them.

        Args:
            project: what is served.
            serve: its block.
            versions: the predictors.
            store: with the registry.
            folder: of the project, for the remedy.

        Raises:
            UserError: some are not there, or their signatures are not to be trusted; a line for each.
        """
        found: dict[str, dict[str, Resolved]] = {}
        mistakes: dict[str, None] = {}
        for version in versions:
            found[version.name] = {}
            addresses = _addresses(serve, version, trained=project.train is not None)
            if version.name != MAIN and version.at not in addresses:
                rule = "every node of serve.graph names its own model or class, so there are no other versions"
                mistakes[f"{version.name}: {version.at}: {rule} (leave `model` out where they are to stand)"] = None
            for address in addresses:
                try:
                    model = resolve_model(address, store, project.name)
                    model.registry.verify(model.version)
                    found[version.name][address] = model
                except Missing as error:
                    where = "" if version.name == MAIN else f"{version.name}: "
                    mistakes[_never_run(address, store, project.name, folder) or f"{where}{error}"] = None
                except UserError as error:
                    mistakes[str(error)] = None
        if mistakes:
            raise UserError("\n".join(mistakes))
        return cls(project.name, serve, found)

    def of(self, version: Version) -> str:
        """What a version is, for a person: `digits@3`, each model of a graph, or the class."""
        named = sorted({f"{model.project}@{model.version}" for model in self.found[version.name].values()})
        return ", ".join(named) or self.serve.run or self.name

    def lineage(self, version: Version) -> dict[str, str]:
        """Where a version comes from; of a graph the models alone."""
        models = list(self.found[version.name].values())
        if not models:
            return {}
        if self.serve.graph is not None:
            return {"model": self.of(version)}
        evidence = models[0].evidence
        described = {
            "model": self.of(version),
            "version": str(models[0].version),
            "run": evidence.run,
            "commit": str(evidence.commit.get("commit") or ""),
            "digest": evidence.digest,
        }
        return {name: value for name, value in described.items() if value}

    def images(self, version: Version) -> dict[str, str]:
        """Node of a graph to what serves it, with the version of its model, or of the predictor where it has none."""
        models, graph = self.found[version.name], self.serve.graph
        tags = {address: str(model.version) for address, model in models.items()}
        return {
            unit.name: f"aiga/{server}:{tags.get(_address(unit, version) or '', version.name)}"
            for server, group in (holders(graph, self.serve.server) if graph is not None else ())
            for unit in group
        }

    def fetch(self, version: Version, folder: Path) -> list[list[Served]]:
        """Brings a version's models to `folder`, verified; what each of its servers holds.

        Raises:
            Corrupt: a model is not what was signed.
        """
        serve = self.serve
        if serve.graph is not None:
            groups = holders(serve.graph, serve.server)
            return [[self._unit(unit, server, version, folder) for unit in group] for server, group in groups]
        if not self.found[version.name]:
            return [[Served(self.name, "custom", run=serve.run, parameters=serve.parameters)]]
        (model,) = self.found[version.name].values()
        server = "custom" if serve.run is not None else serve.server
        return [[fetch(self.name, server, model, folder / "model", run=serve.run, parameters=serve.parameters)]]

    def _unit(self, unit: Unit, server: Server, version: Version, folder: Path) -> Served:
        address = _address(unit, version)
        if address is None:
            return Served(unit.name, server, run=unit.run, parameters=unit.parameters)
        model = self.found[version.name][address]
        return fetch(unit.name, server, model, folder / "models" / unit.name, run=unit.run, parameters=unit.parameters)


def _addresses(serve: Serve, version: Version, *, trained: bool) -> list[str]:
    """Of the models of a version."""
    if serve.graph is not None:
        nodes = [unit for unit in units(serve.graph) if builtin.of(unit) is None]
        return list(dict.fromkeys(at for unit in nodes if (at := _address(unit, version)) is not None))
    if serve.run is not None and not serve.model and not trained:
        return []
    return [version.at]


def _address(unit: Unit, version: Version) -> str | None:
    """Of a node's model; None for a class that needs none."""
    return None if unit.model is None and unit.run is not None else unit.model or version.at


def _never_run(address: str, store: Store, project: str, folder: Path) -> str | None:
    """Why there is nothing to be found at all: no run has made a model yet."""
    of = address.partition("@")[0] or project
    if Registry(store, of).versions():
        return None
    remedy = f"aiga run {folder}" if of == project else f"aiga run, with the folder of project {of}"
    return f"{of}: has no model to serve yet in {store.address} ({remedy})"
