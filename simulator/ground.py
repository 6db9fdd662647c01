"""The objects every simulator starts with: nodes, the default storage class, the mark that says what it is."""

from __future__ import annotations

import time
from typing import Any

from kube.errors import AlreadyExists, KubeError
from kube.transport import Transport
from simulator.errors import SimulatorError
from simulator.home import Home

STORAGE_CLASS = "kwok-volume"
PROVISIONER = "aiga.dev/simulator"
MARK = "aiga-simulator"
ZONES = ("zone-a", "zone-b", "zone-c")
_ROOM = {"cpu": "32", "memory": "256Gi", "ephemeral-storage": "1Ti", "pods": "1000"}
_READY_WITHIN = 60.0


def lay(api: Transport, home: Home, nodes: int) -> None:
    """Create what is missing; what is there stays as it is, more nodes than asked for included."""
    _create(api, "/api/v1/namespaces/kube-system/configmaps", _mark(home))
    _create(api, "/apis/storage.k8s.io/v1/storageclasses", _storage_class())
    for index in range(nodes):
        _create(api, "/api/v1/nodes", _node(index))


def wait(api: Transport, nodes: int) -> None:
    """Until pods can be created and placed: nodes Ready, and the default service account made."""
    deadline = time.monotonic() + _READY_WITHIN
    while missing := _missing(api, nodes):
        if time.monotonic() > deadline:
            raise SimulatorError(f"simulator: after {_READY_WITHIN:.0f} s still waiting for {missing}")
        time.sleep(0.05)


def _create(api: Transport, path: str, body: dict[str, Any]) -> None:
    subject = f"{body['kind']}/{body['metadata']['name']}"
    try:
        api.send("POST", path, subject=subject, body=body, query={"fieldManager": MARK})
    except AlreadyExists:
        return


def _missing(api: Transport, nodes: int) -> str | None:
    listed = api.send("GET", "/api/v1/nodes", subject="nodes").body["items"]
    ready = sum(_is_ready(node) for node in listed)
    if ready < nodes:
        return f"{nodes} nodes to be Ready ({ready} are)"
    try:
        api.send("GET", "/api/v1/namespaces/default/serviceaccounts/default", subject="the default service account")
    except KubeError as error:
        return str(error)
    return None


def _is_ready(node: dict[str, Any]) -> bool:
    conditions = node.get("status", {}).get("conditions") or []
    tainted = any(taint["key"].startswith("node.kubernetes.io/") for taint in node["spec"].get("taints") or [])
    return not tainted and any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _mark(home: Home) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": MARK, "namespace": "kube-system"},
        "data": {"home": str(home.root)},
    }


def _storage_class() -> dict[str, Any]:
    default = {"storageclass.kubernetes.io/is-default-class": "true"}
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": STORAGE_CLASS, "annotations": default},
        "provisioner": PROVISIONER,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
        "allowVolumeExpansion": True,
    }


def _node(index: int) -> dict[str, Any]:
    name = f"node-{index}"
    labels = {
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "topology.kubernetes.io/region": "simulated",
        "topology.kubernetes.io/zone": ZONES[index % len(ZONES)],
        "type": "kwok",
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": {"kwok.x-k8s.io/node": "fake"}},
        "status": {"allocatable": _ROOM, "capacity": _ROOM},
    }
