"""What the screen shows while the engine works: counts and what is waited for; live on a terminal, lines elsewhere."""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from pulumi.automation.events import EngineEvent, OpType, StepEventMetadata

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

_LINE_EVERY = 5.0
_SHOWN = 4
_COLOURS = re.compile(r"<\{%[^%]*%\}>|\x1b\[[0-9;]*m")
_QUIET = (OpType.SAME, OpType.READ, OpType.REFRESH)


def short(urn: str) -> str:
    """Return a URN as people speak of it: Deployment istiod-deployment-istio-system-istiod."""
    *_, types, name = urn.split("::")
    return f"{types.split('$')[-1].split(':')[-1]} {name}"


def plain(text: str) -> str:
    """Return an engine's message without its colours."""
    return _COLOURS.sub("", text).strip()


class Board:
    """What is known of a run so far. Fed by engine events, read by whatever shows it."""

    def __init__(self, expected: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._expected = expected
        self._registered = 0
        self._seen: set[str] = set()
        self.done: set[str] = set()
        self.failed: set[str] = set()
        self.started: dict[str, float] = {}
        self.changed: list[StepEventMetadata] = []
        """Every step that is not a no-op, in the order the engine took them."""
        self.errors: list[tuple[str, str]] = []
        """URN (empty for the stack's own) and message."""
        self.warnings: list[str] = []
        self.counts: dict[str, int] = {}
        """By operation, once the run is over."""

    @property
    def total(self) -> int:
        """How many resources there are: those expected, or as many as the program has told the engine of."""
        return max(self._expected, self._registered, len(self._seen))

    def feed(self, event: EngineEvent) -> None:
        """Take in one event."""
        if event.diagnostic_event is not None:
            self._diagnostic(
                event.diagnostic_event.severity, event.diagnostic_event.message, event.diagnostic_event.urn
            )
        elif event.resource_pre_event is not None:
            self._started(event.resource_pre_event.metadata)
        elif event.res_outputs_event is not None:
            self._finished(event.res_outputs_event.metadata)
        elif event.res_op_failed_event is not None:
            self._failed(event.res_op_failed_event.metadata)
        elif event.summary_event is not None:
            self.counts = {OpType(op).value: count for op, count in event.summary_event.resource_changes.items()}

    def waiting(self) -> list[str]:
        """Return what is under way, the oldest first, with its seconds."""
        now = self._clock()
        running = sorted(self.started.items(), key=lambda item: item[1])
        return [f"{short(urn)} ({now - since:.0f} s)" for urn, since in running]

    def _diagnostic(self, severity: str, message: str, urn: str | None) -> None:
        text = plain(message)
        if severity == "debug":
            self._registered += text.startswith("registering resource: ty=")
        elif severity == "error":
            self.errors.append((urn or "", text))
        elif severity == "warning" and not text.startswith("using pulumi-resource-") and text not in self.warnings:
            self.warnings.append(text)

    def _started(self, step: StepEventMetadata) -> None:
        self._seen.add(step.urn)
        if step.op not in _QUIET:
            self.changed.append(step)
        if step.op != OpType.SAME and ":providers:" not in step.urn and "pulumi:pulumi:Stack" not in step.urn:
            self.started[step.urn] = self._clock()

    def _finished(self, step: StepEventMetadata) -> None:
        self._seen.add(step.urn)
        self.done.add(step.urn)
        self.started.pop(step.urn, None)
        # What a refresh found is only known once it has read the object.
        if step.op not in _QUIET and not any(known.urn == step.urn and known.op == step.op for known in self.changed):
            self.changed.append(step)

    def _failed(self, step: StepEventMetadata) -> None:
        self.failed.add(step.urn)
        self.started.pop(step.urn, None)


class Progress:
    """Shows a board while its block runs."""

    def __init__(self, board: Board, doing: str, console: Console | None = None) -> None:
        self._board, self._doing = board, doing
        self._since = time.monotonic()
        self._over = threading.Event()
        self._console = console
        self._live: Live | None = None
        self._thread: threading.Thread | None = None
        self._last = ""

    def __enter__(self) -> Progress:
        if self._console is not None and self._console.is_terminal:
            from rich.live import Live

            self._live = Live(get_renderable=self._picture, console=self._console, transient=True, refresh_per_second=4)
            self._live.start()
        else:
            self._thread = threading.Thread(target=self._lines, name="progress", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._live is not None:
            self._live.stop()
        if self._thread is not None:
            self._thread.join(timeout=2)

    def status(self) -> str:
        """Return one line: done of how many, and what is waited for."""
        board = self._board
        count = f"{len(board.done)}/{board.total}" if board.total else "starting"
        waiting = board.waiting()
        more = f" and {len(waiting) - _SHOWN} more" if len(waiting) > _SHOWN else ""
        held = f"; waiting for {', '.join(waiting[:_SHOWN])}{more}" if waiting else ""
        broken = f", {len(board.failed)} failed" if board.failed else ""
        return f"{self._doing} {time.monotonic() - self._since:.0f} s: {count}{broken}{held}"

    def _lines(self) -> None:
        while not self._over.wait(_LINE_EVERY):
            print(self.status(), file=sys.stderr, flush=True)

    def _picture(self) -> RenderableType:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.text import Text

        board = self._board
        head = f"{self._doing}  {len(board.done)}/{board.total}  {time.monotonic() - self._since:.0f} s"
        waiting = [Text(f"  {line}", style="dim", no_wrap=True, overflow="ellipsis") for line in board.waiting()]
        more = [Text(f"  and {len(waiting) - _SHOWN} more", style="dim")] if len(waiting) > _SHOWN else []
        failed = [Text(f"  failed: {short(urn)}", style="red") for urn in sorted(board.failed)]
        bar = ProgressBar(total=max(board.total, 1), completed=len(board.done), width=60)
        return Group(Text(head, style="bold"), bar, *failed, *waiting[:_SHOWN], *more)
