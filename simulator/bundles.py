"""Fills what a chart leaves blank in webhooks, as their controllers do: a field manager of its own.

For most that is the caBundle; Knative's get their rules too, once a pod stands behind them.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator

from simulator.endpoints import ready
from simulator.ledger import BUNDLES, Ledger
from simulator.rules import RULES
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

    def _admission(self, configuration: Body) -> bool:
        """False when it has to be looked at again, since nobody is there yet who would fill it."""
        key = key_of(configuration)
        ours = [webhook for webhook in configuration.get("webhooks") or [] if self._is_ours(webhook)]
        filled = [webhook for webhook in ours if not self._waits(webhook)]
        if not filled:
            self._ledger.drop(BUNDLES, configuration["kind"], key)
            return not ours
        if any(not webhook["clientConfig"].get("caBundle") for webhook in filled):
            plural = f"{configuration['kind'].lower()}s"
            fields = {"webhooks": [self._fields(webhook["name"]) for webhook in filled]}
            self._apply(f"{_ADMISSION}/{plural}/{key[1]}", configuration, fields)
        self._ledger.add(BUNDLES, configuration["kind"], key)
        return len(filled) == len(ours)

    def _is_ours(self, webhook: Body) -> bool:
        """A webhook without rules is never called: only of some is it known what their controller would write."""
        client = webhook["clientConfig"]
        known = webhook.get("rules") or webhook["name"] in RULES
        return bool(client.get("service") and known and client.get("caBundle", "") in ("", self._ours))

    def _waits(self, webhook: Body) -> bool:
        client = webhook["clientConfig"]
        if webhook["name"] not in RULES or client.get("caBundle"):
            return False
        return not ready(self._api, client["service"]["namespace"], client["service"]["name"])

    def _fields(self, name: str) -> Body:
        fields = dict(RULES.get(name, {}))
        path = fields.pop("path", None)
        client = {"caBundle": self._ours, **({"service": {"path": path}} if path else {})}
        return {"name": name, "clientConfig": client, **fields}

    def _admission_gone(self, configuration: Body) -> None:
        self._ledger.drop(BUNDLES, configuration["kind"], key_of(configuration))

    def _apply(self, path: str, live: Body, fields: Body) -> None:
        metadata = {"name": live["metadata"]["name"], "uid": live["metadata"]["uid"]}  # never makes a new object
        head = {"apiVersion": live["apiVersion"], "kind": live["kind"], "metadata": metadata}
        self._api.patch(path, {**head, **fields}, how="apply", force=True)


def _host(service: Body) -> str:
    return f"{service['name']}.{service['namespace']}.svc"
