"""Waiting: until objects are ready, until they are gone, until an API server that stumbled is back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from kube.errors import KubeError, TimedOut, Transient
from kube.pool import each
from kube.readiness import failed, pending
from kube.refs import Ref

if TYPE_CHECKING:
    from kube.cluster import Cluster

Result = TypeVar("Result")


def pauses(first: float = 0.1, longest: float = 2.0) -> Iterator[float]:
    """Seconds to sleep between tries, growing by half each time."""
    pause = first
    while True:
        yield pause
        pause = min(pause * 1.5, longest)


def patiently(call: Callable[[], Result], seconds: float) -> Result:
    """The result of `call`, tried again after Transient errors until `seconds` have passed since the first one."""
    deadline: float | None = None
    for pause in pauses(0.2, 5.0):
        try:
            return call()
        except Transient as error:
            now = time.monotonic()
            deadline = now + seconds if deadline is None else deadline
            if now + pause > deadline:
                raise type(error)(f"{error} (tried for {seconds:.0f} s)") from None
        time.sleep(pause)
    raise AssertionError("unreachable")


def ready(cluster: Cluster, refs: Sequence[Ref], timeout: float) -> None:
    """Wait until all are ready; TimedOut names each object that is not, and why."""
    why: dict[Ref, str] = dict.fromkeys(refs, "not looked at yet")
    deadline = time.monotonic() + timeout
    for pause in pauses():
        for ref, reason in zip(list(why), each(lambda ref: _not_ready(cluster, ref), why), strict=True):
            if reason is None:
                del why[ref]
            else:
                why[ref] = reason
        if not why:
            return
        if time.monotonic() > deadline:
            raise TimedOut(f"{_list(why)} (waited {timeout:.0f} s)")
        time.sleep(pause)


def _not_ready(cluster: Cluster, ref: Ref) -> str | None:
    try:
        live = cluster.get(ref)
    except Transient as error:
        return str(error)
    if live is None:
        return "it does not exist"
    if broken := failed(live):
        raise KubeError(f"{ref}: {broken}")
    return pending(live)


def deleted(cluster: Cluster, refs: Sequence[Ref], timeout: float, propagation: str | None) -> None:
    """Delete all and wait until they are gone; TimedOut names what stays and its finalizers."""
    asked = each(lambda ref: cluster.delete_asked(ref, propagation=propagation), refs)
    staying = [(ref, uid) for ref, uid in zip(refs, asked, strict=True) if uid]
    deadline = time.monotonic() + timeout
    for pause in pauses(0.05):
        reasons = each(lambda item: _still_there(cluster, item), staying)
        why = {item: reason for item, reason in zip(staying, reasons, strict=True) if reason}
        staying = list(why)
        if not staying:
            return
        if time.monotonic() > deadline:
            raise TimedOut(f"{_list({ref: why[ref, uid] for ref, uid in why})} (waited {timeout:.0f} s)")
        time.sleep(pause)


def _still_there(cluster: Cluster, item: tuple[Ref, str]) -> str | None:
    ref, uid = item
    try:
        live = cluster.get(ref, metadata_only=ref.kind != "Namespace")
    except Transient as error:
        return str(error)
    if live is None or live["metadata"]["uid"] != uid:
        return None
    return "still there" + _blockers(live)


def _blockers(live: dict[str, Any]) -> str:
    conditions = (live.get("status") or {}).get("conditions") or []
    remaining = [found.get("message", "") for found in conditions if found.get("status") == "True"]
    if remaining:
        return ": " + "; ".join(remaining)
    finalizers = live["metadata"].get("finalizers")
    if not finalizers:
        return ""
    return f", held by finalizer {', '.join(finalizers)}: is the controller that should remove it running?"


def _list(why: dict[Ref, str], shown: int = 3) -> str:
    lines = [f"{ref}: {reason}" for ref, reason in list(why.items())[:shown]]
    return "; ".join(lines) + (f"; and {len(why) - shown} more" if len(why) > shown else "")
