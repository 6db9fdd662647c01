"""What the webhook server has to know: whether a ready pod stands behind an address, and which certificate to show."""

from __future__ import annotations

import base64
import hashlib
import ssl

from simulator.authority import Authority, fits, server_context
from simulator.bundles import Bundles
from simulator.endpoints import ready
from simulator.home import Home
from simulator.ledger import Ledger
from simulator.watching import Api, Body, Watch


class Services:
    """The directory of Services that webhooks are called through."""

    def __init__(
        self, api: Api, home: Home, *, services: Watch, bundles: Bundles, authority: Authority, ledger: Ledger
    ) -> None:
        self._api = api
        self._home = home
        self._services = services
        self._bundles = bundles
        self._authority = authority
        self._ledger = ledger
        self._given: dict[str, ssl.SSLContext] = {}

    def refusal(self, address: str) -> str | None:
        """Why nothing answers at this address: no Service, no ready pod behind it, or webhooks switched off."""
        if self._home.webhooks_off.exists():
            return "webhooks are switched off in the simulator"
        host = address.rpartition(":")[0]
        service = self._find(host)
        if service is None:
            return f"the simulator knows no Service with address {host}"
        namespace, name = service["metadata"]["namespace"], service["metadata"]["name"]
        if not ready(self._api, namespace, name):
            return f"connection refused: no ready pod stands behind Service {namespace}/{name}"
        return None

    def context(self, name: str) -> ssl.SSLContext:
        """The chart's own certificate when its webhook has a caBundle of its own, else one of the simulator's."""
        return (self._own(name) if self._bundles.foreign(name) else None) or self._authority.context(name)

    def answered(self, name: str) -> None:
        """Count it."""
        self._ledger.answered(name.removesuffix(".svc"))

    def _find(self, host: str) -> Body | None:
        known = _with_address(host, list(self._services.objects.values()))
        if known is None:  # made a moment ago
            known = _with_address(host, self._api.send("GET", "/api/v1/services", subject="services").body["items"])
        return known

    def _own(self, name: str) -> ssl.SSLContext | None:
        path = f"/api/v1/namespaces/{name.split('.')[1]}/secrets"
        query = {"fieldSelector": "type=kubernetes.io/tls"}
        for secret in self._api.send("GET", path, subject="certificates", query=query).body["items"]:
            certificate, key = (base64.b64decode(secret["data"][field]) for field in ("tls.crt", "tls.key"))
            if fits(certificate, name):
                mark = hashlib.sha256(certificate + key).hexdigest()
                if mark not in self._given:
                    self._given[mark] = server_context(certificate, key)
                return self._given[mark]
        return None


def _with_address(host: str, services: list[Body]) -> Body | None:
    return next((each for each in services if host in (each["spec"].get("clusterIPs") or ())), None)
