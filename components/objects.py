"""Many Kubernetes objects as one resource: for what is bulky (CRDs, dashboards, rules) or numerous (ML projects).

The engine rewrites its whole state at every step, so what lies there is kept small: a digest for each object, which
is enough for a preview to list object by object what changes. The bodies lie beside the project, under their digest.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pulumi
from pulumi.dynamic import (
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

from components.target import one_line
from kube import digest
from kube.bundle import PATIENCE, Bundle
from kube.cluster import Cluster
from kube.errors import Invalid
from kube.ownership import prepared, valid_stack
from kube.refs import Ref
from kube.waiting import patiently

Props = dict[str, Any]

_MARK = " ("
# Characters kept of a digest: 128 bits name a body for good; 64 are enough to see that live fields changed.
_BODY, _LIVE = len("sha256:") + 32, 16


class Objects(Resource, module="aiga", name="Objects"):
    """Objects that are applied server-side, waited for, compared and deleted together.

    The cluster is that of the stack's configuration (`aiga:kubeconfig`, `aiga:context`), never the ambient one.
    """

    ready: pulumi.Output[bool]
    """True once every object is applied and ready: what needs them takes this."""

    def __init__(
        self,
        name: str,
        objects: Sequence[Mapping[str, Any]],
        opts: pulumi.ResourceOptions | None = None,
        *,
        timeout: int = 300,
        force: bool = False,
    ) -> None:
        """Args:
        objects: Plain manifests with explicit names. Secrets are refused: they would lie on disk in clear.
        timeout: Seconds in which they become ready, and in which they go.
        force: Take fields over from other managers. Off, a conflict is an error that names manager and field.
        """
        stack = pulumi.get_stack()
        if not valid_stack(stack):
            raise pulumi.RunError(
                f"stack {stack!r}: its name becomes a label, so it has at most 63 letters, digits, - _ ."
            )
        bodies = _bodies(name, objects, stack)
        self.count = len(bodies)
        inputs = {"objects": write_bodies(bodies), "stack": stack, "timeout": timeout, "force": force}
        super().__init__(ObjectsProvider(), name, {**inputs, "live": None, "cluster": None, "ready": None}, opts)


def write_bodies(bodies: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Keep each body in a file named by its digest; the digests by key."""
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True)
    digests = {key: digest.of(body)[:_BODY] for key, body in sorted(bodies.items())}
    for key, name in digests.items():
        path = _path(name)
        if not path.exists():
            draft = path.with_suffix(f".{os.getpid()}.{threading.get_ident()}")
            draft.write_bytes(digest.canonical(bodies[key]))
            draft.replace(path)
    return digests


def read_body(key: str, name: str) -> dict[str, Any]:
    """The body with this digest, checked against it."""
    path = _path(name)
    try:
        body: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise Invalid(f"{key}: its body {path} is not there; run the program again to write it") from None
    except ValueError:
        body = {}
    if digest.of(body)[:_BODY] != name:
        raise Invalid(f"{key}: its body {path} is damaged; delete that file and run the program again")
    return body


def _folder() -> Path:
    root = os.environ.get("AIGA_HOME") or Path(__file__).resolve().parents[1]
    return Path(root) / ".aiga" / "objects"


def _path(name: str) -> Path:
    return _folder() / name.removeprefix("sha256:")


def _bodies(name: str, objects: Sequence[Mapping[str, Any]], stack: str) -> dict[str, dict[str, Any]]:
    bodies: dict[str, dict[str, Any]] = {}
    mistakes = []
    for obj in objects:
        try:
            ref = Ref.of(obj)
            body = prepared(obj, stack)
            digest.canonical(body)
        except Invalid as error:
            mistakes.append(str(error))
            continue
        except TypeError:
            mistakes.append(f"{Ref.of(obj)}: holds a value that is not plain data (an Output?); its body is a file")
            continue
        if (ref.group, ref.kind) == ("", "Secret"):
            mistakes.append(f"{ref}: a Secret would lie on disk in clear; make it a resource of its own")
        elif ref.key in bodies:
            mistakes.append(f"{ref}: is there twice")
        else:
            bodies[ref.key] = body
    if mistakes:
        raise pulumi.RunError(f"Objects {name!r}: " + "; ".join(mistakes))
    return bodies


class ObjectsProvider(ResourceProvider):
    """What the plugin does for `Objects`. Pickled into every state by name, so without attributes before configure."""

    serialize_as_secret_always = False

    def configure(self, req: ConfigureRequest) -> None:
        """Remember which cluster the stack aims at; runs in the plugin only."""
        sys.tracebacklimit = 0
        self._kubeconfig = req.config.get("aiga:kubeconfig")
        self._context = req.config.get("aiga:context")
        self._patience = float(os.environ.get("AIGA_PATIENCE", PATIENCE))
        self._lock = threading.Lock()
        self._connected: Cluster | None = None

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        """From digests alone, with no cluster. Never a replacement: deleting the old would delete the new."""
        return DiffResult(changes=olds.get("objects") != news.get("objects"))

    @one_line
    def create(self, props: Props) -> CreateResult:
        """Apply all, or leave nothing."""
        holder = secrets.token_hex(6)
        bundle, identity = self._bundle(holder, props)
        bodies = {key: read_body(key, name) for key, name in props["objects"].items()}
        live = bundle.put(bodies, force=bodies if props.get("force") else ())
        return CreateResult(holder, _outputs(props, live, identity))

    @one_line
    def update(self, id_: str, olds: Props, news: Props) -> UpdateResult:
        """Apply what changed or was found edited, delete what left the map."""
        bundle, identity = self._bundle(id_, news, olds)
        old, new = olds["objects"], news["objects"]
        changed = {key: read_body(key, name) for key, name in new.items() if old.get(key) != name}
        edited = {key for key in changed if _MARK in old.get(key, "")}
        live = bundle.put(
            changed,
            force=changed if news.get("force") else edited,
            gone=[key for key in old if key not in new],
            before=_previous(old, changed),
        )
        return UpdateResult(_outputs(news, {**_live(olds), **live}, identity))

    @one_line
    def read(self, id_: str, props: Props) -> ReadResult:
        """Mark each object that is not as it was applied; the next `up` applies it again."""
        found = self._bundle(id_, props, props)[0].drift(_live(props))
        names = {key: name.partition(_MARK)[0] for key, name in props["objects"].items()}
        marked = {key: f"{name}{_MARK}{found[key]})" if key in found else name for key, name in names.items()}
        inputs = {key: props[key] for key in ("stack", "timeout", "force")} | {"objects": marked}
        return ReadResult(id_, {**props, "objects": marked}, inputs)

    @one_line
    def delete(self, id_: str, props: Props) -> None:
        """Return when all are gone."""
        self._bundle(id_, props, props)[0].delete(props["objects"])

    def _bundle(self, holder: str, props: Props, state: Props | None = None) -> tuple[Bundle, str]:
        cluster, identity = self._cluster()
        if state and state.get("cluster") != identity:
            raise Invalid(
                f"these objects are on the cluster with id {state.get('cluster')}, but {cluster.server} "
                f"(aiga:kubeconfig, aiga:context) has id {identity}: nothing was touched; point the stack back at the "
                "first, or, if that one is gone for good, drop the resource with `pulumi state delete`"
            )
        timeout = float(props["timeout"])
        return Bundle(cluster, stack=props["stack"], holder=holder, timeout=timeout, patience=self._patience), identity

    def _cluster(self) -> tuple[Cluster, str]:
        with self._lock:
            if not self._kubeconfig:
                raise Invalid("aiga:kubeconfig is not set; pulumi config set aiga:kubeconfig <path of a kubeconfig>")
            if self._connected is None:
                self._connected = Cluster.connect(self._kubeconfig, self._context)
        return self._connected, patiently(self._connected.identity, self._patience)


def _outputs(props: Props, live: Mapping[str, str], identity: str) -> Props:
    kept = {key: props[key] for key in ("objects", "stack", "timeout", "force")}
    digests = (live[key].removeprefix("sha256:")[:_LIVE] for key in sorted(kept["objects"]))
    return {**kept, "live": " ".join(digests), "cluster": identity, "ready": True}


def _live(props: Props) -> dict[str, str]:
    """The digests of live fields by key: the state holds them as one text, in the order of the keys."""
    return {key: f"sha256:{part}" for key, part in zip(sorted(props["objects"]), props["live"].split(), strict=True)}


def _previous(old: Mapping[str, str], changed: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The bodies that are replaced, as far as they are still at hand; to be put back when the update fails."""
    found = {}
    for key in changed:
        name = old.get(key, "")
        if name and _MARK not in name and _path(name).exists():
            found[key] = read_body(key, name)
    return found
