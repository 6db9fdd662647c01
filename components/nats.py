"""NATS JetStream: keeps the events of Knative and of Argo Events, carries drift alerts to the retraining controller."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from components import chart
from components.context import Context
from components.install import install, register
from components.keys import Certificate
from components.manifests import tls_secret
from components.upstream import image

NAMESPACE = "nats-io"
URL = "nats://nats.nats-io.svc.cluster.local:4222"
"""The release is called nats in nats-io because eventing-natss looks there by default."""
TLS_SECRET = "nats-tls"


@dataclass(frozen=True, kw_only=True)
class NatsArgs:
    certificate_generation: int = 1
    """Raised by one, it renews the servers' certificate."""
    after: Sequence[pulumi.Resource]
    """The namespace, and the kinds of the monitoring layer."""


class Nats(pulumi.ComponentResource):
    """JetStream on files: one server on a laptop, a cluster of three in production."""

    url: pulumi.Output[str]
    """In-cluster client URL, known once the servers are ready."""

    def __init__(self, name: str, context: Context, args: NatsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aiga:platform:Nats", name, None, opts)
        objects = chart.render(
            context,
            "nats",
            release="nats",
            namespace=NAMESPACE,
            values=chart.values("nats", context.profile, _values(context)),
        )
        secret = self._certificate(name, context, args)
        self.installed = install(context, name, objects, parent=self, after=[*args.after, secret])
        self.url = self.installed.after(URL)
        self.register_outputs({"url": self.url})

    def _certificate(self, name: str, context: Context, args: NatsArgs) -> pulumi.Resource:
        own = pulumi.ResourceOptions(parent=self)
        hosts = [f"nats.{NAMESPACE}.svc.cluster.local", f"nats.{NAMESPACE}.svc", f"nats.{NAMESPACE}"]
        pair = Certificate(f"{name}-tls", dns_names=hosts, generation=args.certificate_generation, opts=own)
        secret = tls_secret(TLS_SECRET, NAMESPACE, pair)
        return register(context, name, secret, pulumi.ResourceOptions(parent=self, depends_on=list(args.after)))


def shape(context: Context) -> str:
    """What of it cannot be changed in place: the volumes of its StatefulSet."""
    pvc = chart.values("nats", context.profile, _values(context))["config"]["jetstream"]["fileStore"]["pvc"]
    return f"servers with volumes of {pvc['size']}, class {pvc.get('storageClassName', 'default')}"


def _values(context: Context) -> dict[str, Any]:
    """TLS is offered because Argo Events insists on it, and not required because eventing-natss does without."""
    pvc = {"storageClassName": context.storage_class} if context.storage_class else {}
    return {
        "config": {
            "jetstream": {"fileStore": {"pvc": pvc}},
            "nats": {"tls": {"enabled": True, "secretName": TLS_SECRET}},
            "merge": {"allow_non_tls": True},
        },
        "container": {"image": _image("nats")},
        "promExporter": {"image": _image("nats-exporter"), "podMonitor": {"enabled": context.monitoring}},
        "reloader": {"image": _image("nats-reloader")},
    }


def _image(name: str) -> dict[str, str]:
    """The chart writes `repository:tag` or, where there is a digest, `repository@digest`."""
    pinned = image(name)
    return {"digest": pinned.digest} if pinned.digest else {"tag": pinned.tag}
