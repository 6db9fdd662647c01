"""The gateway as a process of its own, which ends in order with the one that started it, however that one ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import aiohttp

from aiga.errors import TransientError, UserError
from aiga.serving.gateway.names import GUARDED

PATIENCE = 30.0
"""Seconds until it must be ready."""


class Front:
    """One gateway; what it says at its end is told to a person."""

    def __init__(self, config: Path, log: Path, folder: Path, address: str, say: Callable[[str], None]) -> None:
        """One that is not started yet.

        Args:
            config: what it serves.
            log: gets what it writes while it runs.
            folder: that it works in.
            address: where it listens, as `config` says.
            say: tells a person.
        """
        self.config, self.log, self.folder, self.address, self._say = config, log, folder, address, say
        self._process: asyncio.subprocess.Process | None = None
        self._lifeline: int | None = None
        self._relay: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns when it is ready.

        Raises:
            UserError: it ended before, with the reason.
            TransientError: it is not ready in time.
        """
        watched, self._lifeline = os.pipe()
        try:
            with self.log.open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-P", "-m", "aiga.serving.gateway", str(self.config), GUARDED),
                    stdin=watched,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=log,
                    cwd=self.folder,
                )
        finally:
            os.close(watched)
        self._relay = asyncio.create_task(self._told(self._process))
        ended = asyncio.create_task(self._process.wait())
        try:
            async with aiohttp.ClientSession() as session, asyncio.timeout(PATIENCE):
                while not await self._ready(session, self._process.pid):
                    await asyncio.wait([ended], timeout=0.1)
                    if ended.done():
                        raise UserError(f"gateway: {self._last_line()}")
        except TimeoutError:
            raise TransientError(f"gateway: is not ready after {PATIENCE:g} s: {self._last_line()}") from None
        finally:
            ended.cancel()

    async def wait(self) -> None:
        """Until it ends by itself, which is a failure.

        Raises:
            TransientError: it ended.
        """
        assert self._process is not None
        code = await self._process.wait()
        raise TransientError(f"the gateway ended with code {code}: {self._last_line()} (see {self.log})")

    async def stop(self) -> None:
        """Ends it in order: requests under way are answered, then events delivered."""
        if self._process is not None and self._relay is not None:
            with contextlib.suppress(ProcessLookupError):
                if self._process.returncode is None:
                    self._process.send_signal(signal.SIGTERM)
            await self._process.wait()
            await self._relay
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None

    async def _told(self, process: asyncio.subprocess.Process) -> None:
        """Hands on what it writes for people."""
        assert process.stdout is not None
        async for line in process.stdout:
            self._say(line.decode(errors="replace").rstrip())

    async def _ready(self, session: aiohttp.ClientSession, pid: int) -> bool:
        """Whether this very process, and not another one on its port, takes requests."""
        try:
            async with session.get(f"{self.address}/status.json") as answer:
                told = await answer.json()
                return bool(told["pid"] == pid and told["ready"])
        except (aiohttp.ClientError, OSError, ValueError, KeyError, TypeError):
            return False

    def _last_line(self) -> str:
        lines: Sequence[str] = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"
