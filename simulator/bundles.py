"""Fills the empty caBundle of webhooks that a chart leaves to its controller, as a field manager of its own."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from simulator.ledger import BUNDLES, Ledger
from simulator.watching import Api, Body, Watch, key_of

_ADMISSION = "/apis/admissionregistration.k8s.io/v1"
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


class Bundles:
    """Watches admission webhooks; CRDs with a conversion webhook are handed to it."""

    def __init__(self, api: Api, ledger: Ledger, bundle: bytes) -> None:
        self._api = api
        self._ledger = ledger
        self._ours = base64.b64encode(bundle).decode()
        self._conversions: dict[str, tuple[str, str]] = {}
        self.watches = [
            Watch(api, f"{_ADMISSION}/{plural}", self._admission, self._admission_gone)
            for plural in ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")
        ]

    def crd(self, name: str) -> None:
        """Look at a CRD that may convert through a webhook."""
        crd = self._api.send("GET", f"{_CRDS}/{name}", subject=name).body
        conversion = crd["spec"].get("conversion") or {}
        client = (conversion.get("webhook") or {}).get("clientConfig") or {}
        if not client.get("service"):
            return
        if not client.get("caBundle"):
            patch = {"conversion": {"webhook": {"clientConfig": {"caBundle": self._ours}}}}
            self._apply(f"{_CRDS}/{name}", crd, {"spec": patch})
        if client.get("caBundle", self._ours) == self._ours:
            self._ledger.add(BUNDLES, "CustomResourceDefinition", ("", name))
        self._conversions[name] = (_host(client["service"]), client.get("caBundle") or self._ours)

    def crd_gone(self, name: str) -> None:
        """Forget it."""
        self._conversions.pop(name, None)
        self._ledger.drop(BUNDLES, "CustomResourceDefinition", ("", name))

    def foreign(self, host: str) -> bool:
        """Whether the webhooks of this Service were given a caBundle that is not the simulator's."""
        given = [bundle for each, bundle in self._given() if each == host and bundle]
        return bool(given) and self._ours not in given

    def _given(self) -> Iterator[tuple[str, str]]:
        for watch in self.watches:
            for configuration in list(watch.objects.values()):
                for webhook in configuration.get("webhooks") or []:
                    client = webhook["clientConfig"]
                    if client.get("service"):
                        yield _host(client["service"]), client.get("caBundle") or ""
        yield from list(self._conversions.values())

    def _admission(self, configuration: Body) -> None:
        key = key_of(configuration)
        ours = [webhook for webhook in configuration.get("webhooks") or [] if self._is_ours(webhook)]
        if not ours:
            self._ledger.drop(BUNDLES, configuration["kind"], key)
            return
        if any(not webhook["clientConfig"].get("caBundle") for webhook in ours):
            webhooks = [{"name": each["name"], "clientConfig": {"caBundle": self._ours}} for each in ours]
            plural = f"{configuration['kind'].lower()}s"
            self._apply(f"{_ADMISSION}/{plural}/{key[1]}", configuration, {"webhooks": webhooks})
        self._ledger.add(BUNDLES, configuration["kind"], key)

    def _is_ours(self, webhook: Body) -> bool:
        """A webhook without rules is never called: its controller would fill in rules and bundle together."""
        client = webhook["clientConfig"]
        bundle = client.get("caBundle", "")
        return bool(client.get("service") and webhook.get("rules") and bundle in ("", self._ours))

    def _admission_gone(self, configuration: Body) -> None:
        self._ledger.drop(BUNDLES, configuration["kind"], key_of(configuration))

    def _apply(self, path: str, live: Body, fields: Body) -> None:
        metadata = {"name": live["metadata"]["name"], "uid": live["metadata"]["uid"]}  # never makes a new object
        head = {"apiVersion": live["apiVersion"], "kind": live["kind"], "metadata": metadata}
        self._api.patch(path, {**head, **fields}, how="apply", force=True)


def _host(service: Body) -> str:
    return f"{service['name']}.{service['namespace']}.svc"
