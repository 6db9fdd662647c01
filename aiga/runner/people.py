"""Waits for people: a decision is a file in the store, so that anyone who reaches it can make one."""

from __future__ import annotations

import getpass
import time
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from aiga.errors import UserError
from aiga.runner import layout
from aiga.runner.record import timestamp
from aiga.runner.setting import Setting
from aiga.spec.base import delta
from aiga.spec.people import Approve
from aiga.store import Missing, Store

POLL = 1.0


def decide(store: Store, project: str, tag: str, what: str, decision: Mapping[str, Any]) -> None:
    """Makes a decision, once.

    Raises:
        UserError: somebody made one before.
    """
    key = layout.decision(project, tag, what)
    told = {"by": getpass.getuser(), "at": timestamp(), **decision}
    if not store.create(key, yaml.safe_dump(told, sort_keys=False).encode()):
        made = decided(store, project, tag, what) or {}
        raise UserError(
            f"run {tag}: {what} was decided by {made.get('by')} at {made.get('at')}: {made.get('decision')} "
            "(a decision stands; run again for another)"
        )


def decided(store: Store, project: str, tag: str, what: str) -> dict[str, Any] | None:
    try:
        return dict(yaml.safe_load(store.read(layout.decision(project, tag, what))))
    except Missing:
        return None


def approval(setting: Setting, approve: Approve, ask: Callable[[], str | None]) -> dict[str, Any]:
    """Waits until somebody approves or rejects, or the time is up.

    Args:
        ask: asks the person at this terminal, and returns `approved`, `rejected`, or None where there is none.

    Raises:
        KeyboardInterrupt: the run was stopped; it can be taken up again.
    """
    place, project = setting.place, setting.project.name
    until = time.time() + delta(approve.timeout).total_seconds()
    while time.time() < until and not setting.stop.is_set():
        found = decided(place.store, project, setting.tag, "approve")
        if found is not None and _may(approve, found, setting):
            return found
        answer = ask()
        if answer is not None:
            decide(place.store, project, setting.tag, "approve", {"decision": answer})
            continue
        setting.stop.wait(POLL)
    if setting.stop.is_set():
        raise KeyboardInterrupt
    verdict = {"reject": "rejected", "approve": "approved"}[approve.on_timeout]
    return {"decision": verdict, "by": "nobody", "at": timestamp(), "why": f"nobody decided within {approve.timeout}"}


def _may(approve: Approve, found: Mapping[str, Any], setting: Setting) -> bool:
    if not approve.who or found["by"] in approve.who:
        return True
    raise UserError(
        f"run {setting.tag}: {found['by']} decided, and approve.who is {', '.join(approve.who)} "
        "(run again, and let one of them decide)"
    )
