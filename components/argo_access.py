"""Who may do what with Argo: no more for its controllers than they use, and an account for people that only looks."""

from __future__ import annotations

from typing import Any

from components.install import Manifest

VIEWER = "argo-viewer"
"""Its token opens Argo's page, for reading."""
WEBHOOK = "webhook"
SERVER = "argo-workflows-server"
LOOK = ("get", "list", "watch")
KINDS = ("workflows", "workflowtemplates", "cronworkflows", "clusterworkflowtemplates", "workfloweventbindings")
EVENT_KINDS = ("eventsources", "sensors", "eventbus")


def server_only_looks(objects: list[Manifest]) -> list[Manifest]:
    """Takes from Argo's server what it never does itself: read Secrets, write workflows, delete pods.

    It asks the API server with the token of whoever is logged in; by its own it keeps a copy of workflows and
    templates, and reads where artefacts lie.
    """
    used = {
        SERVER: [
            _rule("argoproj.io", ["workflows", "workflowtemplates"], LOOK),
            _rule("", ["configmaps"], ["get"]),
            _rule("", ["events"], ["create", "patch"]),
        ],
        f"{SERVER}-cluster-template": [_rule("argoproj.io", ["clusterworkflowtemplates"], LOOK)],
    }
    for o in objects:
        if o["kind"] == "ClusterRole":
            o["rules"] = used.get(o["metadata"]["name"], o["rules"])
    return objects


def viewer(namespace: str) -> list[Manifest]:
    """The account for people, its roles and their bindings: workflows everywhere, their pods and logs in one namespace.

    Secrets are not among it, and with them not the artefacts: Argo reads those with the keys that the caller may read.
    """
    subject = {"kind": "ServiceAccount", "name": VIEWER, "namespace": namespace}
    kinds = _rule("argoproj.io", [*KINDS, *EVENT_KINDS], LOOK)
    pods = _rule("", ["pods", "pods/log", "events"], LOOK)
    return [
        account(VIEWER, namespace),
        {**_rbac("ClusterRole"), "rules": [kinds]},
        {**_rbac("ClusterRoleBinding"), "roleRef": _ref("ClusterRole"), "subjects": [subject]},
        {**_rbac("Role", namespace), "rules": [pods]},
        {**_rbac("RoleBinding", namespace), "roleRef": _ref("Role"), "subjects": [subject]},
    ]


def account(name: str, namespace: str) -> Manifest:
    """A service account whose token no pod gets."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": name, "namespace": namespace},
        "automountServiceAccountToken": False,
    }


def _rule(group: str, resources: list[str], verbs: Any) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": resources, "verbs": list(verbs)}


def _rbac(kind: str, namespace: str | None = None) -> Manifest:
    metadata = {"name": VIEWER, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata}


def _ref(kind: str) -> dict[str, str]:
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": VIEWER}
