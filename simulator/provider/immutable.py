"""Fields that Kubernetes does not let change: a change of one replaces the object."""

from __future__ import annotations

from typing import Any

Pattern = tuple[str, ...]
"""Keys from the top; `*` for every item of a list."""

_ALWAYS = ("metadata.name", "metadata.namespace")

_VOLUME_SOURCES = (
    "awsElasticBlockStore azureDisk azureFile cephfs cinder csi fc flexVolume flocker gcePersistentDisk glusterfs hostPath "
    "iscsi local nfs photonPersistentDisk portworxVolume quobyte rbd scaleIO storageos vsphereVolume"
).split()

_POD = (
    "affinity automountServiceAccountToken dnsConfig dnsPolicy enableServiceLinks hostAliases hostIPC hostNetwork hostPID "
    "hostname imagePullSecrets nodeName nodeSelector overhead preemptionPolicy priority priorityClassName readinessGates "
    "restartPolicy runtimeClassName schedulerName securityContext serviceAccount serviceAccountName shareProcessNamespace "
    "subdomain terminationGracePeriodSeconds volumes"
).split()

_CONTAINER = (
    "args command env image imagePullPolicy lifecycle livenessProbe ports readinessProbe resources securityContext stdin "
    "stdinOnce terminationMessagePath terminationMessagePolicy tty volumeDevices volumeMounts workingDir"
).split()

_FIELDS: dict[tuple[str, str], list[str]] = {
    ("apps", "DaemonSet"): ["spec.selector"],
    ("apps", "Deployment"): ["spec.selector"],
    ("apps", "StatefulSet"): [
        f"spec.{field}"
        for field in "podManagementPolicy revisionHistoryLimit selector serviceName volumeClaimTemplates".split()
    ],
    ("batch", "Job"): [f"spec.{field}" for field in "completions parallelism selector template".split()],
    ("rbac.authorization.k8s.io", "RoleBinding"): ["roleRef"],
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): ["roleRef"],
    ("storage.k8s.io", "StorageClass"): ["parameters", "provisioner"],
    ("", "PersistentVolume"): [f"spec.{field}" for field in _VOLUME_SOURCES],
    ("", "PersistentVolumeClaim"): [
        f"spec.{field}" for field in "accessModes selector storageClassName volumeName".split()
    ],
    ("", "Pod"): [f"spec.{field}" for field in _POD]
    + [f"spec.{place}.*.{field}" for place in ("containers", "initContainers") for field in _CONTAINER],
    ("", "ResourceQuota"): ["spec.scopes"],
    ("", "Service"): ["spec.clusterIP"],
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
