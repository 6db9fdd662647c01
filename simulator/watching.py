"""Follows collections of objects on the API server, each in a thread, over its restarts."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import urllib3

from kube.errors import Invalid, KubeError, NotFound, Unreachable, from_response
from kube.transport import JSON, METADATA, METADATA_LIST, Transport

Body = dict[str, Any]
Key = tuple[str, str]

MANAGER = "aiga-simulator"
_WATCH_SECONDS = 300
_AGAIN_AFTER = 0.1
_AGAIN_AT_MOST = 2.0
_RETRY_AFTER = 0.5
log = logging.getLogger("simulator")


class Api(Transport):
    """The connection of the simulator to its own API server."""

    def ready(self) -> bool:
        """Whether the server says that it has finished starting."""
        try:
            return self._request("GET", "/readyz", "readyz", None, None, JSON, JSON, 5.0).status == 200
        except KubeError:
            return False

    def events(self, path: str, since: str, accept: str) -> Iterator[Body]:
        """The events of one watch until the server ends it."""
        query = {"watch": "true", "resourceVersion": since, "timeoutSeconds": str(_WATCH_SECONDS)}
        query["allowWatchBookmarks"] = "true"
        reply = self._request("GET", path, path, query, None, JSON, accept, _WATCH_SECONDS + 30.0, preload=False)
        try:
            if reply.status >= 400:
                raise from_response(reply.status, reply.read(), path)
            for line in reply:
                yield json.loads(line)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:  # the last line may be cut off
            raise Unreachable(f"{path}: {error}") from None
        finally:
            reply.close()

    def patch(self, path: str, body: Body, *, how: str = "merge", force: bool = False) -> None:
        """Change an object as the simulator's own field manager."""
        query = {"fieldManager": MANAGER} | ({"force": "true"} if force else {})
        content = "application/apply-patch+yaml" if how == "apply" else "application/merge-patch+json"
        self.send("PATCH", path, subject=path, query=query, body=body, content_type=content, accept=METADATA)


def key_of(obj: Body) -> Key:
    """Namespace (empty for none) and name."""
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


class Watch:
    """A live copy of one collection.

    `changed` runs for every object and every change to it, and a little later again when it failed or returned False.
    """

    def __init__(
        self,
        api: Api,
        path: str | Callable[[], str],
        changed: Callable[[Body], bool | None] = lambda _: None,
        gone: Callable[[Body], None] = lambda _: None,
        *,
        metadata_only: bool = False,
        wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        self.objects: dict[Key, Body] = {}
        self.synced = threading.Event()
        self._api = api
        self._locate = path if callable(path) else lambda: path
        self._changed = changed
        self._gone = gone
        self._accept = (METADATA_LIST, METADATA) if metadata_only else (JSON, JSON)
        self._wanted = wanted
        self._lock = threading.RLock()
        self._waiting: set[Key] = set()
        self._nudged = threading.Event()
        threading.Thread(target=self._run, name="watch", daemon=True).start()

    def nudge(self) -> None:
        """Try now, if it is waiting for the server or for its kind to be served."""
        self._nudged.set()

    def _run(self) -> None:
        pause = _AGAIN_AFTER
        while self._wanted():
            self._nudged.clear()
            try:
                path = self._locate()
                since = self._list(path)
                pause = _AGAIN_AFTER
                self._follow(path, since)
            except KubeError as error:
                log.debug("%s", error)
                pause = _AGAIN_AFTER if self._nudged.wait(pause) else min(2 * pause, _AGAIN_AT_MOST)
        for obj in list(self.objects.values()):
            self._forget(obj)

    def _list(self, path: str) -> str:
        answer = self._api.send("GET", path, subject=path, accept=self._accept[0]).body
        kind = str(answer.get("kind", "")).removesuffix("List")
        found = {}
        for item in answer.get("items") or []:
            found[key_of(item)] = {"apiVersion": answer.get("apiVersion"), "kind": kind, **item}
        for key in set(self.objects) - set(found):
            self._forget(self.objects[key])
        for obj in found.values():
            self._see(obj)
        self.synced.set()
        return str(answer["metadata"]["resourceVersion"])

    def _follow(self, path: str, since: str) -> None:
        for event in self._api.events(path, since, self._accept[1]):
            if event["type"] in ("ADDED", "MODIFIED"):
                self._see(event["object"])
            elif event["type"] == "DELETED":
                self._forget(event["object"])
            elif event["type"] == "ERROR":
                return

    def _see(self, obj: Body) -> None:
        with self._lock:
            self.objects[key_of(obj)] = obj
            self._call(obj)

    def _forget(self, obj: Body) -> None:
        with self._lock:
            self.objects.pop(key_of(obj), None)
            self._gone(obj)

    def _call(self, obj: Body) -> None:
        try:
            if self._changed(obj) is not False:
                return
        except NotFound:
            return
        except Invalid as error:
            log.warning("%s", error)
            return
        except KubeError as error:
            log.info("%s; again in %.1f s", error, _RETRY_AFTER)
        except Exception:  # an object nobody thought of must not end the watch of all others
            log.exception("%s", key_of(obj))
            return
        self._later(key_of(obj))

    def _later(self, key: Key) -> None:
        if key not in self._waiting:
            self._waiting.add(key)
            timer = threading.Timer(_RETRY_AFTER, self._again, (key,))
            timer.daemon = True
            timer.start()

    def _again(self, key: Key) -> None:
        with self._lock:
            self._waiting.discard(key)
            if key in self.objects:
                self._call(self.objects[key])
