"""SealedSecrets: credentials that may lie in Git, because only this cluster can open them.

The sealing key is the stack's own: it outlives the controller and the cluster, so what was sealed stays readable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components import chart
from components.context import Context
from components.install import Manifest, install, register
from components.keys import SealingKey
from components.upstream import image

NAMESPACE = "sealed-secrets"
KEY_SECRET = "sealing-key"
ACTIVE = ("sealedsecrets.bitnami.com/sealed-secrets-key", "active")
"""Label by which the controller finds its keys; it seals with the newest and opens with all."""


@dataclass(frozen=True, kw_only=True)
class SealedSecretsArgs:
    generation: int = 1
    """Raised by one, it adds a new sealing key; the older ones still open what they sealed."""
    after: Sequence[pulumi.Resource]


class SealedSecrets(pulumi.ComponentResource):
    """The controller, with keys that the stack keeps."""

    certificate: pulumi.Output[str]
    """Public: what `aiga seal` and kubeseal encrypt with, PEM."""
    private_key: pulumi.Output[str]
    """Secret: opens what is sealed with the certificate, PEM."""

    def __init__(
        self, name: str, context: Context, args: SealedSecretsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("aiga:platform:SealedSecrets", name, None, opts)
        guarded = pulumi.ResourceOptions(parent=self, protect=context.protect or None, depends_on=list(context.first))
        early = pulumi.ResourceOptions(parent=self, depends_on=list(args.after))
        secrets = []
        for generation in range(1, args.generation + 1):
            key = SealingKey(f"{name}-key-{generation}", generation=generation, opts=guarded)
            self.certificate, self.private_key = key.tls_crt, pulumi.Output.secret(key.tls_key)
            secrets.append(register(context, name, self._secret(generation), early))
        tag = {"image": {"tag": image("sealed-secrets-controller").tag}}
        monitor = {"metrics": {"serviceMonitor": {"enabled": context.monitoring}}}
        values = chart.values("sealed-secrets", context.profile, tag, monitor, {"keyrenewperiod": "0"})
        objects = chart.render(context, "sealed-secrets", release="sealed-secrets", namespace=NAMESPACE, values=values)
        self.installed = install(context, name, objects, parent=self, after=[*args.after, *secrets])
        self.register_outputs({"certificate": self.certificate})

    def _secret(self, generation: int) -> Manifest:
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": f"{KEY_SECRET}-{generation}", "namespace": NAMESPACE, "labels": dict([ACTIVE])},
            "type": "kubernetes.io/tls",
            "stringData": {"tls.crt": self.certificate, "tls.key": self.private_key},
        }
