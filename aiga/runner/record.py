"""The record of a run, `run.yaml`: what it was asked, how far it is, and how it ended."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

import psutil

from aiga.runner import documents, layout
from aiga.store import Missing, Store

State = Literal["running", "waiting", "succeeded", "failed", "rejected", "interrupted"]
"""`rejected`: a gate or a person said no, which is no error of the run."""


@dataclass(frozen=True)
class RunRecord:
    """One run. Times are UTC in ISO 8601."""

    tag: str
    project: str
    state: State
    started: str
    asked: str
    """Digest of the project file, the source and the overrides: a killed run is taken up by one that asks the same."""
    overrides: tuple[str, ...] = ()
    code: str = ""
    """Digest of the source, which is in the store under that name."""
    sources: Mapping[str, Any] = field(default_factory=dict)
    """Source to the version that it saw."""
    steps: Mapping[str, str] = field(default_factory=dict)
    """Step to how it ended: `done`, `reused`, `failed`, `skipped`."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    verdicts: tuple[Mapping[str, Any], ...] = ()
    model: int | None = None
    """Version that was registered."""
    reason: str = ""
    ended: str = ""
    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)
    pid_started: float = field(default_factory=lambda: psutil.Process().create_time())
    """With the number, this tells one process from a later one of the same number."""

    def now(self, **changes: Any) -> RunRecord:
        return replace(self, **changes)

    @property
    def alive(self) -> bool:
        """Whether the process that runs it is there; assumed of one on another host."""
        if self.host != socket.gethostname():
            return True
        try:
            return abs(psutil.Process(self.pid).create_time() - self.pid_started) < 1
        except psutil.NoSuchProcess:
            return False

    @property
    def unfinished(self) -> bool:
        """Whether it was killed, or stopped, before its end."""
        return self.state == "interrupted" or (self.state in ("running", "waiting") and not self.alive)


def timestamp() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def save(store: Store, record: RunRecord) -> None:
    text = documents.dump(_plain(asdict(record)))
    store.write(f"{layout.run(record.project, record.tag)}/{layout.RECORD}", text)


def take_up(store: Store, killed: RunRecord) -> bool:
    """Takes a killed run over; of several who try, one is told True."""
    key = f"{layout.run(killed.project, killed.tag)}/taken-up/{killed.pid}-{killed.pid_started:.3f}"
    return store.create(key, f"{socket.gethostname()} {os.getpid()} {secrets.token_hex(4)}".encode())


def load(store: Store, project: str, tag: str) -> RunRecord | None:
    """The record of one run, None where there is none."""
    try:
        data = documents.load(store.read(f"{layout.run(project, tag)}/{layout.RECORD}"))
    except Missing:
        return None
    known = {key: value for key, value in data.items() if key in RunRecord.__dataclass_fields__}
    return RunRecord(**{**known, "overrides": tuple(known["overrides"]), "verdicts": tuple(known["verdicts"])})


def all_of(store: Store, project: str) -> list[RunRecord]:
    """Every run of a project, oldest first."""
    tags = store.children(layout.runs(project))
    return [found for tag in tags if (found := load(store, project, tag)) is not None]


def latest(store: Store, project: str) -> RunRecord | None:
    """The run that began last."""
    for tag in reversed(store.children(layout.runs(project))):
        if (found := load(store, project, tag)) is not None:
            return found
    return None


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list | tuple) else value
