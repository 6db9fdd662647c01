"""Fields that Kubernetes does not let change: a change of one replaces the object."""

from __future__ import annotations

from typing import Any

Pattern = tuple[str, ...]
"""Keys from the top; `*` for every item of a list."""

_ALWAYS = ("metadata.name", "metadata.namespace")

# Group and kind, a prefix, and the fields below it.
_TABLE: dict[tuple[str, str], dict[str, str]] = {
    ("apps", "DaemonSet"): {"spec.": "selector"},
    ("apps", "Deployment"): {"spec.": "selector"},
    ("apps", "StatefulSet"): {
        "spec.": "podManagementPolicy revisionHistoryLimit selector serviceName volumeClaimTemplates"
    },
    ("batch", "Job"): {"spec.": "completions parallelism selector template"},
    ("rbac.authorization.k8s.io", "RoleBinding"): {"": "roleRef"},
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): {"": "roleRef"},
    ("storage.k8s.io", "StorageClass"): {"": "parameters provisioner"},
    ("", "PersistentVolume"): {
        "spec.": "awsElasticBlockStore azureDisk azureFile cephfs cinder csi fc flexVolume flocker gcePersistentDisk "
        "glusterfs hostPath iscsi local nfs photonPersistentDisk portworxVolume quobyte rbd scaleIO storageos "
        "vsphereVolume"
    },
    ("", "PersistentVolumeClaim"): {"spec.": "accessModes selector storageClassName volumeName"},
    ("", "Pod"): {
        "spec.": "affinity automountServiceAccountToken dnsConfig dnsPolicy enableServiceLinks hostAliases hostIPC "
        "hostNetwork hostPID hostname imagePullSecrets nodeName nodeSelector overhead preemptionPolicy priority "
        "priorityClassName readinessGates restartPolicy runtimeClassName schedulerName securityContext serviceAccount "
        "serviceAccountName shareProcessNamespace subdomain terminationGracePeriodSeconds volumes",
        **dict.fromkeys(
            ("spec.containers.*.", "spec.initContainers.*."),
            "args command env image imagePullPolicy lifecycle livenessProbe ports readinessProbe resources "
            "securityContext stdin stdinOnce terminationMessagePath terminationMessagePolicy tty volumeDevices "
            "volumeMounts workingDir",
        ),
    },
    ("", "ResourceQuota"): {"spec.": "scopes"},
    ("", "Service"): {"spec.": "clusterIP"},
}
_FIELDS = {
    kind: [f"{prefix}{field}" for prefix, fields in table.items() for field in fields.split()]
    for kind, table in _TABLE.items()
}


def patterns(obj: dict[str, Any], *, patch: bool, secrets_change: bool, config_maps_change: bool) -> list[Pattern]:
    """What may not change in this object; a Patch resource keeps its name alone."""
    fields = list(_ALWAYS)
    if not patch:
        fields += _of_kind(obj, secrets_change, config_maps_change)
    return [tuple(field.split(".")) for field in fields]


def _of_kind(obj: dict[str, Any], secrets_change: bool, config_maps_change: bool) -> list[str]:
    group, kind = str(obj.get("apiVersion", "")).rpartition("/")[0], str(obj.get("kind", ""))
    frozen = obj.get("immutable") is True
    if (group, kind) == ("", "Secret"):
        return ["type"] if secrets_change and not frozen else ["type", "stringData", "data"]
    if (group, kind) == ("", "ConfigMap"):
        return [] if config_maps_change and not frozen else ["binaryData", "data"]
    return _FIELDS.get((group, kind), [])


def touches(path: tuple[str | int, ...], value: Any, pattern: Pattern) -> bool:
    """Whether a change at `path`, to `value`, changes what the pattern names: at it, below it, or from above."""
    for step, wanted in zip(path, pattern, strict=False):
        if step != wanted and not (wanted == "*" and isinstance(step, int)):
            return False
    return _reaches(value, pattern[len(path) :])


def _reaches(value: Any, rest: Pattern) -> bool:
    if not rest:
        return True
    if rest[0] == "*":
        return isinstance(value, list) and any(_reaches(item, rest[1:]) for item in value)
    return isinstance(value, dict) and rest[0] in value and _reaches(value[rest[0]], rest[1:])
