"""Which kinds an API server serves, and under which path. Read once per cluster, again when a kind is not found."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from kube.errors import KubeError, NoSuchKind
from kube.refs import Ref
from kube.transport import Transport

_AGGREGATED = ",".join(
    [
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
        "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList",
        "application/json",
    ]
)
_PATIENCE = 0.5


@dataclass(frozen=True)
class Resource:
    """One served kind."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool
    verbs: frozenset[str]

    def path(self, namespace: str | None, name: str | None = None) -> str:
        """The URL path of a collection or of one object in it."""
        root = f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        scope = f"/namespaces/{quote(namespace, safe='')}" if namespace and self.namespaced else ""
        return f"{root}{scope}/{self.plural}" + (f"/{quote(name, safe='')}" if name else "")


class Discovery:
    """The kinds of one server, by group and kind; a group's preferred version comes first."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._lock = threading.Lock()
        self._found: dict[tuple[str, str], list[Resource]] = {}
        self._read_at = 0.0

    def find(self, ref: Ref) -> Resource:
        """The resource for a Ref; NoSuchKind when the server does not have it after a second look."""
        found = self._lookup(ref)
        if found is None:
            self._refresh()
            found = self._lookup(ref)
        if found is None:
            raise NoSuchKind(
                f"{ref}: the API server does not serve {ref.api_version} {ref.kind}; is its CRD installed?"
            )
        return found

    def all(self) -> list[Resource]:
        """Every kind, in its preferred version, as the server has it now."""
        self.forget()
        self._refresh()
        return [resources[0] for resources in self._found.values()]

    def forget(self) -> None:
        """Read again at the next question."""
        self._read_at = 0.0

    def _lookup(self, ref: Ref) -> Resource | None:
        for resource in self._found.get((ref.group, ref.kind), ()):
            if ref.version is None or resource.api_version == ref.api_version:
                return resource
        return None

    def _refresh(self) -> None:
        with self._lock:
            if time.monotonic() - self._read_at < _PATIENCE:
                return
            found: dict[tuple[str, str], list[Resource]] = {}
            for group, resource in _read(self._transport):
                found.setdefault((group, resource.kind), []).append(resource)
            self._found = found
            self._read_at = time.monotonic()


def _read(transport: Transport) -> list[tuple[str, Resource]]:
    found: list[tuple[str, Resource]] = []
    for root in ("/api", "/apis"):
        body = transport.send("GET", root, subject="discovery", accept=_AGGREGATED).body
        found.extend(_aggregated(body) if body.get("kind") == "APIGroupDiscoveryList" else _classic(transport, body))
    return found


def _aggregated(body: dict[str, Any]) -> list[tuple[str, Resource]]:
    found = []
    for group in body.get("items") or []:
        name = (group.get("metadata") or {}).get("name", "")
        for version in group.get("versions") or []:
            api_version = f"{name}/{version['version']}" if name else version["version"]
            for each in version.get("resources") or []:
                if not (each.get("responseKind") or {}).get("kind"):
                    continue
                kind, scope = each["responseKind"]["kind"], each.get("scope")
                verbs = frozenset(each.get("verbs") or ())
                found.append((name, Resource(api_version, kind, each["resource"], scope == "Namespaced", verbs)))
    return found


def _classic(transport: Transport, body: dict[str, Any]) -> list[tuple[str, Resource]]:
    """Servers before 1.26: one request for each group and version, the preferred one first."""
    versions = [("", version) for version in body.get("versions") or []]
    for group in body.get("groups") or []:
        preferred = (group.get("preferredVersion") or {}).get("groupVersion")
        names = [version["groupVersion"] for version in group.get("versions") or []]
        versions += [(group["name"], name) for name in sorted(names, key=lambda name: name != preferred)]
    found = []
    for group, api_version in versions:
        path = f"/apis/{api_version}" if group else f"/api/{api_version}"
        try:
            served = transport.send("GET", path, subject=f"discovery of {api_version}").body
        except KubeError:
            continue  # an aggregated API that is down hides its own kinds only
        for each in served.get("resources") or []:
            if "/" not in each["name"]:
                verbs = frozenset(each.get("verbs") or ())
                found.append((group, Resource(api_version, each["kind"], each["name"], each["namespaced"], verbs)))
    return found
