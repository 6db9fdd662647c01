"""Reading an object back, for a refresh or an import, and deleting it."""

from __future__ import annotations

from dataclasses import dataclass

from kube.errors import Invalid, KubeError, NoSuchKind, Unreachable
from kube.refs import Ref
from simulator.provider import diff, marks
from simulator.provider import inputs as forms
from simulator.provider.awaiting import NotReadyError, skips_deletion
from simulator.provider.errors import PartialError, ProviderError
from simulator.provider.session import Resource, Session, split
from simulator.provider.wire import Properties
from simulator.provider.writing import relinquish

_NOISE = ("creationTimestamp", "generation", "managedFields", "resourceVersion", "uid")
_NOISY_ANNOTATIONS = ("deployment.kubernetes.io/revision", "kubectl.kubernetes.io/last-applied-configuration")
_GONE = (
    "If the cluster was deleted, you can remove this resource from Pulumi state by rerunning the operation with the "
    'PULUMI_K8S_DELETE_UNREACHABLE environment variable set to "true"'
)


@dataclass(frozen=True)
class Found:
    """A live object: what the state is to keep, and the inputs that would make it."""

    state: Properties
    inputs: Properties


def read(session: Session, resource: Resource, resource_id: str, state: Properties, inputs: Properties) -> Found | None:
    """The object as it is now; None when it is gone."""
    old_inputs, before = forms.manifest(inputs), forms.restored(state)[1]
    ref = _ref(resource, resource_id, old_inputs or before)
    try:
        live = session.cluster.get(_placed(session, ref))
    except Unreachable as error:
        if session.options.forget_unreachable:
            return None
        raise ProviderError(f"failed to read resource state due to unreachable cluster: {error}. {_GONE}") from None
    if live is None:
        return None
    new_inputs = diff.drift(old_inputs, before, live) if old_inputs else _imported(live)
    manager = state.get(forms.MANAGER) or forms.unique_name("pulumi-kubernetes-", b"")
    api_version = state.get(forms.API_VERSION) or live["apiVersion"]
    found = Found(
        forms.checkpoint(new_inputs, live, inputs, api_version, manager),
        forms.hidden(forms.outward(new_inputs), inputs),
    )
    reasons = session.awaiting.now(live, old_inputs) if old_inputs else []
    if reasons:
        partial = PartialError(
            f"Resource '{ref.name}' was created but failed to initialize",
            identity=resource_id,
            state=found.state,
            reasons=reasons,
        )
        partial.inputs = found.inputs
        raise partial
    return found


def _imported(live: Properties) -> Properties:
    """Inputs for an object that the program did not make: all of it, but for what the server fills in."""
    metadata = {key: value for key, value in live["metadata"].items() if key not in _NOISE}
    noted = {
        key: value for key, value in (metadata.pop("annotations", None) or {}).items() if key not in _NOISY_ANNOTATIONS
    }
    body = {key: value for key, value in live.items() if key != "status"}
    return {**body, "metadata": {**metadata, **({"annotations": noted} if noted else {})}}


def delete(session: Session, resource: Resource, resource_id: str, state: Properties, timeout: float) -> None:
    """Delete, dependents first, and wait until the object is gone; a Patch resource only lets go of its fields."""
    old_inputs, live = forms.restored(state)
    ref = _ref(resource, resource_id, live)
    try:
        if resource.token.patches(live):
            if session.cluster.get(ref) is None:
                return  # giving its fields back would make it anew
            relinquish(
                session,
                {**_shape(ref), "metadata": {"name": ref.name, "namespace": ref.namespace}},
                state[forms.MANAGER],
            )
            return
        uid = session.cluster.delete_asked(ref, propagation=marks.propagation(old_inputs))
        if uid and not skips_deletion(old_inputs):
            session.awaiting.gone(ref, uid, marks.timeout(old_inputs, timeout))
    except NotReadyError as error:
        for reason in error.reasons:
            resource.tell("warning", reason)
        raise ProviderError("; ".join([str(error), *error.reasons])) from None
    except NoSuchKind:
        return
    except Unreachable as error:
        if not session.options.forget_unreachable:
            raise ProviderError(f"configured Kubernetes cluster is unreachable: {error}. {_GONE}") from None
    except Invalid as error:
        raise ProviderError(_required(str(error)) if resource.token.patches(live) else str(error)) from None
    except KubeError as error:
        raise ProviderError(str(error)) from None


def _required(message: str) -> str:
    if "Required value" not in message:
        return message
    return (
        "this Patch resource is currently managing a required field, so it can't be deleted directly. Either set the "
        f"`retainOnDelete` resource option, or transfer ownership of the field before deleting: {message}"
    )


def _ref(resource: Resource, resource_id: str, known: Properties) -> Ref:
    namespace, name = split(resource_id)
    if not name:
        raise ProviderError(
            f"failed to read resource because of a failure to parse resource name from request ID: {resource_id}"
        )
    api_version = known.get("apiVersion") or resource.token.api_version
    kind = known.get("kind") or resource.token.kind
    return Ref(str(api_version), str(kind), namespace, name)


def _shape(ref: Ref) -> Properties:
    return {"apiVersion": ref.api_version, "kind": ref.kind}


def _placed(session: Session, ref: Ref) -> Ref:
    namespace = (ref.namespace or "default") if session.namespaced(_shape(ref)) else None
    return Ref(ref.api_version, ref.kind, namespace, ref.name)
