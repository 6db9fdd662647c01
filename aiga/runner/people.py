"""Waits for people: a decision is a file in the store, so that anyone who reaches it can make one."""

from __future__ import annotations

import contextlib
import os
import pwd
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from aiga.errors import UserError
from aiga.names import METADATA
from aiga.runner import documents, layout, steps
from aiga.runner.artefact import Artefact, Done
from aiga.runner.attempt import Stopped
from aiga.runner.fingerprint import Fingerprint
from aiga.runner.place import Place
from aiga.runner.record import RunRecord, timestamp
from aiga.runner.setting import Setting
from aiga.spec.base import delta
from aiga.spec.graph import LABEL
from aiga.spec.people import Approve, Label
from aiga.store import Missing, Store
from aiga.store.digest import content_digest

LABELS = "labels.csv"
POLL = 1.0
APPROVE, APPROVED, REJECTED = "approve", "approved", "rejected"
NOBODY = "nobody"
"""Who decides where the time is up."""


class Decided(UserError):
    """Somebody was first: a decision stands."""


def whoami() -> str:
    """Name of the user whose process this is; variables such as LOGNAME can say anything."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user may have none
        return f"uid {os.getuid()}"


def decide(store: Store, project: str, tag: str, what: str, decision: Mapping[str, Any]) -> None:
    """Makes a decision, once.

    Raises:
        Decided: somebody made one before.
    """
    key = layout.decision(project, tag, what)
    told = {"by": whoami(), "at": timestamp(), **decision}
    if not store.create(key, documents.dump(told)):
        raise _stands(tag, what, decided(store, project, tag, what) or {})


def decided(store: Store, project: str, tag: str, what: str) -> dict[str, Any] | None:
    return _read(store, layout.decision(project, tag, what))


def answer(store: Store, run: RunRecord, decision: Mapping[str, Any]) -> None:
    """Approves or rejects the candidate of a run that waits for it.

    Raises:
        UserError: it does not wait, somebody decided before, or others than this user may; nothing is decided then.
    """
    made = decided(store, run.project, run.tag, APPROVE)
    if made is not None:
        raise _stands(run.tag, APPROVE, made)
    asked = _read(store, layout.asked(run.project, run.tag, APPROVE))
    if asked is None or run.over:
        raise UserError(f"run {run.tag}: is {run.state}, and waits for no approval (see `aiga runs`)")
    if not _may(asked["who"], whoami()):
        raise UserError(
            f"run {run.tag}: {whoami()} may not decide: approve.who is {', '.join(asked['who'])} "
            "(let one of them do it; the run still waits)"
        )
    decide(store, run.project, run.tag, APPROVE, decision)


def approval(setting: Setting, approve: Approve, ask: Callable[[], str | None]) -> dict[str, Any]:
    """Waits until somebody approves or rejects, or the time is up.

    Args:
        ask: asks the person at this terminal without waiting: `approved`, `rejected`, or None while there is no
            answer. Who may not approve is not asked.

    Raises:
        UserError: the decision is of somebody who may not make it.
        KeyboardInterrupt: the run was stopped; it can be taken up again.
    """
    store, project, tag = setting.place.store, setting.project.name, setting.tag
    store.write(layout.asked(project, tag, APPROVE), documents.dump({"who": list(approve.who), "at": timestamp()}))
    setting.screen.rest()
    mine = _may(approve.who, whoami())
    until = time.time() + delta(approve.timeout).total_seconds()
    while not setting.stop.is_set() and (left := until - time.time()) > 0:
        found = decided(store, project, tag, APPROVE)
        if found is not None:
            return _held(approve, found, tag)
        told = ask() if mine else None
        if told is not None:
            with contextlib.suppress(Decided):  # somebody elsewhere was quicker
                decide(store, project, tag, APPROVE, {"decision": told})
            continue
        setting.stop.wait(min(POLL, left))
    if setting.stop.is_set():
        raise KeyboardInterrupt
    verdict = {"reject": REJECTED, "approve": APPROVED}[approve.on_timeout]
    return {"decision": verdict, "by": NOBODY, "at": timestamp(), "why": f"nobody decided within {approve.timeout}"}


def _held(approve: Approve, found: dict[str, Any], tag: str) -> dict[str, Any]:
    if not _may(approve.who, found["by"]):
        raise UserError(
            f"run {tag}: {found['by']} decided, and approve.who is {', '.join(approve.who)} "
            "(run again, and let one of them decide)"
        )
    return found


def _may(who: Sequence[str], name: str) -> bool:
    return not who or name in who


def _stands(tag: str, what: str, made: Mapping[str, Any]) -> Decided:
    return Decided(
        f"run {tag}: {what} was decided by {made.get('by')} at {made.get('at')}: {made.get('decision')} "
        "(a decision stands; run again for another)"
    )


def _read(store: Store, key: str) -> dict[str, Any] | None:
    try:
        return dict(documents.load(store.read(key)))
    except Missing:
        return None


def labels(setting: Setting, label: Label, data: Artefact, waiting: Callable[[bool], None]) -> Done:
    """Waits until somebody gives labels for the data, or the time is up.

    Labels of the same data, given in an earlier run, are taken again.

    Args:
        waiting: is told when the run begins to wait for people, and when it no longer does.

    Raises:
        UserError: nobody gave enough of them, and the project says to fail then.
    """
    print_ = Fingerprint({"data": data.digest, "label": label.model_dump_json()})
    found = steps.reusable(setting, LABEL, print_)
    if found is not None:
        return steps.reuse(setting, LABEL, found)
    place, key = setting.place, layout.step(setting.project.name, setting.tag, LABEL)
    setting.screen.step(LABEL, "running", f"aiga label {setting.tag} --file labels.csv; the data: {data.local(place)}")
    waiting(True)
    until = time.time() + delta(label.timeout).total_seconds()
    while (told := decided(place.store, setting.project.name, setting.tag, LABEL)) is None and time.time() < until:
        if setting.stop.wait(POLL):
            raise Stopped
    waiting(False)
    if told is None and label.on_timeout == "fail":
        raise UserError(f"{LABEL}: nobody gave {label.need} labels within {label.timeout} (aiga run, then aiga label)")
    if told is None:
        place.store.write(f"{key}/{LABELS}", b"")
    digest = told["digest"] if told else content_digest(b"")
    outputs = {label.output: Artefact(digest, f"{setting.tag}/{LABEL}.{label.output}", f"{key}/{LABELS}")}
    metadata = {
        "tag": setting.tag,
        "step": LABEL,
        "state": "succeeded",
        "by": (told or {}).get("by", NOBODY),
        "inputs": {"data": data.plain()},
        "outputs": {name: artefact.plain() for name, artefact in outputs.items()},
    }
    place.store.write(f"{key}/{METADATA}", documents.dump(metadata))
    if told is not None:
        steps.remember(setting, LABEL, print_)
    setting.screen.step(LABEL, "done", f"{metadata['by']} gave {(told or {}).get('rows', 0)} labels")
    return Done(LABEL, f"{setting.tag}/{LABEL}", outputs, metadata=metadata)


def give_labels(place: Place, tag: str, file: Path, need: int) -> int:
    """Gives labels to a waiting run, once; how many rows they are.

    Raises:
        UserError: they are no table, or too few, or somebody gave some before.
    """
    from aiga.sources import tables  # brings pandas

    rows = sum(chunk.rows for chunk in tables.chunks(file))
    if rows < need:
        raise UserError(f"{file}: has {rows} rows, and the project asks for {need} labels")
    key = f"{layout.step(place.project, tag, LABEL)}/{LABELS}"
    if decided(place.store, place.project, tag, LABEL) is None:
        digest = place.store.upload(file, key)
        decide(place.store, place.project, tag, LABEL, {"decision": "labelled", "rows": rows, "digest": digest})
    else:
        decide(place.store, place.project, tag, LABEL, {"decision": "labelled"})
    return rows
