"""The record of a run, `run.yaml`: what it was asked, how far it is, and how it ended."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any, Literal, get_args

import psutil
import yaml

from aiga.errors import UserError
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
    def here(self) -> bool:
        """Whether it is run on this machine."""
        return self.host == socket.gethostname()

    @property
    def alive(self) -> bool:
        """Whether the process that runs it is there; assumed of one on another host."""
        if not self.here:
            return True
        try:
            return abs(psutil.Process(self.pid).create_time() - self.pid_started) < 1
        except psutil.NoSuchProcess:
            return False

    @property
    def over(self) -> bool:
        """Whether nothing more will become of it."""
        return self.state in ("succeeded", "failed", "rejected")

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


class Damaged(UserError):
    """A record that cannot be read."""


def load(store: Store, project: str, tag: str) -> RunRecord | None:
    """The record of one run, None where there is none.

    Raises:
        Damaged: it is no record.
    """
    key = f"{layout.run(project, tag)}/{layout.RECORD}"
    try:
        data = documents.load(store.read(key))
    except Missing:
        return None
    except yaml.YAMLError as error:
        raise _damaged(store, key, " ".join(str(error).split())) from error
    if not isinstance(data, dict):
        raise _damaged(store, key, f"must be a map, is {type(data).__name__}")
    known = {name: value for name, value in data.items() if name in RunRecord.__dataclass_fields__}
    for each in fields(RunRecord):
        if rule := _rule(each, known.get(each.name)):
            raise _damaged(store, key, f"{each.name}: {rule}")
    return RunRecord(**{**known, **{name: tuple(known.get(name) or ()) for name in ("overrides", "verdicts")}})


def _rule(each: Field[Any], value: Any) -> str:
    """The rule that a value breaks as that of a field; one with a default may be left out."""
    if value is None and (each.default is not MISSING or each.default_factory is not MISSING):
        return ""
    kind = str(each.type).partition("[")[0].partition(" ")[0]
    types, rule = {
        "str": (str, "must be text"),
        "int": (int, "must be a whole number"),
        "float": (int | float, "must be a number"),
        "Mapping": (dict, "must be a map"),
        "tuple": (list, "must be a list"),
        "State": (str, f"must be one of {', '.join(get_args(State))}"),
    }[kind]
    fits = isinstance(value, types) and (kind != "State" or value in get_args(State))
    return "" if fits else rule


def _damaged(store: Store, key: str, what: str) -> Damaged:
    return Damaged(f"{store.address}: {key} is damaged: {what} (put it back from a copy, or remove the run's folder)")


def all_of(store: Store, project: str, say: Callable[[str], None] = lambda _: None) -> list[RunRecord]:
    """Every run of a project, oldest first.

    Args:
        say: is told of each whose record is damaged; they are passed over.
    """
    return [*_found(store, project, store.children(layout.runs(project)), say)]


def latest(store: Store, project: str, say: Callable[[str], None] = lambda _: None) -> RunRecord | None:
    """The run that began last, of those whose record is not damaged."""
    return next(_found(store, project, reversed(store.children(layout.runs(project))), say), None)


def _found(store: Store, project: str, tags: Iterable[str], say: Callable[[str], None]) -> Iterator[RunRecord]:
    for tag in tags:
        try:
            found = load(store, project, tag)
        except Damaged as error:
            say(f"run {tag}: left out: {error}")
            continue
        if found is not None:
            yield found


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list | tuple) else value
