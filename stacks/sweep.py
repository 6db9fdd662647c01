"""What is left on the cluster after `down`: everything that carries the stack's label, of every kind."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from kube.cluster import Cluster
from kube.errors import KubeError
from kube.ownership import STACK_LABEL
from kube.refs import Ref
from stacks.errors import EngineError

_THREADS = 8
_SETTLES_WITHIN = 20.0
_GONE_WITHIN = 180.0


def find(cluster: Cluster, stack: str) -> list[dict[str, Any]]:
    """Return all objects of the stack, each once though several API groups may serve it."""

    def listed(kind: tuple[str, str, bool]) -> list[dict[str, Any]]:
        return cluster.list(kind[0], kind[1], label_selector=f"{STACK_LABEL}={stack}", metadata_only=True)

    with ThreadPoolExecutor(_THREADS) as pool:
        found = [item for items in pool.map(listed, cluster.kinds()) for item in items]
    return list({item["metadata"]["uid"]: item for item in found}.values())


def sweep(connect: Callable[[], Cluster], stack: str, say: Callable[[str], None]) -> list[Ref]:
    """Remove what `destroy` did not know of, and return it.

    What is on its way out already (owned by something deleted, or being deleted) is given time to go by itself.

    Raises:
        EngineError: something does not go.
    """
    try:
        return _sweep(connect(), stack, say)
    except KubeError as error:
        raise EngineError(f"sweep of stack {stack}: {error}") from None


def _sweep(cluster: Cluster, stack: str, say: Callable[[str], None]) -> list[Ref]:
    found = find(cluster, stack)
    deadline = time.monotonic() + _SETTLES_WITHIN
    while found and all(map(_leaving, found)) and time.monotonic() < deadline:
        time.sleep(0.5)
        found = find(cluster, stack)
    refs = _roots(found)
    if not refs:
        say(f"sweep: nothing on the cluster carries {STACK_LABEL}={stack}")
        return []
    for ref in refs:
        say(f"sweep: removing {ref}, which the state did not know")
    cluster.delete_and_wait(refs, timeout=_GONE_WITHIN)
    return refs


def _leaving(item: dict[str, Any]) -> bool:
    metadata = item["metadata"]
    return bool(metadata.get("deletionTimestamp") or metadata.get("ownerReferences"))


def _roots(found: Sequence[dict[str, Any]]) -> list[Ref]:
    """Return what has to be deleted by us: what another found object owns goes with it."""
    uids = {item["metadata"]["uid"] for item in found}
    return sorted(
        Ref.of(item)
        for item in found
        if not any(owner["uid"] in uids for owner in item["metadata"].get("ownerReferences") or [])
    )
