"""Creating and updating an object, and waiting until it is ready."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kube.errors import AlreadyExists, Conflict, Invalid, KubeError, NoSuchKind, NotFound
from kube.refs import Ref
from simulator.provider import diff, marks, ownership
from simulator.provider import inputs as forms
from simulator.provider.awaiting import NotReady
from simulator.provider.errors import Partial, ProviderError
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
    obj = session.placed(obj)
    manager = _manager(obj, {})
    try:
        live = _created(session, request, obj, manager, adopt=patch or session.options.upsert)
    except NoSuchKind as error:
        raise ProviderError(
            f"creation of resource {request.resource.urn} with kind {obj['apiVersion']}/{obj['kind']} failed because the "
            "Kubernetes API server reported that the apiVersion for this resource does not exist. Verify that any "
            f"required CRDs have been created: {error}"
        ) from None
    except KubeError as error:
        if request.preview and _unforeseeable(error):
            return Written("", request.inputs)
        raise ProviderError(
            f"resource {request.resource.urn} was not successfully created by the Kubernetes API server: {_told(error)}"
        ) from None
    if request.preview:
        return Written("", _state(request, obj, {**live, "status": None}, manager))
    failure = (
        f"resource {request.resource.urn} was successfully created, but the Kubernetes API server reported that it failed to "
        "fully initialize or become live"
    )
    return _ready(session, request, obj, live, manager, failure, update=False)


def _created(session: Session, request: Request, obj: Properties, manager: str, *, adopt: bool) -> Properties:
    """Tried again while namespace or kind are missing: something else may be about to make them."""
    pause = 1.0
    for attempt in range(_TRIES):
        try:
            return _once(session, request, obj, manager, adopt)
        except (NotFound, NoSuchKind) as error:
            if (request.preview and isinstance(error, NotFound)) or attempt + 1 == _TRIES:
                raise
            request.resource.tell("status", f"Retry #{attempt}; creation failed: {error}")
            if session.stop.wait(pause):
                raise
        pause *= 2
        obj = session.placed(obj)
    raise AssertionError("unreachable")


def _once(session: Session, request: Request, obj: Properties, manager: str, adopt: bool) -> Properties:
    if not (adopt and session.options.server_side_apply):
        return session.cluster.create(obj, manager=ownership.CREATOR, dry_run=request.preview)
    force = ownership.force(obj, None, always=session.options.force, preview=request.preview)
    try:
        return session.cluster.apply(obj, manager=manager, force=force, dry_run=request.preview)
    except Conflict as error:
        raise _explained(error, manager) from None


def _unforeseeable(error: KubeError) -> bool:
    """What a dry run fails on although the update may well succeed: objects about to be replaced, no permission."""
    return isinstance(error, AlreadyExists | NotFound) or (isinstance(error, Invalid) and ": forbidden: " in str(error))


def _told(error: KubeError) -> str:
    return f"{error}\n\n{_EXISTS}" if isinstance(error, AlreadyExists) else str(error)


def update(session: Session, request: Request, state: Properties, ignore: Sequence[str]) -> Written:
    """Apply the object under the resource's own field manager, and wait until it is ready."""
    obj = forms.manifest(request.inputs)
    if request.preview and (holds(obj, Unknown) or not session.served(obj)):
        return Written("", request.inputs)
    obj = session.placed(obj)
    old_inputs, old = forms.restored(state)
    before, manager = _manager(old_inputs, state), _manager(obj, state)
    name = identity(old)
    try:
        live = _applied(session, request, obj, manager, ignore)
    except KubeError as error:
        raise _not_updated(session, request, obj, name, manager, error) from None
    if request.preview:
        return Written("", _state(request, obj, live, manager))
    written = _ready(session, request, obj, live, manager, _failed(name), update=True)
    if before != manager:
        relinquish(session, obj, before)
    return written


def _applied(session: Session, request: Request, obj: Properties, manager: str, ignore: Sequence[str]) -> Properties:
    live = session.live(obj)
    if live is None:
        raise NotFound(f"{Ref.of(obj)}: not found; somebody deleted it: run pulumi refresh")
    if forms.is_crd(obj):
        return _replaced(session, obj, live, manager, request.preview)
    handover = None if request.preview or request.resource.token.patches(obj) else ownership.claim(live, manager)
    if handover:
        live = session.cluster.patch(Ref.of(obj), handover, how="json", manager=manager)
    obj = ownership.without_ignored(obj, live, manager, [diff.parsed(path) for path in ignore])
    force = ownership.force(obj, live, always=session.options.force, preview=request.preview)
    try:
        return session.cluster.apply(obj, manager=manager, force=force, dry_run=request.preview)
    except Conflict as error:
        raise _explained(error, manager) from None


def _replaced(session: Session, obj: Properties, live: Properties, manager: str, preview: bool) -> Properties:
    """A CRD is put in place whole, so that versions and fields that the new one lacks go away."""
    version = live["metadata"]["resourceVersion"]
    body = {**obj, "metadata": {**obj["metadata"], "resourceVersion": version}}
    ref = Ref.of(obj)
    query = {"fieldManager": manager} | ({"dryRun": "All"} if preview else {})
    path = session.cluster.resource(ref.api_version, ref.kind).path(None, ref.name)
    answer: Properties = session.cluster.raw("PUT", path, subject=str(ref), query=query, body=body).body
    return answer


def _not_updated(
    session: Session, request: Request, obj: Properties, name: str, manager: str, error: KubeError
) -> ProviderError:
    """The state takes the live object and the new inputs, so that the next update tries again."""
    if isinstance(error, NoSuchKind):
        return ProviderError(
            f"update of resource {request.resource.urn} failed because the Kubernetes API server reported that the "
            f"apiVersion for this resource does not exist. Verify that any required CRDs have been created: {error}"
        )
    try:
        live = session.live(obj)
    except KubeError:
        live = None
    message = f"{_failed(name)}: {error}"
    if live is None:
        return ProviderError(f"update of resource {request.resource.urn} failed: {error}")
    state = _state(request, obj, live, manager)
    return Partial(message, identity=name, state=state, reasons=[message])


def relinquish(session: Session, obj: Properties, manager: str) -> None:
    """Give up every field that `manager` owns."""
    metadata = {key: obj["metadata"][key] for key in ("name", "namespace") if obj["metadata"].get(key)}
    bare = {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": metadata}
    session.cluster.apply(bare, manager=manager)


def _ready(
    session: Session, request: Request, obj: Properties, live: Properties, manager: str, failure: str, *, update: bool
) -> Written:
    seconds = marks.timeout(obj, request.timeout)
    tell: Callable[[str], None] = functools.partial(request.resource.tell, "status")
    try:
        live = session.awaiting.ready(live, update=update, seconds=seconds, tell=tell)
    except NotReady as error:
        live = error.live
        message, reasons = f"{failure}: {error}", error.reasons
    except (KubeError, ValueError) as error:
        message, reasons = f"{failure}: {error}", []
    else:
        return Written(identity(live), _state(request, obj, live, manager))
    state = _state(request, obj, live, manager)
    raise Partial(message, identity=identity(live), state=state, reasons=[message, *reasons])


def _state(request: Request, obj: Properties, live: Properties, manager: str) -> Properties:
    kept = {key: value for key, value in live.items() if value is not None}
    return forms.checkpoint(obj, kept, request.inputs, obj["apiVersion"], manager)


def _manager(obj: Properties, state: Properties) -> str:
    """The resource's field manager: asked for by annotation, else that of the state, else a new one."""
    asked = marks.value(obj, marks.MANAGER)
    return asked or state.get(forms.MANAGER) or forms.unique_name("pulumi-kubernetes-", b"")


def _failed(name: str) -> str:
    return f'the Kubernetes API server reported that "{name}" failed to fully initialize or become live'


def _explained(error: Conflict, manager: str) -> KubeError:
    if not error.managers:
        return error
    fields = ", ".join(error.fields)
    return Conflict(
        f"server-side apply field conflict detected, see {_CONFLICT_HELP} for troubleshooting help\n"
        f'The resource managed by field manager "{manager}" had an apply conflict: Apply failed with {len(error.fields)} '
        f"conflict{'s' * (len(error.fields) != 1)}: conflicts with {', '.join(error.managers)}: {fields} ({error})",
        error.managers,
        error.fields,
    )
