"""Brings the pods that Seldon and eventing-natss create up to Pod Security *restricted*.

Their controllers set no full security context and take none. From Kubernetes 1.36 a MutatingAdmissionPolicy, which
needs no webhook, adds what is missing; before that, the namespaces of such pods enforce *baseline*.
"""

from __future__ import annotations

import pulumi

from components.context import Context
from components.install import Manifest, register

SINCE_MINOR = 36
"""Kubernetes 1.36 is the first that serves admissionregistration.k8s.io/v1 MutatingAdmissionPolicy."""
SELDON = "object.metadata.?labels['app.kubernetes.io/managed-by'].orValue('') == 'seldon-core'"
USER = "object.spec.?securityContext.?runAsUser.orValue(65532)"
"""The pod's user, or `nobody` where nobody was named."""
DISPATCHER = "object.metadata.?labels['messaging.knative.dev/role'].orValue('') == 'dispatcher'"
FILTER = "object.metadata.?labels['eventing.knative.dev/role'].orValue('') == 'filter'"
"""The pods of a native Broker that deliver its events; they run in the Broker's namespace."""


class PodSecurity(pulumi.ComponentResource):
    """The policy and its binding. Made only where the cluster serves the kind (`supported`)."""

    objects: list[pulumi.Resource]

    def __init__(
        self,
        name: str,
        context: Context,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("aiga:platform:PodSecurity", name, None, opts)
        own = pulumi.ResourceOptions(parent=self, depends_on=list(context.first))
        self.objects = [register(context, name, o, own) for o in (policy(), binding())]
        self.register_outputs({})


def supported(context: Context) -> bool:
    return context.minor >= SINCE_MINOR


def policy() -> Manifest:
    """JSON patches, for the API server refuses to merge into `capabilities.drop`, which is one value to it."""
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingAdmissionPolicy",
        "metadata": {"name": "aiga-restricted-pods"},
        "spec": {
            "matchConstraints": {
                "resourceRules": [
                    {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
                ]
            },
            "matchConditions": [
                {"name": "made-by-a-controller-without-it", "expression": f"({SELDON}) || ({DISPATCHER}) || ({FILTER})"}
            ],
            "failurePolicy": "Fail",
            "reinvocationPolicy": "IfNeeded",
            "mutations": [_patch(part) for part in ("containers", "initContainers")] + [_not_root()],
        },
    }


def _patch(part: str) -> Manifest:
    listed = f"object.spec.?{part}.orValue([])"
    add = f"JSONPatch{{op: 'add', path: '/spec/{part}/' + string(i) + '/securityContext', value: {_cel(part)}}}"
    return {"patchType": "JSONPatch", "jsonPatch": {"expression": f"{listed}.transformList(i, c, {add})"}}


def _cel(part: str) -> str:
    """The whole context anew, with the user and the root filesystem as the controller, or its user, chose them."""
    kind = f"Object.spec.{part}.securityContext"
    fields = {
        "allowPrivilegeEscalation": "false",
        "runAsNonRoot": "true",
        "runAsUser": f"c.?securityContext.?runAsUser.orValue({USER})",
        "readOnlyRootFilesystem": "c.?securityContext.?readOnlyRootFilesystem.orValue(false)",
        "capabilities": f"{kind}.capabilities{{drop: ['ALL']}}",
        "seccompProfile": f"{kind}.seccompProfile{{type: 'RuntimeDefault'}}",
    }
    return f"{kind}{{{', '.join(f'{name}: {value}' for name, value in fields.items())}}}"


def _not_root() -> Manifest:
    expression = (
        "[JSONPatch{op: has(object.spec.securityContext) ? 'replace' : 'add', path: '/spec/securityContext', value: "
        "Object.spec.securityContext{runAsNonRoot: true, "
        f"runAsUser: {USER}, "
        "fsGroup: object.spec.?securityContext.?fsGroup.orValue(65532), "
        "seccompProfile: Object.spec.securityContext.seccompProfile{type: 'RuntimeDefault'}}}]"
    )
    return {"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}


def binding() -> Manifest:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingAdmissionPolicyBinding",
        "metadata": {"name": "aiga-restricted-pods"},
        "spec": {"policyName": "aiga-restricted-pods", "matchResources": {"namespaceSelector": {}}},
    }
