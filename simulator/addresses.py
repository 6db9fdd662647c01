"""Stands in for the cloud's load balancers: an address from a documentation range, the same one for the same name."""

from __future__ import annotations

import hashlib
import threading
from typing import Any

from simulator.ledger import ADDRESSES, Ledger
from simulator.watching import Api, Body, Key, Watch, key_of

_NETWORK = "198.51.100."
_HOSTS = 254
_SERVICES = "/api/v1/services"
_INGRESSES = "/apis/networking.k8s.io/v1/ingresses"


class Addresses:
    """Watches Services and Ingresses, and gives those that wait for an address one."""

    def __init__(self, api: Api, ledger: Ledger) -> None:
        self._api = api
        self._ledger = ledger
        self._taken: dict[str, tuple[str, Key]] = {}
        self._lock = threading.Lock()
        self.services = Watch(api, _SERVICES, self._service, lambda obj: self._free("Service", obj))
        self.watches = [
            self.services,
            Watch(api, _INGRESSES, self._ingress, lambda obj: self._free("Ingress", obj)),
        ]

    def _service(self, service: Body) -> None:
        if service["spec"].get("type") == "LoadBalancer":
            self._give("Service", service, "/api/v1/namespaces/{}/services/{}/status")
        else:
            self._free("Service", service)

    def _ingress(self, ingress: Body) -> None:
        self._give("Ingress", ingress, "/apis/networking.k8s.io/v1/namespaces/{}/ingresses/{}/status")

    def _give(self, kind: str, obj: Body, path: str) -> None:
        key = key_of(obj)
        live = _live(obj)
        with self._lock:
            if live:
                self._taken.setdefault(live, (kind, key))
            else:
                address = self._choose(kind, key)
                self._taken[address] = (kind, key)
        if not live:
            self._api.patch(path.format(*key), {"status": {"loadBalancer": {"ingress": [{"ip": address}]}}})
        self._ledger.add(ADDRESSES, kind, key)

    def _choose(self, kind: str, key: Key) -> str:
        start = int(hashlib.sha256(f"{kind}/{key[0]}/{key[1]}".encode()).hexdigest(), 16)
        for step in range(_HOSTS):
            address = f"{_NETWORK}{1 + (start + step) % _HOSTS}"
            if self._taken.get(address, (kind, key)) == (kind, key):
                return address
        return f"{_NETWORK}{1 + start % _HOSTS}"

    def _free(self, kind: str, obj: Body) -> None:
        key = key_of(obj)
        with self._lock:
            self._taken = {address: holder for address, holder in self._taken.items() if holder != (kind, key)}
        self._ledger.drop(ADDRESSES, kind, key)


def _live(obj: Body) -> str | None:
    ingress: list[dict[str, Any]] = obj.get("status", {}).get("loadBalancer", {}).get("ingress") or []
    return str(ingress[0].get("ip") or ingress[0].get("hostname")) if ingress else None
