"""MLServer, started our way: quick REST for our models, ports that are kept, and an orderly end."""

from __future__ import annotations

import contextlib
import importlib
import os
import socket
import sys
from collections.abc import Iterator
from typing import Any, NoReturn

import uvicorn
from fastapi.exceptions import RequestValidationError  # type: ignore[import-not-found]  # as uvicorn below
from mlserver import MLServer, ModelSettings
from mlserver.cli.serve import load_settings
from mlserver.metrics import MetricsServer
from mlserver.registry import MultiModelRegistry
from mlserver.rest import RESTServer

from aiga.errors import UserError
from aiga.serving.runtimes import prepackaged
from aiga.serving.runtimes.answering import Answering
from aiga.serving.runtimes.front import Front
from aiga.serving.runtimes.names import BINARY, FAILED

KEEP_ALIVE = 75
"""Seconds that an idle connection is kept: longer than clients keep theirs, lest one be closed while it is used."""


class _Listener(uvicorn.Server):  # type: ignore[misc]  # it is not installed where types are checked
    """Leaves signals to MLServer."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Rest(RESTServer):  # type: ignore[misc]
    async def start(self) -> None:
        config = self._get_config()
        config.app = Front(self._app, self._data_plane)
        config.timeout_keep_alive = KEEP_ALIVE
        self._server = _Listener(config)
        await self._server.serve([_listening(self._settings.host, self._settings.http_port)])


class _Metrics(MetricsServer):  # type: ignore[misc]
    async def start(self) -> None:
        self._server = _Listener(self._get_config())
        await self._server.serve([_listening(self._settings.host, self._settings.metrics_port)])


def _listening(host: str, port: int) -> socket.socket:
    """A socket on a port that the supervisor keeps for this server."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        fail(f"port {port} of {host} cannot be listened on: {error.strerror}")
    listener.setblocking(False)
    return listener


class Server(MLServer):  # type: ignore[misc]
    """Ends at once, with the reason, when a model cannot be loaded."""

    def _create_model_registry(self) -> MultiModelRegistry:
        registry = super()._create_model_registry()
        load = registry.load

        async def loaded(settings: ModelSettings) -> Any:
            try:
                return await prepackaged.loaded(load, settings)
            except Exception as error:
                reason = str(error) if isinstance(error, UserError) else prepackaged.reason_of(error)
                fail(f"model {settings.name}: cannot be loaded: {' '.join(reason.split())}")

        registry.load = loaded
        return registry

    def _create_servers(self) -> None:
        super()._create_servers()
        self._rest_server = _Rest(self._settings, self._data_plane, self._model_repository_handlers)
        self._rest_server._app.add_exception_handler(RequestValidationError, prepackaged.malformed)
        self._rest_server._app.add_exception_handler(prepackaged.ModelFailed, prepackaged.failed)
        if self._settings.metrics_endpoint:
            self._metrics_server: Any = _Metrics(self._settings)


def fail(reason: str) -> NoReturn:
    """Ends the process with the reason as the last line of its log."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.write(2, f"{FAILED}{reason}\n".encode())
    os._exit(UserError.exit_code)


async def serve(folder: str) -> None:
    """Serves the models of a folder until a signal ends it, after what is under way."""
    path = list(sys.path)
    settings, models = await load_settings(folder)
    # MLServer looks for modules in the folders of models, now and while it imports a runtime, so that a model could
    # bring one in place of ONNX Runtime. What runtimes import is imported here, without those folders.
    sys.path[:] = path
    for model in models:
        importlib.import_module(model.implementation_.rpartition(".")[0])
    ours = all(issubclass(model.implementation, Answering) for model in models)
    if ours and not settings.parallel_workers:  # what runs in MLServer's workers goes its way
        settings.extensions = [BINARY]
    await Server(settings).start(models)
