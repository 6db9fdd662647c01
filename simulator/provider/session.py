"""What the provider does to the cluster for one resource: check, compare, create, update, read, delete."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from kube.cluster import Cluster
from kube.errors import KubeError, NoSuchKind, Unreachable
from kube.refs import Ref
from simulator.provider import inputs as forms
from simulator.provider import kinds
from simulator.provider.awaiting import Awaiting
from simulator.provider.options import Options
from simulator.provider.watches import Watches
from simulator.provider.wire import Properties

Tell = Callable[[str, str], None]
"""Severity (`status`, `info`, `warning`) and text, for the resource's line on the screen."""


@dataclass(frozen=True)
class Resource:
    """One resource of the program, and how to speak to its line on the screen."""

    urn: str
    token: kinds.Token
    tell: Tell

    @property
    def name(self) -> str:
        """The name that the program gave it."""
        return self.urn.rpartition("::")[2]


class Session:
    """One configured cluster, and what is known of it while the engine runs."""

    def __init__(self, options: Options, cluster: Cluster) -> None:
        self.options = options
        self.cluster = cluster
        self.stop = threading.Event()
        self.watches = Watches(cluster, self.stop)
        self.awaiting = Awaiting(cluster, self.watches, self.stop)
        self._scopes: dict[tuple[str, str], bool] = {}

    def cancel(self) -> None:
        """Give up every wait."""
        self.stop.set()
        self.watches.wake()

    def learn(self, definition: Properties) -> None:
        """Remember the scope of a kind that the program itself is going to define."""
        spec = definition.get("spec")
        names = spec.get("names") if isinstance(spec, dict) else None
        if isinstance(spec, dict) and isinstance(names, dict):
            key = (str(spec.get("group")), str(names.get("kind")))
            self._scopes[key] = spec.get("scope") == "Namespaced"

    def namespaced(self, obj: Properties) -> bool:
        """Whether the object lies in a namespace; an unknown kind is taken to, and set right when it is created."""
        api_version, kind = str(obj.get("apiVersion", "")), str(obj.get("kind", ""))
        known = kinds.namespaced(api_version, kind)
        if known is None:
            known = self._scopes.get((api_version.rpartition("/")[0], kind))
        if known is None:
            try:
                known = self.cluster.resource(api_version, kind).namespaced
            except NoSuchKind:
                known = True
        return known

    def placed(self, obj: Properties) -> Properties:
        """The object where it is to lie: in a namespace, the default one if it names none, or in none."""
        if not self.namespaced(obj):
            return forms.with_namespace(obj, None)
        return obj if forms.namespace_of(obj) else forms.with_namespace(obj, self.options.namespace)

    def served(self, obj: Properties) -> bool:
        """Whether the server knows the kind."""
        try:
            self.cluster.resource(str(obj.get("apiVersion", "")), str(obj.get("kind", "")))
        except NoSuchKind:
            return False
        return True

    def live(self, obj: Properties) -> Properties | None:
        """The object as it is in the cluster."""
        return self.cluster.get(Ref.of(obj))


def identity(obj: Properties) -> str:
    """The resource's id: `namespace/name`, or the name alone."""
    metadata = obj["metadata"]
    namespace = metadata.get("namespace")
    return f"{namespace}/{metadata['name']}" if namespace else str(metadata["name"])


def split(resource_id: str) -> tuple[str | None, str]:
    """Namespace and name out of an id."""
    namespace, _, name = resource_id.rpartition("/")
    return namespace or None, name


def unreachable(error: KubeError) -> bool:
    """Whether the cluster, not the request, is the trouble."""
    return isinstance(error, Unreachable)
