"""Creating and updating an object, and waiting until it is ready."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from kube.errors import AlreadyExists, Conflict, Invalid, KubeError, NoSuchKind, NotFound
from kube.refs import Ref
from simulator.provider import diff, marks, ownership
from simulator.provider import inputs as forms
from simulator.provider.awaiting import NotReadyError
from simulator.provider.errors import PartialError, ProviderError
from simulator.provider.session import Resource, Session, identity
from simulator.provider.wire import Properties, Unknown, holds

_TRIES = 6
_EXISTS = (
    "The resource already exists in the cluster: alias a renamed resource, use a Patch resource to manage some of its "
    "fields, `pulumi import` it, or set upsertExistingObjects on the provider to adopt existing objects."
)
_CONFLICT_HELP = (
    "https://www.pulumi.com/registry/packages/kubernetes/how-to-guides/managing-resources-with-server-side-apply/"
    "#handle-field-conflicts-on-existing-resources"
)
_NO_KIND = (
    "because the Kubernetes API server reported that the apiVersion for this resource does not exist. Verify that any "
    "required CRDs have been created"
)


@dataclass(frozen=True)
class Written:
    """What came of a create or an update: the id, empty in a preview, and what the state is to keep."""

    identity: str
    state: Properties


@dataclass(frozen=True)
class Request:
    """What the engine asks of a create or an update."""

    resource: Resource
    inputs: Properties
    preview: bool
    timeout: float = 0.0


def create(session: Session, request: Request) -> Written:
    """POST the object, or apply it where existing ones are to be adopted, and wait until it is ready."""
    obj = forms.manifest(request.inputs)
    patch = request.resource.token.patches(obj)
    if request.preview and (holds(obj, Unknown) or patch or not session.served(obj)):
        return Written("", request.inputs)
    target = _Target(session, request, session.placed(obj), _manager(obj, {}))
    urn = request.resource.urn
    try:
        live = _created(target, adopt=patch or session.options.upsert)
    except NoSuchKind as error:
        kind = f"{obj['apiVersion']}/{obj['kind']}"
        raise ProviderError(f"creation of resource {urn} with kind {kind} failed {_NO_KIND}: {error}") from None
    except KubeError as error:
        if request.preview and _unforeseeable(error):
            return Written("", request.inputs)
        why = f"{error}\n\n{_EXISTS}" if isinstance(error, AlreadyExists) else str(error)
        raise ProviderError(
            f"resource {urn} was not successfully created by the Kubernetes API server: {why}"
        ) from None
    if request.preview:
        return Written("", target.state({key: value for key, value in live.items() if key != "status"}))
    failure = (
        f"resource {urn} was successfully created, but the Kubernetes API server reported that it failed to fully "
        "initialize or become live"
    )
    return target.ready(live, failure, update=False)


def update(session: Session, request: Request, state: Properties, ignore: Sequence[str]) -> Written:
    """Apply the object under the resource's own field manager, and wait until it is ready."""
    obj = forms.manifest(request.inputs)
    if request.preview and (holds(obj, Unknown) or not session.served(obj)):
        return Written("", request.inputs)
    old_inputs, old = forms.restored(state)
    before = _manager(old_inputs, state)
    target = _Target(session, request, session.placed(obj), _manager(obj, state))
    failure = f'the Kubernetes API server reported that "{identity(old)}" failed to fully initialize or become live'
    try:
        live = _applied(target, ignore)
    except KubeError as error:
        raise _not_updated(target, identity(old), failure, error) from None
    if request.preview:
        return Written("", target.state(live))
    written = target.ready(live, failure, update=True)
    if before != target.manager:
        relinquish(session, target.obj, before)
    return written


def relinquish(session: Session, obj: Properties, manager: str) -> None:
    """Give up every field that `manager` owns."""
    metadata = {key: obj["metadata"][key] for key in ("name", "namespace") if obj["metadata"].get(key)}
    bare = {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": metadata}
    session.cluster.apply(bare, manager=manager)


@dataclass(frozen=True)
class _Target:
    """The object to be written, and under which field manager."""

    session: Session
    request: Request
    obj: Properties
    manager: str

    def state(self, live: Properties) -> Properties:
        """What the state keeps of the live object."""
        return forms.checkpoint(self.obj, live, self.request.inputs, self.obj["apiVersion"], self.manager)

    def ready(self, live: Properties, failure: str, *, update: bool) -> Written:
        """Wait; what is not ready in the end goes into the state all the same."""
        seconds = marks.timeout(self.obj, self.request.timeout)
        tell: Callable[[str], None] = functools.partial(self.request.resource.tell, "status")
        reasons: list[str] = []
        try:
            live = self.session.awaiting.ready(live, update=update, seconds=seconds, tell=tell)
        except NotReadyError as error:
            live, failure, reasons = error.live, f"{failure}: {error}", error.reasons
        except (KubeError, ValueError) as error:
            failure = f"{failure}: {error}"
        else:
            return Written(identity(live), self.state(live))
        raise PartialError(failure, identity=identity(live), state=self.state(live), reasons=[failure, *reasons])

    def forced(self, live: Properties | None) -> bool:
        """Whether to take fields over from other managers."""
        return ownership.force(self.obj, live, always=self.session.options.force, preview=self.request.preview)

    def apply(self, obj: Properties, *, force: bool) -> Properties:
        """Server-side apply, or its dry run."""
        try:
            return self.session.cluster.apply(obj, manager=self.manager, force=force, dry_run=self.request.preview)
        except Conflict as error:
            raise _explained(error, self.manager) from None


def _created(target: _Target, *, adopt: bool) -> Properties:
    """Tried again while namespace or kind are missing: something else may be about to make them."""
    session, request = target.session, target.request
    pause = 1.0
    for attempt in range(_TRIES):
        try:
            if adopt:
                return target.apply(target.obj, force=target.forced(None))
            return session.cluster.create(target.obj, manager=ownership.CREATOR, dry_run=request.preview)
        except (NotFound, NoSuchKind) as error:
            if (request.preview and isinstance(error, NotFound)) or attempt + 1 == _TRIES:
                raise
            request.resource.tell("status", f"Retry #{attempt}; creation failed: {error}")
            if session.stop.wait(pause):
                raise
        pause *= 2
        target = replace(target, obj=session.placed(target.obj))
    raise AssertionError("unreachable")


def _unforeseeable(error: KubeError) -> bool:
    """What a dry run fails on although the update may well succeed: objects about to be replaced, no permission."""
    return isinstance(error, AlreadyExists | NotFound) or (isinstance(error, Invalid) and ": forbidden: " in str(error))


def _applied(target: _Target, ignore: Sequence[str]) -> Properties:
    session, request, obj = target.session, target.request, target.obj
    live = session.live(obj)
    if live is None:
        raise NotFound(f"{Ref.of(obj)}: not found; somebody deleted it: run pulumi refresh")
    if forms.is_crd(obj):
        return _replaced(target, live)
    handover = None
    if not request.preview and not request.resource.token.patches(obj):
        handover = ownership.claim(live, target.manager)
    if handover:
        live = session.cluster.patch(Ref.of(obj), handover, how="json", manager=target.manager)
    sent = ownership.without_ignored(obj, live, target.manager, [diff.parsed(path) for path in ignore])
    return target.apply(sent, force=target.forced(live))


def _replaced(target: _Target, live: Properties) -> Properties:
    """A CRD is put in place whole, so that versions and fields that the new one lacks go away."""
    obj, cluster = target.obj, target.session.cluster
    body = {**obj, "metadata": {**obj["metadata"], "resourceVersion": live["metadata"]["resourceVersion"]}}
    ref = Ref.of(obj)
    query = {"fieldManager": target.manager} | ({"dryRun": "All"} if target.request.preview else {})
    path = cluster.resource(ref.api_version, ref.kind).path(None, ref.name)
    answer: Properties = cluster.raw("PUT", path, subject=str(ref), query=query, body=body).body
    return answer


def _not_updated(target: _Target, name: str, failure: str, error: KubeError) -> ProviderError:
    """The state takes the live object and the new inputs, so that the next update tries again."""
    urn = target.request.resource.urn
    if isinstance(error, NoSuchKind):
        return ProviderError(f"update of resource {urn} failed {_NO_KIND}: {error}")
    try:
        live = target.session.live(target.obj)
    except KubeError:
        live = None
    if live is None:
        return ProviderError(f"update of resource {urn} failed: {error}")
    message = f"{failure}: {error}"
    return PartialError(message, identity=name, state=target.state(live), reasons=[message])


def _manager(obj: Properties, state: Properties) -> str:
    """The resource's field manager: asked for by annotation, else that of the state, else a new one."""
    asked = marks.value(obj, marks.MANAGER)
    return asked or state.get(forms.MANAGER) or forms.unique_name("pulumi-kubernetes-", b"")


def _explained(error: Conflict, manager: str) -> KubeError:
    if not error.managers:
        return error
    several = "s" * (len(error.fields) != 1)
    return Conflict(
        f"server-side apply field conflict detected, see {_CONFLICT_HELP} for troubleshooting help\n"
        f'The resource managed by field manager "{manager}" had an apply conflict: Apply failed with '
        f"{len(error.fields)} conflict{several}: conflict{several} with {', '.join(error.managers)}: "
        f"{', '.join(error.fields)} ({error})",
        error.managers,
        error.fields,
    )
