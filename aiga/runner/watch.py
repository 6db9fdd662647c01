"""`aiga run --watch`: runs a project again by its clock, and when its sources change."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from aiga.errors import AigaError
from aiga.sources.read import Reader
from aiga.sources.version import Version
from aiga.spec.base import delta
from aiga.spec.cron import times
from aiga.spec.project import Project

DEFAULT = timedelta(minutes=1)
"""How often sources are looked at where the project does not say."""


@dataclass(frozen=True)
class Due:
    """When to look next, and why to run now."""

    at: datetime
    reason: str = ""


@dataclass(frozen=True)
class Watched:
    """The project as its file is now, and what reads its sources."""

    project: Project
    reader: Reader


def every(project: Project) -> timedelta:
    """How often its sources are looked at."""
    return delta(project.schedule.watch) if project.schedule.watch else DEFAULT


def next_look(project: Project, now: datetime, last_run: datetime, last_look: datetime) -> Due:
    """The next moment at which something may have to be done.

    Args:
        last_run: when the last run began; a retraining that was due since is due now.
        last_look: when sources were looked at.
    """
    schedule = project.schedule
    moments = [last_look + every(project)] if project.sources else []
    if schedule.retrain:
        due = times(schedule.retrain).after(last_run)
        if due <= now:
            return Due(now, f"schedule.retrain: {schedule.retrain}")
        moments.append(due)
    return Due(min(moments, default=now + every(project)))


def changed(watched: Watched, seen: Mapping[str, Any]) -> str:
    """Why a source is no more what the last run saw; nothing while all are.

    Raises:
        AigaError: one cannot be reached, or not be read as it is.
    """
    sources = watched.project.sources
    unread = [name for name in sources if name not in seen]
    for name in unread:  # a run would fail at the first that cannot be read
        watched.reader.read(name, sources[name])
    if unread:
        return f"source {unread[0]}: can be read"
    for name, source in sources.items():
        reason = watched.reader.changed(source, Version.recorded(seen[name]))
        if reason:
            return reason
    return ""


def watch(
    load: Callable[[], Watched],
    again: Callable[[Watched, str], Mapping[str, Any]],
    *,
    stop: threading.Event,
    say: Callable[[str], None],
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:
    """Runs the project now, and again whenever there is a reason, until `stop` is set.

    Trouble is told once and outlived: a file that is being edited, a source that cannot be reached.

    Args:
        load: the project as its file is now.
        again: runs it for a reason, and returns the versions of its sources that it saw, those of a run that failed
            too; raises AigaError where it could not even begin.
    """
    watched = load()
    last_run, seen, told, announced = clock(), dict[str, Any](), "", False
    reason = "it begins"
    while not stop.is_set():
        try:
            if reason:
                last_run, announced = clock(), False
                seen, told = dict(again(watched, reason)), ""
                last_look = clock()
            watched = load()
            due = next_look(watched.project, clock(), last_run, last_look)
            reason = due.reason
            if not reason and clock() >= due.at:
                last_look = clock()
                reason, told = changed(watched, seen), ""
        except AigaError as error:
            last_look, reason = clock(), ""
            due = Due(last_look + every(watched.project))
            if str(error) != told:
                told = str(error)
                say(f"watch: {told}")
        if reason:
            continue
        if not announced:
            announced = True
            say(f"next look at {due.at.isoformat(timespec='seconds')}")
        until = min(due.at, clock() + DEFAULT)  # the file may say otherwise by then
        stop.wait(max(0.0, (until - clock()).total_seconds()))
