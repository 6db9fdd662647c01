"""The Pulumi engine through the Automation API: one stack, its operations, and their errors as one message."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pulumi import automation
from pulumi.automation.errors import CommandError
from rich.console import Console

from stacks import chatter, diagnostics, resume
from stacks.errors import EngineError
from stacks.progress import Board, Progress
from stacks.settings import PROJECT
from stacks.workdir import WorkDir

Operation = Literal["up", "preview", "refresh", "destroy"]
_DOING: Mapping[str, str] = {"up": "up", "preview": "preview", "refresh": "refresh", "destroy": "down"}


@dataclass
class Engine:
    """Runs operations on one stack and shows how they go."""

    work: WorkDir
    pulumi: Path
    environment: Mapping[str, str]
    console: Console

    def __post_init__(self) -> None:
        self._stack = self._selected()

    def run(self, operation: Operation, extra: Mapping[str, str] | None = None, **options: Any) -> Board:
        """Run one operation and return what the engine reported.

        Args:
            operation: what to do.
            extra: environment for this operation alone.
            options: for the Automation API's method.

        Raises:
            EngineError: with the causes, one a line.
        """
        # These two do not run the program, which else tells how many resources there are.
        known = operation in ("refresh", "destroy")
        board = Board(len(self.deployment().get("resources") or []) if known else 0)
        call: Callable[..., Any] = getattr(self._stack, operation)
        try:
            # The program runs in this process, and its provider reads some of these variables itself.
            screen = Progress(board, _DOING[operation], self.console)
            with _environment(extra or {}), _quiet(), chatter.spared(self.work.project), screen:
                call(on_event=board.feed, color="never", **options)
        except CommandError as error:
            raise EngineError(self._explained(board, str(error))) from None
        return board

    def cancel(self) -> None:
        """Drop the locks of a dead update."""
        try:
            self._stack.cancel()
        except CommandError as error:
            raise EngineError(
                f"stack {self.work.stack}: {diagnostics.explain(self.work.stack, [], str(error))}"
            ) from None

    def outputs(self) -> dict[str, Any]:
        """Return the stack's outputs, secrets hidden."""
        return {key: "[secret]" if item.secret else item.value for key, item in self._stack.outputs().items()}

    def set_secret(self, key: str, value: str) -> None:
        """Encrypt a value into the stack file; it goes by standard input, not where `ps` shows it."""
        command = [str(self.pulumi), "config", "set", "--stack", self.work.stack, "--secret", "--path", key]
        environment = {**os.environ, **self.environment}
        done = subprocess.run(
            command, input=value, cwd=self.work.folder, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise EngineError(f"{key}: {done.stderr.strip()}")

    def forget(self) -> None:
        """Drop the stack's state and leave what it described where it is."""
        resume.end_leftovers(self.work)
        if resume.locks(self.work):
            self.cancel()
        self._stack.workspace.remove_stack(self.work.stack, force=True, preserve_config=True)
        self._stack = self._selected()

    def deployment(self) -> dict[str, Any]:
        """Return the state, from the file where there is one."""
        if self.work.state_file is not None:
            return self.work.state()
        return dict(self._stack.export_stack().deployment or {})

    def _selected(self) -> automation.Stack:
        provider = self.work.secrets_provider
        options = automation.LocalWorkspaceOptions(
            work_dir=str(self.work.folder),
            env_vars=dict(self.environment),
            secrets_provider=None if provider == "passphrase" else provider,
            pulumi_command=_Command(self.pulumi),
        )
        if self.work.file_backend is not None:
            self.work.file_backend.parent.mkdir(parents=True, exist_ok=True)
        try:
            return automation.create_or_select_stack(
                self.work.stack, project_name=PROJECT, program=self._program, opts=options
            )
        except CommandError as error:
            raise EngineError(diagnostics.explain(self.work.stack, [], str(error))) from None

    def _program(self) -> None:
        root = str(self.work.project)
        if root not in sys.path:
            sys.path.insert(0, root)
        runpy.run_path(str(self.work.program), run_name="__main__")

    def _explained(self, board: Board, output: str) -> str:
        killed = [lock.pid for lock in resume.locks(self.work) if lock.here and not lock.alive]
        if killed:
            return f"stack {self.work.stack}: its engine, process {killed[0]}, was killed (the same command resumes)"
        message = diagnostics.explain(self.work.stack, board.errors, output)
        trace = diagnostics.trace_in(board.errors)
        if trace is None:
            return message
        log = self.work.folder / "last-error.log"
        log.write_text(trace)
        return f"{message}\n(the whole of it is in {log})"


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep a killed engine's broken event stream from being warned of: the error says it better."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Error in event stream")
        yield


class _Command(automation.PulumiCommand):
    """The CLI at a path of its own: the Automation API only looks for `<root>/bin/pulumi`."""

    def __init__(self, executable: Path) -> None:
        self._executable = str(executable)
        super().__init__()

    @property
    def command(self) -> str:
        return self._executable

    @command.setter
    def command(self, _: str) -> None:
        """The base class sets its own guess."""
