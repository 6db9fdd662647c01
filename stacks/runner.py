"""The commands behind `make up`, `preview`, `down`, `resume`: each one call, each safe to repeat after a kill."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from pulumi.automation.errors import CommandError
from pulumi.automation.events import OpType
from rich.console import Console

from components import retry
from kube.cluster import Cluster
from simulator import cluster as simulation
from stacks import bodies, changes, contents, keycopy, resume, session, summary, target
from stacks.errors import EngineError, RunnerError, UserError
from stacks.progress import Board, short
from stacks.session import Session
from stacks.sweep import sweep
from stacks.workdir import ROOT, WorkDir, aiga_home


class Runner:
    """One stack of one project."""

    def __init__(
        self,
        stack: str,
        *,
        project: Path = ROOT,
        home: Path | None = None,
        assignments: Sequence[str] = (),
        console: Console | None = None,
    ) -> None:
        self.work = WorkDir(stack, project, home or aiga_home())
        self._assignments = assignments
        self.console = console or Console()
        self._killed: list[str] = []
        """What showed, when the command began, that the last one had been killed."""

    def say(self, text: str) -> None:
        """Print one line."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def up(self) -> Board:
        """Deploy, taking up what a killed command left."""
        since = time.monotonic()
        with self._opened("up", create=True) as opened:
            target.remember(self.work.stack, self.work.folder.parent)
            with self._tied(opened):
                self._recover(opened)
                board = opened.engine.run("up")
            outputs = opened.engine.outputs()
        summary.services(self.console, outputs)
        self._warn(board)
        if opened.settings.cluster.simulated:
            summary.pretended(self.console, simulation.pretended(self.work.folder))
        self.say(f"stack {self.work.stack}: {summary.costs(board, time.monotonic() - since, self._state_size(opened))}")
        if summary.nothing_changed(board):
            self.say(f"stack {self.work.stack}: no change")
        return board

    def resume(self) -> Board:
        """As `up`, on any backend, told by a person that the last command is dead."""
        since = time.monotonic()
        with self._opened("resume", create=False, locked=True) as opened:
            self._recover(opened, told=True)
            board = opened.engine.run("up")
        self._warn(board)
        self.say(f"stack {self.work.stack}: {summary.costs(board, time.monotonic() - since, self._state_size(opened))}")
        return board

    def preview(self, markdown: Path | None = None) -> Board:
        """Show what `up` would change, field by field."""
        with self._opened("preview", create=False, changes=False) as opened:
            if self._killed:
                self.say("the last command was killed: `make up` resumes it; until then this preview misses a part")
            board = opened.engine.run("preview", diff=True)
        for line in changes.lines(board):
            self.say(line)
        self._warn(board)
        self.say(f"stack {self.work.stack}: {changes.counted(board)}")
        if markdown is not None:
            markdown.write_text(changes.markdown(board, f"Preview of stack {self.work.stack}"))
        return board

    def refresh(self) -> Board:
        """Bring the state in line with the cluster, and show what was edited behind its back."""
        with self._opened("refresh", create=False) as opened:
            self._recover(opened, redo=False)
            board = opened.engine.run("refresh")
        drifted = changes.changed(board)
        for step in drifted:
            gone = ": it is gone" if step.op == OpType.DELETE else ""
            self.say(f"drifted: {short(step.urn)}{gone}")
            for line in changes.drift(step):
                self.say(f"    {line}")
        self._warn(board)
        remedy = " (`make up` repairs)" if drifted else ""
        self.say(f"stack {self.work.stack}: {len(drifted) or 'no'} drifted{remedy}")
        return board

    def down(self, *, keep_cluster: bool = False, sure: bool = False) -> Board | None:
        """Take everything away, then whatever the state did not know; the simulator goes too, unless it is kept.

        Args:
            keep_cluster: whether an empty simulator stays.
            sure: whether nobody is to be asked.
        """
        since = time.monotonic()
        board = None
        with self._opened("down", create=False) as opened:
            self._recover(opened, redo=False)
            resources = opened.engine.deployment().get("resources") or []
            self._refuse_protected(resources)
            if not opened.settings.cluster.simulated:
                self._last_words(resources, ask=not sure and sys.stdin.isatty())
            if resources:
                board = opened.engine.run("destroy")
                self.say(f"stack {self.work.stack}: {summary.costs(board, time.monotonic() - since, None)}")
            else:
                self.say(f"stack {self.work.stack}: nothing is deployed")
            found = opened.target
            sweep(lambda: Cluster.connect(str(found.kubeconfig), found.context), self.work.stack, self.say)
            self.work.record.unlink(missing_ok=True)
            if opened.settings.cluster.simulated and not keep_cluster:
                simulation.down(self.work.folder, progress=self.say)
            bodies.prune(self.work)
        return board

    def backup_key(self, file: Path) -> None:
        """Copy the sealing keys into a file of their own."""
        decided, _ = session.checked(self.work, self._assignments)
        found = target.reach(self.work, decided, self.say, create=False)
        target.refuse_other_cluster(self.work, found)
        names = keycopy.write(found.cluster, found.context, file)
        self.say(f"{file}: holds {', '.join(names)}: whoever has it reads every sealed secret (keep it in a vault)")

    def forget(self) -> None:
        """Drop the state of a stack whose cluster is gone, or out of reach for good."""
        with self.work.alone():
            resume.refuse_living(self.work, self.say)
            resume.mend_state(self.work)
            session.offline(self.work, self.console, self.say).forget()
            for trace in (self.work.record, self.work.interrupted):
                trace.unlink(missing_ok=True)
        self.say(f"stack {self.work.stack}: its state is dropped")

    def outputs(self) -> dict[str, Any]:
        """Print the table of the last `up` again."""
        found = session.offline(self.work, self.console, lambda _: None).outputs()
        summary.services(self.console, found)
        if not found:
            self.say(f"stack {self.work.stack}: nothing is deployed")
        return found

    @contextmanager
    def _opened(self, doing: str, *, create: bool, changes: bool = True, locked: bool = False) -> Iterator[Session]:
        """Check, prepare, and note that a command is at work until it ends.

        Args:
            doing: the command's name.
            create: whether a missing cluster is made.
            changes: whether it changes anything, and so leaves a note while it runs.
            locked: whether a lock of another machine is to be ignored.
        """
        decided, config = session.checked(self.work, self._assignments)
        with self.work.alone():
            if not locked:
                resume.refuse_living(self.work, self.say)
            mended = resume.mend_state(self.work)
            self._killed = [*mended, *resume.reasons(self.work)]
            opened = session.prepare(self.work, decided, config, self.console, self.say, create=create)
            self._same_cluster(opened)
            if not changes:
                yield opened
                return
            with self._noted(doing):
                yield opened

    @contextmanager
    def _noted(self, doing: str) -> Iterator[None]:
        self.work.interrupted.write_text(f"make {doing}")
        try:
            yield
        except BaseException as error:
            # The note of a killed command stays until a recovery is over; an engine that was killed leaves its lock.
            if not self._killed and not resume.locks(self.work) and not _half_done(error):
                self.work.interrupted.unlink(missing_ok=True)
            raise
        self.work.interrupted.unlink(missing_ok=True)

    @contextmanager
    def _tied(self, opened: Session) -> Iterator[None]:
        """Tie the state to this cluster; a failure that leaves nothing there leaves no tie either.

        It is recorded before, since after a kill nobody would be there to do it.
        """
        target.record(self.work, opened.target)
        try:
            yield
        except BaseException as error:
            with suppress(CommandError, ValueError):  # a state that cannot be read may describe anything
                if not _half_done(error) and not contents.on_cluster(opened.engine.deployment()):
                    self.work.record.unlink(missing_ok=True)
            raise

    def _same_cluster(self, opened: Session) -> None:
        if target.same_as_before(self.work, opened.target):
            return
        if not contents.on_cluster(opened.engine.deployment()):
            self.work.record.unlink(missing_ok=True)
            return
        if not opened.settings.cluster.simulated:
            target.refuse_other_cluster(self.work, opened.target)
        self.say("the simulator is a new one: the state of the last one is dropped")
        opened.engine.forget()
        self.work.record.unlink(missing_ok=True)
        self._killed = []

    def _recover(self, opened: Session, *, redo: bool = True, told: bool = False) -> None:
        """Clear away what a killed command left.

        Args:
            opened: the session.
            redo: whether to finish what it was creating, which takes over what was made and not recorded.
            told: whether a person says so, though nothing here shows it.
        """
        if not self._killed and not told:
            return
        self.say(f"resuming: {'; '.join(self._killed) or 'as asked'}")
        for pid in resume.end_leftovers(self.work):
            self.say(f"resuming: ended plugin process {pid}, which had outlived its engine")
        if resume.locks(self.work) or told:
            opened.engine.cancel()
        if opened.engine.deployment().get("resources"):
            opened.engine.run("refresh", clear_pending_creates=True)
        if redo:
            opened.engine.run("up", extra=resume.RESUMING)

    def _refuse_protected(self, resources: Sequence[dict[str, Any]]) -> None:
        protected = [short(resource["urn"]) for resource in resources if resource.get("protect")]
        if protected:
            listed = "\n".join(f"  {name}" for name in protected)
            raise UserError(
                f"stack {self.work.stack}: protected, and so not taken down:\n{listed}\n"
                f"(set aiga:protect to false in {self.work.committed.name}, `make up`, then `make down`)"
            )

    def _last_words(self, resources: Sequence[dict[str, Any]], *, ask: bool) -> None:
        """Name what is lost for good before it goes, and let a person at a terminal think again."""
        losses = list(contents.lost(resources, self.work.stack))
        if not losses:
            return
        self.say(f"stack {self.work.stack}: what goes for good:")
        for loss in losses:
            self.say(f"  {loss}")
        if ask and self.console.input("take it down? [y/N] ").strip().lower() not in ("y", "yes"):
            raise UserError(f"stack {self.work.stack}: nothing was taken down")

    def _state_size(self, opened: Session) -> int:
        file = self.work.state_file
        if file is not None and file.exists():
            return file.stat().st_size
        return len(json.dumps(opened.engine.deployment()))

    def _warn(self, board: Board) -> None:
        for warning in board.warnings:
            self.say(f"warning: {warning}")


def _half_done(error: BaseException) -> bool:
    """Whether an API server died in mid-request, which leaves what the state does not know, as a kill does."""
    return isinstance(error, EngineError) and retry.half_done(str(error))


def guarded(command: Callable[[], Any], console: Console) -> int:
    """Run a command; return its exit code, its error printed as one message."""
    signal.signal(signal.SIGTERM, _terminated)
    try:
        command()
    except RunnerError as error:
        console.print(str(error), markup=False, highlight=False, soft_wrap=True, style="red")
        return error.exit_code
    except KeyboardInterrupt:
        console.print("stopped; the same command takes it up again", markup=False)
        return 130
    return 0


def _terminated(number: int, frame: FrameType | None) -> None:
    """Stop in order: the engine is asked to end, as Ctrl-C on a terminal does by itself."""
    resume.interrupt_engines()
    raise KeyboardInterrupt
