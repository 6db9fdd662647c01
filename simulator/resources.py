"""Stands in for the controllers of custom resources: sets the status that the table of kinds asks for."""

from __future__ import annotations

import logging
from functools import partial

from kube.errors import NoSuchKind
from simulator import conditions
from simulator.bundles import Bundles
from simulator.kinds import BY_CRD, Body, Kind, Need
from simulator.ledger import CONDITIONS, Ledger
from simulator.watching import Api, Watch, key_of

_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
log = logging.getLogger("simulator")


class Resources:
    """Follows the CRDs, and the objects of those that are in the table."""

    def __init__(self, api: Api, ledger: Ledger, bundles: Bundles) -> None:
        self._api = api
        self._ledger = ledger
        self._bundles = bundles
        self._watches: dict[str, Watch] = {}
        self._uids: dict[str, str] = {}
        self._generations: dict[str, int] = {}
        self.crds = Watch(api, _CRDS, self._crd, self._crd_gone, metadata_only=True)

    def _crd(self, crd: Body) -> None:
        name, uid = crd["metadata"]["name"], crd["metadata"]["uid"]
        if name in BY_CRD and self._uids.get(name) != uid:
            self._uids[name] = uid
            self._watches[name] = self._take_up(BY_CRD[name], uid)
        elif name in self._watches:
            self._watches[name].nudge()  # perhaps it is served now
        generation = crd["metadata"].get("generation", 1)
        if self._generations.get(name) != generation and "f:webhook" in str(crd["metadata"].get("managedFields")):
            self._bundles.crd(name)
        self._generations[name] = generation

    def _crd_gone(self, crd: Body) -> None:
        name = crd["metadata"]["name"]
        for known in (self._watches, self._uids, self._generations):
            known.pop(name, None)
        self._bundles.crd_gone(name)

    def _take_up(self, kind: Kind, uid: str) -> Watch:
        log.info("%s: the simulator sets its status", kind.crd)
        return Watch(
            self._api,
            partial(self._path, kind.crd),
            partial(self._changed, kind),
            partial(self._gone, kind),
            wanted=lambda: self._uids.get(kind.crd) == uid,
        )

    def _path(self, crd: str) -> str:
        """Where the server serves it, in the version that it likes best of those that have the kind."""
        plural, _, group = crd.partition(".")
        served = self._api.send("GET", f"/apis/{group}", subject=crd).body
        for version in served["versions"]:
            path = f"/apis/{version['groupVersion']}"
            names = [each["name"] for each in self._api.send("GET", path, subject=crd).body["resources"]]
            if plural in names:
                return f"{path}/{plural}"
        raise NoSuchKind(f"{crd}: not served yet")

    def _changed(self, kind: Kind, obj: Body) -> bool:
        """False when it has to be looked at again, since something that it needs is not there."""
        if obj["metadata"].get("deletionTimestamp"):
            return True
        missing = [need for need in kind.needs(obj) if not self._there(need)]
        status = conditions.wanted(kind, obj, missing)
        if status is not None:
            self._set(obj, kind, status)
        if not missing:
            self._ledger.add(CONDITIONS, obj["kind"], key_of(obj))
        return not missing

    def _set(self, obj: Body, kind: Kind, status: Body) -> None:
        namespace, name = key_of(obj)
        scope = f"/namespaces/{namespace}" if namespace else ""
        path = f"/apis/{obj['apiVersion']}{scope}/{kind.crd.partition('.')[0]}/{name}"
        try:
            self._api.patch(f"{path}/status", {"status": status})
        except NoSuchKind:  # a CRD without a status subresource
            self._api.patch(path, {"status": status})

    def _there(self, need: Need) -> bool:
        crd, namespace, name = need
        watch = self._watches.get(crd)
        return watch is not None and (namespace, name) in watch.objects

    def _gone(self, kind: Kind, obj: Body) -> None:
        self._ledger.drop(CONDITIONS, obj["kind"], key_of(obj))
