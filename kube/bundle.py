"""A set of objects that is applied, compared and deleted as one, and leaves nothing half done."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from kube import digest, instances, order
from kube.cluster import Cluster
from kube.errors import Conflict, Invalid, KubeError
from kube.ownership import MANAGER, check_ours, editors, held, holder_of, is_held
from kube.pool import each
from kube.readiness import SKIP_AWAIT, WAIT_FOR, awaited, pending
from kube.refs import Ref
from kube.waiting import patiently, pauses

Bodies = Mapping[str, Mapping[str, Any]]
Result = TypeVar("Result")

PATIENCE = 60.0
_MADE_ANEW = {"RoleBinding", "ClusterRoleBinding", "ConfigMap", "Job", "StorageClass", "PriorityClass"}
_IMMUTABLE = ("immutable", "cannot change roleRef", "updates to parameters are forbidden", "may not be changed")


class Bundle:
    """Objects by key (`kube.refs`), of one stack, held under one id, on one cluster."""

    def __init__(
        self, cluster: Cluster, *, stack: str, holder: str, timeout: float = 300, patience: float = PATIENCE
    ) -> None:
        self._cluster = cluster
        self._stack = stack
        self._holder = holder
        self._timeout = timeout
        self._patience = patience

    def put(
        self, bodies: Bodies, *, force: Collection[str] = (), gone: Collection[str] = (), before: Bodies | None = None
    ) -> dict[str, str]:
        """Apply `bodies` wave by wave, wait until they are ready, delete `gone`; digests of what is now ours.

        `force` holds the keys whose fields are taken back from other managers. When anything fails, what this call
        created is removed and what it changed is put back from `before`; then the error is raised.
        """
        self._refuse_losses(gone)
        new = self._absent(bodies)
        applied: list[str] = []
        try:
            live = self._apply(bodies, force, applied)
            self._delete(gone)
        except BaseException as error:
            self._undo(error, [key for key in applied if key in new], applied, before or {})
            raise
        return {key: digest.owned(obj, MANAGER) for key, obj in live.items()}

    def drift(self, digests: Mapping[str, str]) -> dict[str, str]:
        """What differs from the digests that `put` returned (or their beginnings), and how."""

        def compare(key: str) -> str | None:
            live = self._try(lambda: self._as_applied(Ref.parse(key)))
            if live is None:
                return "missing"
            if not is_held(live, self._holder):
                return f"held by {holder_of(live) or 'nobody'}"
            if digest.owned(live, MANAGER).startswith(digests[key]):
                return None
            return "edited" + (f" by {', '.join(who)}" if (who := editors(live)) else "")

        return {key: how for key, how in zip(digests, each(compare, digests), strict=True) if how}

    def delete(self, keys: Collection[str]) -> None:
        """Delete what of `keys` this set holds, and return when it is gone; refused when a CRD has instances."""
        self._refuse_losses(keys)
        self._delete(keys)

    def _try(self, call: Callable[[], Result]) -> Result:
        return patiently(call, self._patience)

    def _absent(self, bodies: Bodies) -> set[str]:
        def look(key: str) -> bool:
            ref = Ref.of(bodies[key])
            live = self._try(lambda: self._cluster.get(ref, metadata_only=True))
            if live is None:
                return True
            check_ours(ref, live, self._stack)
            return "deletionTimestamp" in live["metadata"] and self._await_end(ref, live["metadata"]["uid"])

        return {key for key, absent in zip(bodies, each(look, bodies), strict=True) if absent}

    def _await_end(self, ref: Ref, uid: str) -> bool:
        """An object of an earlier, interrupted deletion: applied to, it would still go."""
        deadline = time.monotonic() + self._timeout
        for pause in pauses():
            live = self._try(lambda: self._cluster.get(ref, metadata_only=True))
            if live is None or live["metadata"]["uid"] != uid:
                return live is None
            if time.monotonic() > deadline:
                held_by = ", ".join(live["metadata"].get("finalizers") or ["nobody"])
                raise KubeError(f"{ref}: still being deleted after {self._timeout:.0f} s, held by {held_by}")
            time.sleep(pause)
        return True

    def _apply(self, bodies: Bodies, force: Collection[str], applied: list[str]) -> dict[str, Mapping[str, Any]]:
        live: dict[str, Mapping[str, Any]] = {}
        for keys in _waves(bodies).values():

            def put(key: str) -> Mapping[str, Any]:
                applied.append(key)
                return self._try(lambda: self._apply_one(held(bodies[key], self._holder), key in force))

            answers = dict(zip(keys, each(put, keys), strict=True))
            unready = [Ref.of(obj) for obj in answers.values() if _may_wait(obj) and pending(obj)]
            self._cluster.wait_ready(unready, timeout=self._timeout)
            live |= answers
        return live

    def _apply_one(self, obj: Mapping[str, Any], force: bool) -> Mapping[str, Any]:
        try:
            return self._cluster.apply(obj, manager=MANAGER, force=force)
        except Invalid as error:
            if not any(words in str(error) for words in _IMMUTABLE):
                raise
            if obj["kind"] not in _MADE_ANEW:
                raise Invalid(f"{error}; delete it first, or give the new one another name") from None
        self._cluster.delete_and_wait([Ref.of(obj)], timeout=self._timeout)
        return self._cluster.apply(obj, manager=MANAGER)

    def _as_applied(self, ref: Ref) -> dict[str, Any] | None:
        """The live object in the version it was applied in: another version has other fields."""
        live = self._cluster.get(ref)
        for entry in (live or {}).get("metadata", {}).get("managedFields") or []:
            version = entry.get("apiVersion")
            if live and entry.get("manager") == MANAGER and version and version != live["apiVersion"]:
                return self._cluster.get(Ref(version, ref.kind, ref.namespace, ref.name)) or live
        return live

    def _refuse_losses(self, keys: Collection[str]) -> None:
        definitions = [Ref.parse(key) for key in keys if key.startswith("CustomResourceDefinition/")]
        going = frozenset(keys)
        each(lambda ref: self._try(lambda: instances.refuse(self._cluster, ref, going, self._is_ours)), definitions)

    def _is_ours(self, live: Mapping[str, Any]) -> bool:
        return is_held(live, self._holder)

    def _delete(self, keys: Collection[str]) -> None:
        refs = {key: Ref.parse(key) for key in keys}

        def mine(key: str) -> bool:
            live = self._try(lambda: self._cluster.get(refs[key], metadata_only=True))
            return live is not None and is_held(live, self._holder)

        waves: dict[int, list[Ref]] = {}
        for key, answer in zip(refs, each(mine, refs), strict=True):
            if answer:
                waves.setdefault(order.wave(refs[key]), []).append(refs[key])
        for _, batch in sorted(waves.items(), reverse=True):
            self._try(partial(self._cluster.delete_and_wait, batch, timeout=self._timeout))

    def _undo(self, error: BaseException, created: list[str], applied: list[str], before: Bodies) -> None:
        def restore(key: str) -> None:
            with suppress(Conflict):  # refused just now for the same reason, so nothing was changed
                self._try(lambda: self._apply_one(held(before[key], self._holder), force=False))

        try:
            each(restore, [key for key in applied if key in before and key not in created])
            self.delete(created)
        except KubeError as second:
            raise KubeError(f"{error}; and undoing it failed, so objects may be left over: {second}") from None


def _waves(bodies: Bodies) -> dict[int, list[str]]:
    waves: dict[int, list[str]] = {}
    for key in sorted(bodies, key=lambda key: order.wave(Ref.of(bodies[key]))):
        waves.setdefault(order.wave(Ref.of(bodies[key])), []).append(key)
    return waves


def _may_wait(obj: Mapping[str, Any]) -> bool:
    annotations = obj["metadata"].get("annotations") or {}
    return WAIT_FOR in annotations or SKIP_AWAIT in annotations or awaited(obj["apiVersion"], obj["kind"])
