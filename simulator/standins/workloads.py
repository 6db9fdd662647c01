"""Deployments, StatefulSets and DaemonSets out of the short notation of the tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from simulator.standins.short import claim, container_ports, environment, mounts, probe, volumes

_NAMES = {"security": "securityContext", "policy": "imagePullPolicy"}
_LISTS: Mapping[str, tuple[str, Callable[[Any], list[Any]]]] = {
    "ports": ("ports", container_ports),
    "env": ("env", environment),
    "mounts": ("volumeMounts", mounts),
}
_PROBES = {"ready": "readinessProbe", "live": "livenessProbe", "started": "startupProbe"}


def spec(short: Mapping[str, Any]) -> dict[str, Any]:
    """The spec of a workload; `spec` and `pod` hold what has no short notation, `merge` goes over the pod template."""
    template = {
        **({"$merge": short["merge"]} if "merge" in short else {}),
        "metadata": {
            **({"annotations": short["pod_annotations"]} if "pod_annotations" in short else {}),
            "labels": {**short["selector"], **short.get("pod_labels", {})},
        },
        "spec": _pod(short),
    }
    return {
        **({"replicas": short["replicas"]} if "replicas" in short else {}),
        **short.get("spec", {}),
        "selector": {"matchLabels": short["selector"]},
        "template": template,
        **({"volumeClaimTemplates": _templates(short["claims"])} if "claims" in short else {}),
    }


def _pod(short: Mapping[str, Any]) -> dict[str, Any]:
    parts: dict[str, Any] = {"serviceAccountName": short["account"]} if "account" in short else {}
    if "init" in short:
        parts["initContainers"] = [container(name, c) for name, c in short["init"].items()]
    parts["containers"] = [container(name, c) for name, c in short["containers"].items()]
    if "volumes" in short:
        parts["volumes"] = [*volumes(short["volumes"]), *short.get("more_volumes", [])]
    return {**parts, **short.get("pod", {})}


def container(name: str, short: Mapping[str, Any]) -> dict[str, Any]:
    """One container; keys without a short form go in as they are."""
    found: dict[str, Any] = {"name": name}
    for key, value in short.items():
        if key in _LISTS:
            real, convert = _LISTS[key]
            found[real] = convert(value)
        elif key in _PROBES:
            found[_PROBES[key]] = probe(value)
        else:
            found[_NAMES.get(key, key)] = value
    return found


def _templates(claims: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {**({"$when": short["$when"]} if "$when" in short else {}), "metadata": {"name": name}, "spec": claim(short)}
        for name, short in claims.items()
    ]
