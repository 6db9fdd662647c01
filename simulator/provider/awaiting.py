"""When an object counts as ready or gone, kind by kind as the official plugin waits, and why it is not."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any

from kube import readiness
from kube.cluster import Cluster
from kube.errors import KubeError
from kube.refs import Ref, group_of
from simulator.provider import marks
from simulator.provider.diff import prune
from simulator.provider.watches import Check, Watches
from simulator.provider.wire import Properties

Pending = Callable[[Properties], str | None]

_WORKLOADS = {("apps", "Deployment"), ("apps", "StatefulSet"), ("apps", "DaemonSet"), ("batch", "Job")}
_SKIP_ON_DELETE = _WORKLOADS | {("", "Namespace"), ("", "Pod"), ("", "ReplicationController")}
_CHECKED_ON_READ = _WORKLOADS | {("", "Pod"), ("", "Service"), ("networking.k8s.io", "Ingress")}
_TELL_AFTER = 5.0


class NotReadyError(Exception):
    """Waited in vain; `live` is what was there at last, `reasons` say what is missing."""

    def __init__(self, message: str, live: Properties, reasons: list[str]) -> None:
        super().__init__(message)
        self.live = live
        self.reasons = reasons


class Awaiting:
    """Waits for objects of one cluster."""

    def __init__(self, cluster: Cluster, watches: Watches, stop: threading.Event) -> None:
        self._cluster = cluster
        self._watches = watches
        self._stop = stop

    def ready(self, live: Properties, *, update: bool, seconds: float, tell: Callable[[str], None]) -> Properties:
        """The object once it is ready, as it is then."""
        pending = _rule(self._cluster, live, update)
        if pending is None:
            return live
        deadline = time.monotonic() + seconds
        seen = _Latest(live, pending)
        while not (
            seen.settled(seen.live) or self._until(live, seen.settled, min(_TELL_AFTER, deadline - time.monotonic()))
        ):
            if self._stop.is_set():
                raise NotReadyError(f"Resource operation was cancelled for {_name(live)!r}", seen.live, self._why(seen))
            if time.monotonic() >= deadline:
                raise NotReadyError(f"'{_name(live)}' timed out waiting to be Ready", seen.live, self._why(seen))
            tell(f"Waiting for {Ref.of(live)}: {seen.reason}")
        if broken := readiness.failed(seen.live):
            raise NotReadyError(f"Resource '{_name(live)}' was created but failed to initialize", seen.live, [broken])
        self._endpoints(seen, deadline)
        return seen.live

    def now(self, live: Properties, inputs: Properties) -> list[str]:
        """What is amiss with an object that is read; empty when nothing is."""
        if marks.true(inputs, marks.SKIP_AWAIT) or _kind(live) not in _CHECKED_ON_READ:
            return []
        pending = _rule(self._cluster, live, True)
        reason = pending(live) if pending else None
        return [f"{Ref.of(live)}: {reason}"] if reason else []

    def gone(self, ref: Ref, uid: str, seconds: float) -> None:
        """Until the object is not there any more; NotReadyError tells what holds it."""
        deadline = time.monotonic() + seconds
        absent = _Absent(uid)
        while self._watches.wait(ref.api_version, ref.kind, _key(ref), absent.check, deadline - time.monotonic()):
            if absent.seen or self._really_gone(ref, uid):
                return
            time.sleep(0.05)  # the watch has not caught up with the object's creation
        live = self._cluster.get(ref)
        if live is None or live["metadata"].get("uid") != uid:
            return
        if self._stop.is_set():
            raise NotReadyError(f"Resource operation was cancelled for {ref.name!r}", live, [])
        raise NotReadyError(f"{ref} is still there after {seconds:.0f} s", live, _holders(live))

    def _until(self, live: Properties, check: Check, seconds: float) -> bool:
        ref = Ref.of(live)
        return self._watches.wait(ref.api_version, ref.kind, _key(ref), check, max(seconds, 0.0))

    def _endpoints(self, seen: _Latest, deadline: float) -> None:
        if not _needs_endpoints(seen.live):
            return
        live = seen.live
        key = (live["metadata"]["namespace"], _name(live))
        if not self._watches.wait("v1", "Endpoints", key, _served, deadline - time.monotonic()):
            reason = "Service does not target any Pods, or not all that it targets are ready"
            raise NotReadyError(f"'{_name(live)}' timed out waiting to be Ready", live, [f"{Ref.of(live)}: {reason}"])

    def _really_gone(self, ref: Ref, uid: str) -> bool:
        live = self._cluster.get(ref, metadata_only=True)
        return live is None or live["metadata"].get("uid") != uid

    def _why(self, seen: _Latest) -> list[str]:
        return [f"{Ref.of(seen.live)}: {seen.reason}", *_pods_say(self._cluster, seen.live)]


def skips_deletion(inputs: Properties) -> bool:
    """Whether the annotation spares waiting for the deletion, which it does for some kinds only."""
    return marks.true(inputs, marks.SKIP_AWAIT) and _kind(inputs) in _SKIP_ON_DELETE


class _Latest:
    """The newest state of an object since the server answered, and why it is not enough."""

    def __init__(self, live: Properties, pending: Pending) -> None:
        self.live = live
        self.reason: str | None = "its state is not known yet"
        self._pending = pending
        self._version = int(live["metadata"]["resourceVersion"])

    def settled(self, obj: Properties | None) -> bool:
        if obj is None or int(obj["metadata"]["resourceVersion"]) < self._version:
            return False
        self.live, self.reason = obj, self._pending(obj)
        return self.reason is None or readiness.failed(obj) is not None


class _Absent:
    def __init__(self, uid: str) -> None:
        self.seen = False
        self._uid = uid

    def check(self, obj: Properties | None) -> bool:
        there = obj is not None and obj["metadata"].get("uid") == self._uid
        self.seen = self.seen or there
        return not there


def _rule(cluster: Cluster, live: Properties, update: bool) -> Pending | None:
    if marks.true(live, marks.SKIP_AWAIT):
        return None
    if marks.value(live, marks.WAIT_FOR):
        return _asked
    kind = _kind(live)
    if kind in _WORKLOADS or kind in {("", "Pod"), ("", "Service")}:
        return readiness.pending
    if kind == ("", "PersistentVolumeClaim"):
        waits = not update and _binds_late(cluster, live)
        return lambda claim: _phase(claim, {"Bound", "Pending"} if waits else {"Bound"})
    if kind == ("", "Secret") and live.get("type") != "kubernetes.io/service-account-token":
        return None
    return _OTHERS.get(kind) or (_any_ready if os.environ.get("PULUMI_K8S_AWAIT_ALL") == "true" else None)


def _asked(obj: Properties) -> str | None:
    status, metadata = obj.get("status") or {}, obj["metadata"]
    if status.get("observedGeneration", metadata.get("generation", 0)) < metadata.get("generation", 0):
        return "its controller has not looked at the latest change"
    return readiness.pending(obj)


def _any_ready(obj: Properties) -> str | None:
    conditions = (obj.get("status") or {}).get("conditions") or []
    waiting = [found for found in conditions if found.get("type") == "Ready" and found.get("status") != "True"]
    return f"Ready is {waiting[0].get('status')}: {waiting[0].get('message', '')}" if waiting else None


def _phase(obj: Properties, wanted: set[str]) -> str | None:
    phase = (obj.get("status") or {}).get("phase", "not set")
    return None if phase in wanted else f"its phase is {phase}"


def _quota(obj: Properties) -> str | None:
    wanted = (obj.get("spec") or {}).get("hard") or {}
    return None if prune((obj.get("status") or {}).get("hard"), wanted) == wanted else "the quota is not in force yet"


def _token(obj: Properties) -> str | None:
    return None if obj.get("data") else "the token has not been issued"


def _address(obj: Properties) -> str | None:
    balancer = (obj.get("status") or {}).get("loadBalancer") or {}
    return None if balancer.get("ingress") else "no ingress controller has given it an address"


_OTHERS: dict[tuple[str, str], Pending] = {
    ("", "PersistentVolume"): lambda volume: _phase(volume, {"Available", "Bound"}),
    ("", "ResourceQuota"): _quota,
    ("", "Secret"): _token,
    ("networking.k8s.io", "Ingress"): _address,
}


def _binds_late(cluster: Cluster, claim: Properties) -> bool:
    name = (claim.get("spec") or {}).get("storageClassName")
    found = cluster.get(Ref("storage.k8s.io/v1", "StorageClass", None, name)) if name else None
    return found is not None and found.get("volumeBindingMode") == "WaitForFirstConsumer"


def _needs_endpoints(live: Properties) -> bool:
    spec = live.get("spec") or {}
    if _kind(live) != ("", "Service") or marks.true(live, marks.SKIP_AWAIT):
        return False
    if marks.value(live, marks.WAIT_FOR):
        return False
    return bool(spec.get("selector")) and spec.get("clusterIP") != "None" and spec.get("type") != "ExternalName"


def _served(endpoints: Properties | None) -> bool:
    return endpoints is not None and not any(
        subset.get("notReadyAddresses") for subset in endpoints.get("subsets") or []
    )


def _pods_say(cluster: Cluster, live: Properties) -> list[str]:
    """What keeps a workload's pods from running, as the scheduler and the kubelet put it."""
    labels = ((live.get("spec") or {}).get("selector") or {}).get("matchLabels")
    if _kind(live) not in _WORKLOADS or not labels:
        return []
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    try:
        pods = cluster.list("v1", "Pod", live["metadata"].get("namespace"), selector)
    except KubeError:
        return []
    return [f"{Ref.of(pod)}: {reason}" for pod in pods[:10] for reason in _complaints(pod)][:5]


def _complaints(pod: Properties) -> list[str]:
    status = pod.get("status") or {}
    statuses = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    waiting = [(found["name"], (found.get("state") or {}).get("waiting")) for found in statuses]
    stuck = [f"container {name}: {why.get('reason')}: {why.get('message', '')}" for name, why in waiting if why]
    conditions = [found for found in status.get("conditions") or [] if found.get("status") == "False"]
    return stuck or [f"{found['type']} is False: {found['message']}" for found in conditions if found.get("message")]


def _holders(live: Properties) -> list[str]:
    finalizers = [*(live["metadata"].get("finalizers") or []), *((live.get("spec") or {}).get("finalizers") or [])]
    conditions = (live.get("status") or {}).get("conditions") or []
    remaining = [
        str(found.get("message")) for found in conditions if found.get("status") == "True" and "Content" in str(found)
    ]
    held = [f"finalizers might be preventing deletion ({', '.join(finalizers)})"] if finalizers else []
    return held + remaining


def _kind(obj: Any) -> tuple[str, str]:
    return group_of(str(obj.get("apiVersion", ""))), str(obj.get("kind", ""))


def _name(obj: Properties) -> str:
    return str(obj["metadata"]["name"])


def _key(ref: Ref) -> tuple[str | None, str]:
    return ref.namespace, ref.name
