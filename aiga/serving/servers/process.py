"""A model server as a process of its own: started, watched, started again when it dies, and ended in order."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal

from aiga.environments import with_aiga
from aiga.errors import TransientError, UserError
from aiga.serving.servers import logs
from aiga.serving.servers.client import Client
from aiga.serving.servers.layout import Laid
from aiga.serving.servers.ports import HOST, Ports, Reserved

Say = Callable[[str], None]
State = Literal["stopped", "starting", "ready", "restarting"]
SETTINGS_FILE = "settings.json"
"""Of MLServer."""
METRICS_PATH = "/prometheus"
"""Where Seldon's pods have it."""
LARGEST = 100 * 2**20
"""Bytes of a message by gRPC."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds before a dead server is started again; doubled each time."""
STEADY = 60.0
"""Seconds after which a server that ran is started again as if it had never died."""
_LOOK, _TELL = 0.1, 5.0
_DROPPED = re.compile(r"MLSERVER_.*|PYTHONPATH|PYTHONHOME|VIRTUAL_ENV")
"""Variables that are not the server's."""
_UNLESS_SET = {"PYTHONUNBUFFERED": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
"""MLflow tells its makers what it is used for, and waits for them where there is no network."""


class Server:
    """One server; its ports stay the same until it is stopped, which is for good."""

    def __init__(
        self,
        name: str,
        laid: Laid,
        python: Path,
        say: Say,
        *,
        environment: Mapping[str, str] | None = None,
        workers: int = 0,
        patience: float = 120.0,
        grace: float = 20.0,
    ) -> None:
        """A server that is not started yet.

        Args:
            name: of the predictor.
            laid: what it serves.
            python: interpreter of the environment that `laid.needs` made.
            say: tells a person how it goes.
            environment: variables besides this process' own.
            workers: processes that MLServer shares the work among; none does it in the server itself.
            patience: seconds until it must be ready.
            grace: seconds that it has to end what is under way.
        """
        self.name, self.laid, self.python, self.say = name, laid, python, say
        self.patience, self.grace, self.workers = patience, grace, workers
        self.log = laid.folder / "server.log"
        self.state: State = "stopped"
        self.restarts = 0
        self.failure: str | None = None
        """Why it died last."""
        self._environment = dict(environment or {})
        self._reserved = Reserved()
        self._process: asyncio.subprocess.Process | None = None
        self._lifeline: int | None = None
        self._said_before = 0
        self._watching: asyncio.Task[None] | None = None

    @property
    def ports(self) -> Ports:
        return self._reserved.ports

    @property
    def url(self) -> str:
        """Of its REST."""
        return f"http://{HOST}:{self.ports.http}"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def client(self, timeout: float = 60.0) -> Client:
        """A client of its first model."""
        return Client(self.url, self.laid.models[0], timeout=timeout)

    async def start(self) -> None:
        """Returns when all its models are ready; from then on it is started again whenever it dies.

        Raises:
            UserError: it ended before, such as when a model cannot be loaded; with the reason.
            TransientError: it is not ready in time.
        """
        self._write_settings()
        self.state = "starting"
        try:
            await self._launch()
            await self._until_ready()
        except BaseException:
            await self._end()
            self._reserved.release()
            raise
        self.state = "ready"
        self._watching = asyncio.create_task(self._supervise(), name=f"server {self.name}")

    async def stop(self) -> None:
        """Ends it: no more requests, what is under way is answered, and after `grace` it is killed."""
        if self._watching is not None:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching
            self._watching = None
        await self._end()
        self._reserved.release()

    async def __aenter__(self) -> Server:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _write_settings(self) -> None:
        said = {
            "host": HOST,
            "http_port": self.ports.http,
            "grpc_port": self.ports.grpc,
            "metrics_port": self.ports.metrics,
            "metrics_endpoint": METRICS_PATH,
            "parallel_workers": self.workers,
            "grpc_max_message_length": LARGEST,
            "debug": False,
            "server_name": self.name,
        }
        (self.laid.folder / SETTINGS_FILE).write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")

    async def _launch(self) -> None:
        kept = {name: value for name, value in os.environ.items() if not _DROPPED.fullmatch(name)}
        folder = str(self.laid.folder.resolve())
        self._said_before = logs.begin(self.log)
        watched, self._lifeline = os.pipe()
        try:
            with self.log.open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    *(str(self.python), "-P", "-m", "aiga.serving.runtimes", folder, "--guarded"),
                    stdin=watched,
                    stdout=log,
                    stderr=log,
                    cwd=folder,
                    env={**_UNLESS_SET, **with_aiga(kept), **self._environment},
                    start_new_session=True,
                )
        finally:
            os.close(watched)

    async def _until_ready(self) -> None:
        assert self._process is not None
        started = told = time.monotonic()
        ended = asyncio.create_task(self._process.wait())
        try:
            async with self.client(timeout=5.0) as client:
                while not await self._ready(client):
                    await asyncio.wait([ended], timeout=_LOOK)
                    now = time.monotonic()
                    if ended.done():
                        raise UserError(f"server {self.name}: {self._last_words()}")
                    if now - started > self.patience:
                        raise TransientError(
                            f"server {self.name}: is not ready after {self.patience:g} s: {self._last_words()}"
                        )
                    if now - told >= _TELL:
                        self.say(f"server {self.name}: starting, {now - started:.0f} s")
                        told = now
        finally:
            ended.cancel()

    async def _ready(self, client: Client) -> bool:
        for model in self.laid.models:
            if not await client.ready(model):
                return False
        return True

    async def _supervise(self) -> None:
        pause = FIRST_PAUSE
        while True:
            assert self._process is not None
            since = time.monotonic()
            await self._process.wait()
            self.failure = self._last_words()
            await self._end()
            self.state = "restarting"
            if time.monotonic() - since > STEADY:
                pause = FIRST_PAUSE
            self.say(f"server {self.name}: died: {self.failure}; it is started again in {pause:g} s")
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            self.restarts += 1
            await self._again()

    async def _again(self) -> None:
        try:
            await self._launch()
            await self._until_ready()
        except (UserError, TransientError, OSError) as error:
            self.failure = str(error)
            if self._process is not None and self._process.returncode is None:
                self._signal(signal.SIGKILL)
        else:
            self.state = "ready"
            self.say(f"server {self.name}: ready again")

    async def _end(self) -> None:
        """Ends the process if it runs, and kills whatever is left of its group."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), self.grace)
            except TimeoutError:
                self.say(f"server {self.name}: did not end in {self.grace:g} s and is killed")
        if self._process is not None:
            self._signal(signal.SIGKILL)
            await self._process.wait()
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None
        self.state = "stopped"

    def _signal(self, number: int) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _last_words(self) -> str:
        code = self._process.returncode if self._process else None
        return logs.last_words(self.log, code, self._said_before)
