"""Waits for people: a decision is a file in the store, so that anyone who reaches it can make one."""

from __future__ import annotations

import getpass
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from aiga.errors import UserError
from aiga.names import METADATA
from aiga.runner import documents, layout, steps
from aiga.runner.artefact import Artefact, Done
from aiga.runner.attempt import Stopped
from aiga.runner.fingerprint import Fingerprint
from aiga.runner.place import Place
from aiga.runner.record import timestamp
from aiga.runner.setting import Setting
from aiga.spec.base import delta
from aiga.spec.graph import LABEL
from aiga.spec.people import Approve, Label
from aiga.store import Missing, Store
from aiga.store.digest import content_digest

LABELS = "labels.csv"
POLL = 1.0
APPROVED, REJECTED = "approved", "rejected"


def decide(store: Store, project: str, tag: str, what: str, decision: Mapping[str, Any]) -> None:
    """Makes a decision, once.

    Raises:
        UserError: somebody made one before.
    """
    key = layout.decision(project, tag, what)
    told = {"by": getpass.getuser(), "at": timestamp(), **decision}
    if not store.create(key, documents.dump(told)):
        made = decided(store, project, tag, what) or {}
        raise UserError(
            f"run {tag}: {what} was decided by {made.get('by')} at {made.get('at')}: {made.get('decision')} "
            "(a decision stands; run again for another)"
        )


def decided(store: Store, project: str, tag: str, what: str) -> dict[str, Any] | None:
    try:
        return dict(documents.load(store.read(layout.decision(project, tag, what))))
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
    verdict = {"reject": REJECTED, "approve": APPROVED}[approve.on_timeout]
    return {"decision": verdict, "by": "nobody", "at": timestamp(), "why": f"nobody decided within {approve.timeout}"}


def _may(approve: Approve, found: Mapping[str, Any], setting: Setting) -> bool:
    if not approve.who or found["by"] in approve.who:
        return True
    raise UserError(
        f"run {setting.tag}: {found['by']} decided, and approve.who is {', '.join(approve.who)} "
        "(run again, and let one of them decide)"
    )


def labels(setting: Setting, label: Label, data: Artefact) -> Done:
    """Waits until somebody gives labels for the data, or the time is up.

    Labels of the same data, given in an earlier run, are taken again.

    Raises:
        UserError: nobody gave enough of them, and the project says to fail then.
    """
    print_ = Fingerprint({"data": data.digest, "label": label.model_dump_json()})
    found = steps.reusable(setting, LABEL, print_)
    if found is not None:
        return steps.reuse(setting, LABEL, found)
    place, key = setting.place, layout.step(setting.project.name, setting.tag, LABEL)
    setting.screen.step(LABEL, "running", f"aiga label {setting.tag} --file labels.csv; the data: {data.local(place)}")
    until = time.time() + delta(label.timeout).total_seconds()
    while (told := decided(place.store, setting.project.name, setting.tag, LABEL)) is None and time.time() < until:
        if setting.stop.wait(POLL):
            raise Stopped
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
        "by": (told or {}).get("by", "nobody"),
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
