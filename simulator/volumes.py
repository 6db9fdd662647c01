"""Stands in for the storage provisioner: a volume for each claim, gone with it, larger when the claim asks for more."""

from __future__ import annotations

from kube.errors import AlreadyExists
from simulator.ground import PROVISIONER, STORAGE_CLASS
from simulator.ledger import VOLUMES, Ledger
from simulator.watching import MANAGER, Api, Body, Watch, key_of

_BY = "pv.kubernetes.io/provisioned-by"
_CLAIMS = "/api/v1/persistentvolumeclaims"
_VOLUMES = "/api/v1/persistentvolumes"


class Volumes:
    """Watches claims and volumes; binding them to each other is left to the real controller."""

    def __init__(self, api: Api, ledger: Ledger) -> None:
        self._api = api
        self._ledger = ledger
        self.watches = [
            Watch(api, _CLAIMS, self._claim, self._claim_gone),
            Watch(api, _VOLUMES, self._volume),
        ]

    def _claim(self, claim: Body) -> None:
        if claim["spec"].get("storageClassName") != STORAGE_CLASS or claim["metadata"].get("deletionTimestamp"):
            return
        phase = claim.get("status", {}).get("phase")
        if phase == "Pending" and not claim["spec"].get("volumeName"):
            self._provision(claim)
        elif phase == "Bound":
            self._ledger.add(VOLUMES, "PersistentVolumeClaim", key_of(claim))
            self._grow(claim)

    def _claim_gone(self, claim: Body) -> None:
        self._ledger.drop(VOLUMES, "PersistentVolumeClaim", key_of(claim))

    def _provision(self, claim: Body) -> None:
        try:
            query = {"fieldManager": MANAGER}
            self._api.send("POST", _VOLUMES, subject="a volume", body=_volume(claim), query=query)
        except AlreadyExists:
            return

    def _grow(self, claim: Body) -> None:
        wanted = claim["spec"]["resources"]["requests"]
        if wanted == claim["status"].get("capacity"):
            return
        namespace, name = key_of(claim)
        self._api.patch(f"{_VOLUMES}/{claim['spec']['volumeName']}", {"spec": {"capacity": wanted}})
        claims = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"
        self._api.patch(f"{claims}/{name}/status", {"status": {"capacity": wanted}})

    def _volume(self, volume: Body) -> None:
        ours = (volume["metadata"].get("annotations") or {}).get(_BY) == PROVISIONER
        released = volume.get("status", {}).get("phase") == "Released"
        if ours and released and volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete":
            self._api.send("DELETE", f"{_VOLUMES}/{volume['metadata']['name']}", subject="a released volume")


def _volume(claim: Body) -> Body:
    namespace, name = key_of(claim)
    uid = claim["metadata"]["uid"]
    claimed = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": namespace, "name": name, "uid": uid}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"pvc-{uid}", "annotations": {_BY: PROVISIONER}},
        "spec": {
            "accessModes": claim["spec"]["accessModes"],
            "capacity": claim["spec"]["resources"]["requests"],
            "claimRef": claimed,
            "hostPath": {"path": f"/simulated/pvc-{uid}"},
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": STORAGE_CLASS,
            "volumeMode": claim["spec"].get("volumeMode", "Filesystem"),
        },
    }
