"""A cluster to apply to, read from, wait for and delete from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kube import waiting
from kube.discovery import Discovery, Resource
from kube.errors import Invalid, KubeError, NoSuchKind, NotFound, from_response
from kube.refs import Ref
from kube.transport import JSON, METADATA, METADATA_LIST, Reply, Transport

Object = dict[str, Any]
Objects = list[Object]

_APPLY = "application/apply-patch+yaml"
_PATCHES = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
}
_PAGE = 500
# Kinds whose dependants the garbage collector has to remove first; for all others the object goes at once.
_OWNERS = {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job", "CronJob"}


class Cluster:
    """Requests to one API server. Safe to use from several threads."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._discovery = Discovery(transport)
        self._identity: str | None = None

    @classmethod
    def connect(cls, kubeconfig: str, context: str | None = None) -> Cluster:
        """From a kubeconfig: a path, or the YAML itself. No request is made before the first use."""
        return cls(Transport(kubeconfig, context or None))

    @property
    def server(self) -> str:
        """The URL of the API server."""
        return self._transport.server

    def version(self) -> str:
        """What the server says it is, e.g. v1.36.3."""
        return str(self.raw("GET", "/version", subject="the version of the API server").body["gitVersion"])

    def identity(self) -> str:
        """The uid of kube-system: two clusters never share it, whatever their addresses and names."""
        if self._identity is None:
            live = self.get(Ref("v1", "Namespace", None, "kube-system"), metadata_only=True)
            if live is None:
                raise NotFound(f"{self.server}: there is no namespace kube-system, so the cluster cannot be told apart")
            self._identity = str(live["metadata"]["uid"])
        return self._identity

    def raw(self, method: str, path: str, *, subject: str, **options: Any) -> Reply:
        """Any request by path; for what the other methods do not cover."""
        return self._transport.send(method, path, subject=subject, **options)

    def apply(
        self,
        obj: Mapping[str, Any],
        *,
        manager: str,
        force: bool = False,
        dry_run: bool = False,
        metadata_only: bool = False,
    ) -> Object:
        """Server-side apply. With `metadata_only` the answer is cut down to its metadata, which is quicker."""
        ref = Ref.of(obj)
        query = {"fieldManager": manager, "force": str(force).lower(), **_dry(dry_run)}
        return self._on_kind(
            "PATCH", ref, query=query, body=obj, content_type=_APPLY, accept=METADATA if metadata_only else JSON
        )

    def create(self, obj: Mapping[str, Any], *, manager: str, dry_run: bool = False) -> Object:
        """POST: AlreadyExists when there is an object of that name."""
        query = {"fieldManager": manager, **_dry(dry_run)}
        return self._on_kind("POST", Ref.of(obj), collection=True, query=query, body=obj)

    def get(self, ref: Ref, *, metadata_only: bool = False) -> Object | None:
        """The live object; None when it, or its whole kind, does not exist."""
        try:
            return self._on_kind("GET", ref, accept=METADATA if metadata_only else JSON)
        except (NotFound, NoSuchKind):
            return None

    def list(
        self,
        api_version: str,
        kind: str,
        namespace: str | None = None,
        label_selector: str | None = None,
        *,
        metadata_only: bool = False,
    ) -> Objects:
        """All objects of a kind, in one namespace or in all; empty when the kind is not served."""
        try:
            return self.snapshot(api_version, kind, namespace, label_selector, metadata_only=metadata_only)[0]
        except NoSuchKind:
            return []

    def snapshot(
        self,
        api_version: str,
        kind: str,
        namespace: str | None = None,
        label_selector: str | None = None,
        *,
        metadata_only: bool = False,
    ) -> tuple[Objects, str]:
        """As `list`, with the resourceVersion to `watch` from; NoSuchKind when the kind is not served."""
        resource = self.resource(api_version, kind)
        query = {"limit": str(_PAGE), **({"labelSelector": label_selector} if label_selector else {})}
        items: Objects = []
        while True:
            page = self.raw(
                "GET",
                resource.path(namespace),
                subject=f"list of {kind}",
                query=query,
                accept=METADATA_LIST if metadata_only else JSON,
            ).body
            for item in page.get("items") or []:
                items.append({**item, "apiVersion": resource.api_version, "kind": kind})
            metadata = page.get("metadata") or {}
            if not metadata.get("continue"):
                return items, str(metadata.get("resourceVersion", ""))
            query["continue"] = metadata["continue"]

    def watch(
        self,
        api_version: str,
        kind: str,
        since: str,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        timeout: float = 300,
    ) -> Iterator[tuple[str, Object]]:
        """(ADDED|MODIFIED|DELETED|BOOKMARK, object) after resourceVersion `since`; Expired when that is too old."""
        resource = self.resource(api_version, kind)
        query = {"watch": "true", "allowWatchBookmarks": "true", "resourceVersion": since}
        query |= {"timeoutSeconds": str(int(timeout)), **({"labelSelector": label_selector} if label_selector else {})}
        subject = f"watch of {kind}"
        for event in self._transport.stream(
            resource.path(namespace), subject=subject, query=query, timeout=timeout + 30
        ):
            if event["type"] == "ERROR":
                raise _watch_error(event["object"], subject)
            yield event["type"], event["object"]

    def patch(
        self,
        ref: Ref,
        body: Any,
        *,
        how: str = "merge",
        manager: str = "aiga",
        subresource: str | None = None,
        dry_run: bool = False,
    ) -> Object:
        """A merge, json or strategic patch."""
        return self._on_kind(
            "PATCH",
            ref,
            subresource=subresource,
            query={"fieldManager": manager, **_dry(dry_run)},
            body=body,
            content_type=_PATCHES[how],
        )

    def patch_status(self, ref: Ref, status: Mapping[str, Any], *, manager: str = "aiga") -> Object:
        """Merge into the object's status."""
        return self.patch(ref, {"status": status}, manager=manager, subresource="status")

    def replace(self, obj: Mapping[str, Any], *, manager: str = "aiga") -> Object:
        """PUT: the whole object, Conflict when its resourceVersion is no longer the live one."""
        return self._on_kind("PUT", Ref.of(obj), query={"fieldManager": manager}, body=obj)

    def delete(self, ref: Ref, *, propagation: str | None = None) -> bool:
        """Ask for deletion; False when it was not there. With None, Foreground where there are dependants."""
        return self.delete_asked(ref, propagation=propagation) is not None

    def delete_asked(self, ref: Ref, *, propagation: str | None) -> str | None:
        """The uid of an object that now waits to go, "" when it went at once, None when it was not there."""
        policy = propagation or ("Foreground" if ref.kind in _OWNERS else "Background")
        try:
            answer = self._on_kind("DELETE", ref, body={"propagationPolicy": policy}, accept=JSON)
        except (NotFound, NoSuchKind):
            return None
        if answer.get("kind") == "Status":
            return ""
        metadata = answer.get("metadata") or {}
        return str(metadata["uid"]) if metadata.get("deletionTimestamp") else ""

    def delete_and_wait(self, refs: Sequence[Ref], *, timeout: float, propagation: str | None = None) -> None:
        """Delete together and return when all are gone; TimedOut names what stays and its finalizers."""
        waiting.deleted(self, refs, timeout, propagation)

    def wait_ready(self, refs: Sequence[Ref], *, timeout: float) -> None:
        """Return when all are ready (kube.readiness); TimedOut names what is not, and why."""
        waiting.ready(self, refs, timeout)

    def kinds(self) -> Sequence[tuple[str, str, bool]]:
        """Every kind that can be listed: (apiVersion as preferred, kind, namespaced)."""
        return [
            (found.api_version, found.kind, found.namespaced)
            for found in self._discovery.all()
            if "list" in found.verbs
        ]

    def resource(self, api_version: str, kind: str) -> Resource:
        """How the server serves a kind; NoSuchKind when it does not."""
        return self._discovery.find(Ref(api_version, kind, None, kind.lower()))

    def _on_kind(
        self, method: str, ref: Ref, *, collection: bool = False, subresource: str | None = None, **options: Any
    ) -> Object:
        resource = self._discovery.find(ref)
        if resource.namespaced and not ref.namespace:
            raise Invalid(f"{ref}: a {ref.kind} lies in a namespace; set metadata.namespace")
        path = resource.path(ref.namespace, None if collection else ref.name) + (
            f"/{subresource}" if subresource else ""
        )
        try:
            body: Object = self.raw(method, path, subject=str(ref), **options).body
        except NoSuchKind:
            self._discovery.forget()
            raise
        return body


def _dry(dry_run: bool) -> dict[str, str]:
    return {"dryRun": "All"} if dry_run else {}


def _watch_error(status: Mapping[str, Any], subject: str) -> KubeError:
    return from_response(int(status.get("code", 500)), json.dumps(status).encode(), subject)
