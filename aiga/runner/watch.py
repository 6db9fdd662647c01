"""`aiga run --watch`: runs a project again by its clock, and when its sources change."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

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


def next_look(project: Project, now: datetime, last_run: datetime) -> Due:
    """The next moment at which something may have to be done.

    Args:
        last_run: when the last run began; a retraining that was due since is due now.
    """
    schedule = project.schedule
    every = delta(schedule.watch) if schedule.watch else DEFAULT
    moments = [now + every] if project.sources else []
    if schedule.retrain:
        due = times(schedule.retrain).after(last_run)
        if due <= now:
            return Due(now, f"schedule.retrain: {schedule.retrain}")
        moments.append(due)
    return Due(min(moments, default=now + every))


def changed(project: Project, reader: Reader, seen: Mapping[str, Any]) -> str:
    """Why a source is no more what the last run saw; nothing while all are."""
    for name, source in project.sources.items():
        if name not in seen:
            return f"source {name}: is new"
        reason = reader.changed(source, Version.recorded(seen[name]))
        if reason:
            return f"source {name}: {reason}"
    return ""


def watch(
    project: Project,
    reader: Reader,
    again: Callable[[str], Mapping[str, Any]],
    *,
    stop: threading.Event,
    say: Callable[[str], None],
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:
    """Runs the project now, and again whenever there is a reason, until `stop` is set.

    Args:
        again: runs it for a reason, and returns the versions of its sources that it saw.
    """
    last_run = clock()
    seen = again("it begins")
    while not stop.is_set():
        due = next_look(project, clock(), last_run)
        if not due.reason:
            say(f"next look at {due.at.isoformat(timespec='seconds')}")
            if stop.wait(max(0.0, (due.at - clock()).total_seconds())):
                return
        reason = due.reason or changed(project, reader, seen)
        if not reason:
            due = next_look(project, clock(), last_run)
            reason = due.reason
        if reason:
            last_run = clock()
            seen = again(reason)
