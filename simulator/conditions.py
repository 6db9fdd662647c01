"""Works out the status that a controller would have written, and whether the object has it already. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from simulator.kinds import Body, Kind, Need

REASON = "Simulated"
_MESSAGE = "set by the simulator: no controller runs"


def wanted(kind: Kind, obj: Body, missing: Sequence[Need] = ()) -> Body | None:
    """The status to merge into the object; None when it is as it should be."""
    status = kind.status(obj)
    if kind.generation == "status":
        status["observedGeneration"] = obj["metadata"].get("generation", 1)
    live = obj.get("status") or {}
    before = {each.get("type"): each for each in live.get("conditions") or []}
    status["conditions"] = [
        _condition(kind, obj, type_, before.get(type_, {}), missing if type_ == kind.conditions[-1] else ())
        for type_ in kind.conditions
    ]
    return None if _holds(live, status) else status


def _condition(kind: Kind, obj: Body, type_: str, before: Body, missing: Sequence[Need]) -> Body:
    condition = {"type": type_, "status": "True", "reason": REASON, "message": _MESSAGE}
    if missing:
        names = ", ".join(f"{crd.split('.')[0]} {namespace}/{name}" for crd, namespace, name in missing)
        condition |= {"status": "False", "reason": "Missing", "message": f"there is no {names}"}
    if kind.generation == "conditions":
        condition["observedGeneration"] = obj["metadata"].get("generation", 1)
    unchanged = before.get("status") == condition["status"] and "lastTransitionTime" in before
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    condition["lastTransitionTime"] = before["lastTransitionTime"] if unchanged else now
    return condition


def _holds(live: Any, status: Any) -> bool:
    """Whether everything in `status` is in `live`, which may have more."""
    if isinstance(status, dict):
        return isinstance(live, dict) and all(_holds(live.get(key), value) for key, value in status.items())
    return bool(live == status)
