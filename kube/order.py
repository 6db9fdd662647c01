"""In which order objects go in and come out: what others need first, what judges others last."""

from __future__ import annotations

from kube.refs import BUILTIN_GROUPS, Ref

NAMESPACES, DEFINITIONS, CONFIGURATION, SERVICES, WORKLOADS, CUSTOM, WEBHOOKS = range(7)

_WAVES = {
    "Namespace": NAMESPACES,
    "CustomResourceDefinition": DEFINITIONS,
    "Service": SERVICES,
    **dict.fromkeys(("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController"), WORKLOADS),
    **dict.fromkeys(("Pod", "Job", "CronJob", "PodDisruptionBudget", "HorizontalPodAutoscaler", "Ingress"), WORKLOADS),
    **dict.fromkeys(("APIService", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"), WEBHOOKS),
}


def wave(ref: Ref) -> int:
    """The step in which the object is created; deletion takes the steps backwards."""
    if BUILTIN_GROUPS.get(ref.kind, "") == ref.group:
        return _WAVES.get(ref.kind, CONFIGURATION)
    return CONFIGURATION if ref.group.endswith(".k8s.io") else CUSTOM
