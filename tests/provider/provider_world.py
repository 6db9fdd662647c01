"""A stack of its own for each test, run by the real engine, with what came of it in a form that tests can ask."""

from __future__ import annotations

import gc
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
from pulumi import automation as auto
from pulumi.automation import OpType
from pulumi.automation.events import EngineEvent

from simulator import Running
from tests.provider.processes import engine_of, plugins_of

Program = Callable[[pulumi.ResourceOptions], None]
PROJECT = "plugins"


@dataclass(frozen=True)
class Step:
    """What the engine did, or would do, to one resource."""

    op: str
    changes: dict[str, str]
    """Paths of fields, each with its kind of change."""


@dataclass(frozen=True)
class Outcome:
    """One operation of the engine."""

    ok: bool
    text: str
    steps: dict[str, list[Step]] = field(default_factory=dict)
    """By resource name, in order; what stays the same is left out."""

    def ops(self, name: str) -> list[str]:
        """What happened to one resource."""
        return [step.op for step in self.steps.get(name, [])]

    def changes(self, name: str) -> dict[str, str]:
        """The changed fields of one resource."""
        return {path: kind for step in self.steps.get(name, []) for path, kind in step.changes.items()}


class Update:
    """An update on its way, in a thread of its own."""

    def __init__(self, run: Callable[[], Outcome]) -> None:
        self._outcomes: list[Outcome] = []
        self._thread = threading.Thread(target=lambda: self._outcomes.append(run()), daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether it has not come to an end yet."""
        return self._thread.is_alive()

    def outcome(self, timeout: float = 60) -> Outcome:
        """What came of it."""
        self._thread.join(timeout)
        assert self._outcomes, f"the update is still running after {timeout:.0f} s"
        return self._outcomes[0]


class World:
    """Where stacks live: one backend, one plugin home, one cluster."""

    def __init__(self, folder: Path, running: Running, environment: dict[str, str]) -> None:
        self.running = running
        self.folder = folder
        self.environment = {
            **environment,
            "PULUMI_BACKEND_URL": f"file://{folder}",
            "PULUMI_CONFIG_PASSPHRASE": "tests",
        }

    def stack(self, name: str) -> Stack:
        """A new stack."""
        return Stack(self, name)


class Stack:
    """One stack, whose program may differ from one operation to the next."""

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self._name = name
        self._program: Callable[[], None] = lambda: None
        settings = auto.ProjectSettings(
            name=PROJECT, runtime="python", backend=auto.ProjectBackend(f"file://{world.folder}")
        )
        self._stack = auto.create_or_select_stack(
            name,
            project_name=PROJECT,
            program=self._run_program,
            opts=auto.LocalWorkspaceOptions(env_vars=dict(world.environment), project_settings=settings),
        )

    def _run_program(self) -> None:
        self._program()

    def preview(self, program: Program, **provider: Any) -> Outcome:
        """Look at what an update would do."""
        return self._run(self._stack.preview, program, provider)

    def up(self, program: Program, **provider: Any) -> Outcome:
        """Update."""
        return self._run(self._stack.up, program, provider)

    @contextmanager
    def updating(self, program: Program, **provider: Any) -> Iterator[Update]:
        """An update that runs beside the test, and is killed when the test is done with it."""
        update = Update(lambda: self.up(program, **provider))
        try:
            yield update
        finally:
            if update.running and (engine := engine_of("up")):
                for process in [engine, *plugins_of(engine)]:
                    process.send(signal.SIGKILL)

    def refresh(self, **options: Any) -> Outcome:
        """Read everything back."""
        return self._run(self._stack.refresh, None, {}, **options)

    def destroy(self) -> Outcome:
        """Delete everything."""
        return self._run(self._stack.destroy, None, {})

    def cancel(self) -> None:
        """Break the lock of an operation that was killed."""
        self._stack.cancel()

    def state(self) -> dict[str, dict[str, Any]]:
        """The resources in the state, by name, secrets in clear."""
        deployment: dict[str, Any] = self._stack.export_stack().deployment or {}
        return {found["urn"].rpartition("::")[2]: found for found in deployment.get("resources", [])}

    def pending(self) -> list[str]:
        """What the state says is still under way."""
        return [found["type"] for found in (self._stack.export_stack().deployment or {}).get("pending_operations", [])]

    def text(self) -> str:
        """The whole state as it lies on disk, secrets encrypted."""
        return (self._world.folder / ".pulumi" / "stacks" / PROJECT / f"{self._name}.json").read_text()

    def _run(self, operation: Any, program: Program | None, provider: dict[str, Any], **options: Any) -> Outcome:
        if program is not None:
            self._program = lambda: self._with_provider(program, provider)
        outcome = self._outcome(operation, options)
        _collect()
        return outcome

    def _outcome(self, operation: Any, options: dict[str, Any]) -> Outcome:
        events: list[EngineEvent] = []
        try:
            operation(on_event=events.append, color="never", **options)
        except auto.CommandError as error:
            return Outcome(False, _messages(events) + str(error), _steps(events, operation.__name__))
        return Outcome(True, _messages(events), _steps(events, operation.__name__))

    def _with_provider(self, program: Program, provider: dict[str, Any]) -> None:
        given = {"kubeconfig": str(self._world.running.kubeconfig), "context": self._world.running.context, **provider}
        program(pulumi.ResourceOptions(provider=k8s.Provider("cluster", **given)))


def _collect() -> None:
    """A program that fails leaves a coroutine behind, which complains when it is collected: better now."""
    told, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        gc.collect()
    finally:
        sys.unraisablehook = told


def _messages(events: Iterable[EngineEvent]) -> str:
    told = [event.diagnostic_event for event in events if event.diagnostic_event]
    texts = [diagnostic.message for diagnostic in told if diagnostic.severity != "debug"]
    return re.sub(r"<\{%.*?%\}>", "", "".join(texts))


def _steps(events: Iterable[EngineEvent], operation: str) -> dict[str, list[Step]]:
    found: dict[str, list[Step]] = {}
    for event in events:
        # what a refresh finds is known only after reading
        told = event.res_outputs_event if operation == "refresh" else event.resource_pre_event
        if (
            told is None
            or told.metadata.op in (OpType.SAME, OpType.REFRESH)
            or told.metadata.type.startswith("pulumi:")
        ):
            continue
        changes = {path: change.diff_kind.value for path, change in (told.metadata.detailed_diff or {}).items()}
        name = told.metadata.urn.rpartition("::")[2]
        found.setdefault(name, []).append(Step(told.metadata.op.value, changes))
    return found
