"""One watch for each kind, shared by all that wait for objects of it: a request a kind, not one a second and object."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from kube.cluster import Cluster
from kube.errors import Expired, KubeError, NoSuchKind
from simulator.provider.wire import Properties

Key = tuple[str | None, str]
Check = Callable[[Properties | None], bool]

_RETRY = 0.5


class Watches:
    """Live objects by kind, as fresh as the API server tells."""

    def __init__(self, cluster: Cluster, stop: threading.Event) -> None:
        self._cluster = cluster
        self._stop = stop
        self._lock = threading.Lock()
        self._kinds: dict[tuple[str, str], _Watch] = {}

    def wait(self, api_version: str, kind: str, key: Key, check: Check, seconds: float) -> bool:
        """Until `check` agrees to the object (None when it is gone); False when time is up or the engine gives up."""
        return self._of(api_version, kind).wait(key, check, seconds)

    def wake(self) -> None:
        """Let everybody look whether it is time to stop."""
        with self._lock:
            watches = list(self._kinds.values())
        for watch in watches:
            watch.wake()

    def _of(self, api_version: str, kind: str) -> _Watch:
        with self._lock:
            found = self._kinds.get((api_version, kind))
            if found is None:
                found = self._kinds[api_version, kind] = _Watch(self._cluster, api_version, kind, self._stop)
            return found


class _Watch:
    def __init__(self, cluster: Cluster, api_version: str, kind: str, stop: threading.Event) -> None:
        self._cluster = cluster
        self._api_version = api_version
        self._kind = kind
        self._stop = stop
        self._changed = threading.Condition()
        self._objects: dict[Key, Properties] = {}
        self._listed = False
        threading.Thread(target=self._run, name=f"watch {kind}", daemon=True).start()

    def wait(self, key: Key, check: Check, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        with self._changed:
            while not (self._listed and check(self._objects.get(key))):
                left = deadline - time.monotonic()
                if left <= 0 or self._stop.is_set():
                    return False
                self._changed.wait(left)
        return True

    def wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._follow(self._list())
            except NoSuchKind:
                self._keep({})  # the kind went, and its objects with it
                self._stop.wait(_RETRY)
            except Expired:
                continue
            except KubeError:
                self._stop.wait(_RETRY)

    def _list(self) -> str:
        objects, version = self._cluster.snapshot(self._api_version, self._kind)
        self._keep({_key(obj): obj for obj in objects})
        return version

    def _keep(self, objects: dict[Key, Properties]) -> None:
        with self._changed:
            self._objects = objects
            self._listed = True
            self._changed.notify_all()

    def _follow(self, version: str) -> None:
        for event, obj in self._cluster.watch(self._api_version, self._kind, version):
            if self._stop.is_set():
                return
            if event == "BOOKMARK":
                continue
            with self._changed:
                if event == "DELETED":
                    self._objects.pop(_key(obj), None)
                else:
                    self._objects[_key(obj)] = obj
                self._changed.notify_all()


def _key(obj: dict[str, Any]) -> Key:
    metadata = obj["metadata"]
    return metadata.get("namespace") or None, metadata["name"]
