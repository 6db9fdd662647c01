"""Everything that serves a project on this machine: model servers, the gateway before them, and their life."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiga.digests import content_digest
from aiga.errors import UserError
from aiga.names import PROJECT_PREFIX
from aiga.runner.place import Place
from aiga.serving.deploy import backend, claim, plan
from aiga.serving.deploy.front import Front
from aiga.serving.deploy.models import Models
from aiga.serving.deploy.plan import Version
from aiga.serving.deploy.shift import shift, write
from aiga.serving.gateway.deployment import Circuit, Deployment, JournalSettings, Log, PredictorSettings, Sink
from aiga.serving.servers import environment
from aiga.serving.servers.layout import Laid, arrange
from aiga.serving.servers.process import Server
from aiga.spec.base import plain, seconds
from aiga.spec.project import Project
from aiga.spec.serve import Serve

HTTP, GRPC = 8080, 8081
HOST = "127.0.0.1"
ANY = "0.0.0.0"
"""Every address of this machine."""


def config_of(place: Place, project: str) -> Path:
    """What the gateway of a project is told."""
    return _home(place, project) / "gateway.json"


def lock_of(place: Place, project: str) -> Path:
    """Held while a project is served."""
    return _home(place, project).with_suffix(".lock")


def _home(place: Place, project: str) -> Path:
    return place.home / "serve" / project


@dataclass(frozen=True)
class Options:
    """What a person asks of `aiga serve`."""

    http_port: int = HTTP
    grpc_port: int | None = GRPC
    canary: plan.Beside | None = None
    shadow: plan.Beside | None = None
    events: tuple[str, ...] = ()
    """Addresses that get requests and responses as CloudEvents."""
    host: str = HOST
    """IPv4 address that the gateway listens on; the model servers behind it stay on the loopback address."""

    @property
    def near(self) -> str:
        """Address by which this machine reaches the gateway."""
        return HOST if self.host == ANY else self.host


@dataclass
class Serving:
    """A project that is being served; an async context."""

    project: Project
    folder: Path
    place: Place
    options: Options
    say: Callable[[str], None]
    versions: list[Version] = field(default_factory=list)
    models: Models | None = None
    """What the versions are made of, once that is known."""
    _servers: dict[str, list[Server]] = field(default_factory=dict)
    _settings: dict[str, PredictorSettings] = field(default_factory=dict)
    _gateway: Front | None = None
    _claimed: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @property
    def home(self) -> Path:
        """Where its generated files are."""
        return _home(self.place, self.project.name)

    @property
    def config(self) -> Path:
        return config_of(self.place, self.project.name)

    @property
    def address(self) -> str:
        """Of the gateway, for this machine."""
        return f"http://{self.options.near}:{self.options.http_port}"

    @property
    def path(self) -> str:
        """Of the deployment: what stands before each protocol's own paths."""
        return f"/seldon/{self.namespace}/{self.project.name}"

    @property
    def namespace(self) -> str:
        """As on a cluster."""
        return PROJECT_PREFIX + self.project.name

    async def __aenter__(self) -> Serving:
        try:
            await self._start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    async def canary(self, share: float) -> None:
        """Gives the canary another share of the traffic; no request is lost."""
        shift(self.config, share)

    async def wait(self) -> None:
        """Until the gateway ends by itself, which is a failure.

        Raises:
            TransientError: it ended.
        """
        assert self._gateway is not None
        await self._gateway.wait()

    async def _start(self) -> None:
        serve = _block(self.project)
        options, trained = self.options, self.project.train is not None
        self.versions = plan.versions(self.project.name, serve, options.canary, options.shadow, trained=trained)
        self._claimed.enter_context(
            claim.project(self.project.name, lock_of(self.place, self.project.name), self.address)
        )
        ports = [port for port in (options.http_port, options.grpc_port) if port is not None]
        claim.free(options.host, *ports)
        models = Models.look_up(self.project, serve, self.versions, self.place.store, self.folder)
        self.models = models
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir(parents=True)
        laid = {version.name: self._lay_out(serve, models, version) for version in self.versions}
        for version in self.versions:
            self._settings[version.name] = await self._bring_up(serve, models, version, laid[version.name])
        self._write()
        self._gateway = Front(self.config, self.home / "gateway.log", self.folder, self.address, self.say)
        await self._gateway.start()

    def _lay_out(self, serve: Serve, models: Models, version: Version) -> list[Laid]:
        """What each server of a version holds, verified."""
        folder = self.home / version.name
        return [
            arrange(group, folder / f"server-{number}", self.folder, allow_pickle=serve.allow_pickle)
            for number, group in enumerate(models.fetch(version, folder))
        ]

    async def _bring_up(self, serve: Serve, models: Models, version: Version, laid: list[Laid]) -> PredictorSettings:
        """Starts the servers of one version."""
        lineage = models.lineage(version)
        started: dict[str, str] = {}
        tag = lineage.get("version", version.name)
        image = f"aiga/{serve.server}:{tag}"
        for number, each in enumerate(laid):
            python = await asyncio.to_thread(environment.ensure, each.needs, self.say)
            name = f"{version.name}-{number}" if len(laid) > 1 else version.name
            server = Server(name, each, python, self.say, environment=self._labels(serve, version, image, tag))
            self._servers.setdefault(version.name, []).append(server)
            await server.start()
            started |= dict.fromkeys(each.models, server.url)
        root = serve.graph.name if serve.graph else self.project.name
        self.say(f"predictor {version.name}: {models.of(version)}: ready")
        return PredictorSettings(
            name=version.name,
            make=backend.MAKE,
            settings={
                "servers": started,
                "model": self.project.name,
                "graph": plain(serve.graph) if serve.graph else None,
                "images": models.images(version),
                "timeout": seconds(serve.timeout),
            },
            model=root,
            version=tag,
            image=image,
            lineage=lineage,
        )

    def _labels(self, serve: Serve, version: Version, image: str, tag: str) -> dict[str, str]:
        """What Seldon gives a container, for the labels of a class' own metrics: those of the gateway's."""
        return {
            "SELDON_DEPLOYMENT_ID": self.project.name,
            "PREDICTOR_ID": version.name,
            "PREDICTIVE_UNIT_ID": serve.graph.name if serve.graph else self.project.name,
            "PREDICTIVE_UNIT_IMAGE": image,
            "PREDICTOR_LABELS": json.dumps({"version": tag}),
        }

    def _write(self) -> None:
        """Writes the gateway's configuration in one piece: it reads it again whenever it changes."""
        serve = _block(self.project)
        weights: dict[str, float] = {version.name: version.weight for version in self.versions}
        predictors = tuple(
            settings.model_copy(update={"weight": weights[name], "shadow": name == plan.SHADOW})
            for name, settings in self._settings.items()
        )
        deployment = Deployment(
            name=self.project.name,
            namespace=self.namespace,
            protocol=serve.protocol,
            host=self.options.host,
            http_port=self.options.http_port,
            grpc_port=self.options.grpc_port,
            predictors=predictors,
            timeout=seconds(serve.timeout),
            retries=serve.retries,
            circuit=_circuit(serve),
            sticky_header=plan.sticky(serve),
            journal=JournalSettings(folder=self.place.predictions),
            log=Log.model_validate(plain(serve.log)),
            sinks=tuple(Sink.model_validate({"url": url, "spool": self._spool(url)}) for url in self.options.events),
        )
        write(self.config, deployment)

    def _spool(self, url: str) -> Path:
        """Where events wait that an address does not take, and the next start's; the name tells no secret of a URL."""
        name = content_digest(url.encode()).removeprefix("sha256:")[:16]
        return self.place.home / "events" / self.project.name / name

    async def _stop(self) -> None:
        """The gateway first, for it delivers what is under way; then the servers."""
        with self._claimed:
            if self._gateway is not None:
                await self._gateway.stop()
            servers = [server for group in self._servers.values() for server in group]
            await asyncio.gather(*(server.stop() for server in servers), return_exceptions=True)


def _circuit(serve: Serve) -> Circuit:
    said = serve.circuit
    return Circuit(
        errors=said.errors, rate=said.rate, window=seconds(said.window), least=said.least, open=seconds(said.open)
    )


def _block(project: Project) -> Serve:
    if project.serve is None:
        raise UserError(
            f"{project.name}: serve: there is no such block in project.yaml (add `serve: {{server: onnx}}`)"
        )
    return project.serve


def described(serving: Serving) -> dict[str, Any]:
    """The addresses of what is served, by protocol."""
    base = f"{serving.address}{serving.path}"
    name = serving.project.name
    return {
        "v2": f"{base}/v2/models/{name}/infer",
        "tensorflow": f"{base}/v1/models/{name}:predict",
        "seldon": f"{base}/api/v1.0/predictions",
        "metrics": f"{serving.address}/metrics",
        "page": f"{serving.address}/",
    }
