"""After a kill: was the last command interrupted, is it really dead, and what did it leave running.

A plugin has a process group of its own and outlives its engine; it must end before anything is resumed.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stacks import processes
from stacks.errors import UserError
from stacks.remedies import make
from stacks.settings import PROJECT
from stacks.workdir import WorkDir

MARK = "AIGA_WORKDIR"
"""Set for the engine to the stack's folder, and inherited by its plugins, which are known by it."""
RESUMING = {"PULUMI_K8S_UPSERT_EXISTING_OBJECTS": "true", "PULUMI_K8S_ENABLE_PATCH_FORCE": "true"}
"""For the first `up` after a kill: take over what was made and not recorded. Inputs of the provider, so a plain `up`
must follow that takes them back."""
_PLUGINS = ("pulumi-resource-", "pulumi.dynamic", "pulumi-language-", "simulator/provider/start.py")
_ENDS_WITHIN = 10.0
_ORPHAN_ENDS_WITHIN = 60.0


@dataclass(frozen=True)
class Lock:
    """A lock of the file backend: who holds the stack."""

    file: Path
    pid: int
    host: str
    user: str
    since: str

    @property
    def here(self) -> bool:
        """Whether its process would be on this machine."""
        return self.host == socket.gethostname()

    @property
    def alive(self) -> bool:
        """Whether its process still runs; a process that took over the number is not a Pulumi."""
        return "pulumi" in self._command

    @property
    def orphan(self) -> bool:
        """Whether it was started by a runner, rather than typed by hand."""
        return "--exec-kind auto" in self._command

    @property
    def _command(self) -> str:
        process = processes.find(self.pid)
        return process.command if process else ""


def locks(work: WorkDir) -> list[Lock]:
    """Return the locks on the stack; none on a backend that is not a folder here."""
    if work.file_backend is None:
        return []
    return [_lock(file) for file in sorted(_lock_folder(work.file_backend, work.stack).glob("*.json"))]


def _lock_folder(backend: Path, stack: str) -> Path:
    return backend / "locks" / "organization" / PROJECT / stack


def refuse_living(work: WorkDir, say: Callable[[str], None]) -> None:
    """Raise when a process that may still be alive holds the stack.

    Call it while holding `WorkDir.alone`: an engine of a runner has lost its runner then, and is about to end.
    """
    for lock in locks(work):
        if not lock.here:
            raise UserError(
                f"stack {work.stack}: locked by process {lock.pid} of {lock.user} on {lock.host} since {lock.since} "
                f"(wait for it; or, when you know it is dead, {make('resume', work.stack)})"
            )
        if lock.alive and lock.orphan:
            say(f"waiting for process {lock.pid}: an engine whose runner was killed")
            processes.await_end([lock.pid], _ORPHAN_ENDS_WITHIN)
        if lock.alive and lock.file.exists():
            raise UserError(
                f"stack {work.stack}: process {lock.pid} of {lock.user} has been at work on it since {lock.since} "
                "(wait until it ends)"
            )


def reasons(work: WorkDir) -> list[str]:
    """Return what shows that the last command was killed; empty when it was not."""
    found = [f"the lock of process {lock.pid}, which is dead" for lock in locks(work) if lock.here and not lock.alive]
    pending = work.state().get("pending_operations") or []
    if pending:
        found.append(f"{len(pending)} operations that never ended")
    if work.interrupted.exists():
        found.append(f"`{work.interrupted.read_text().strip() or 'a command'}` did not end")
    return found


def mend_state(work: WorkDir) -> list[str]:
    """Mend what a file backend wrote only in part when it was killed, and return what was done.

    Call it when nothing is at work on the stack. The state itself is replaced in one piece and has a copy of the step
    before; the small files beside it, which only some backends have, are neither.
    """
    if work.file_backend is None or work.state_file is None:
        return []
    done = []
    places = [
        *work.file_backend.glob("*.attrs"),
        *work.state_file.parent.glob(f"{work.stack}.*.attrs"),
        *_lock_folder(work.file_backend, work.stack).glob("*.attrs"),
    ]
    for attributes in sorted(places):
        if not _is_json(attributes):
            attributes.unlink()
            done.append(f"{attributes.name} had been cut off and is dropped")
    copy = work.state_file.with_name(f"{work.state_file.name}.bak")
    if work.state_file.exists() and not _is_json(work.state_file):
        if not _is_json(copy):
            raise UserError(
                f"{work.state_file}: is damaged, and so is {copy.name} (put the newest of .pulumi/backups in its place)"
            )
        shutil.copyfile(copy, work.state_file)
        done.append(f"{work.state_file.name} had been cut off and is the copy of one step before")
    return done


def _is_json(file: Path) -> bool:
    try:
        json.loads(file.read_text())
    except (OSError, ValueError):
        return False
    return True


def end_leftovers(work: WorkDir) -> list[int]:
    """End plugins of this stack that outlived their engine, and return their process ids."""
    pids = leftovers(work)
    for pid in pids:
        processes.send(pid, signal.SIGTERM)
    if not processes.await_end(pids, _ENDS_WITHIN):
        for pid in pids:
            processes.send(pid, signal.SIGKILL)
        processes.await_end(pids, _ENDS_WITHIN)
    return pids


def leftovers(work: WorkDir) -> list[int]:
    """Return the plugins that carry the stack's mark in their environment."""
    mark = f"{MARK}={work.folder}"
    return [
        process.pid
        for process in processes.running()
        if any(name in process.command for name in _PLUGINS) and mark in processes.environment(process.pid)
    ]


def interrupt_engines() -> None:
    """Ask the engines started by this process to end in order."""
    for process in processes.running():
        if process.parent == os.getpid() and "--exec-kind auto" in process.command:
            processes.send(process.pid, signal.SIGINT)


def _lock(file: Path) -> Lock:
    try:
        held = json.loads(file.read_text())
    except (OSError, ValueError):
        held = {}
    # A half-written lock names nobody: its writer was killed while it wrote.
    return Lock(
        file,
        int(held.get("pid") or 0),
        str(held.get("hostname") or socket.gethostname()),
        str(held.get("username") or "unknown"),
        str(held.get("timestamp") or "an unknown time")[:19],
    )
