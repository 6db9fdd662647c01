"""Seldon Core 1.17.1: serves models as SeldonDeployments behind Istio, and sends every request to the Broker.

1.17.1 is the last release under an open-source licence (docs/adr/0004); a later one in the lock is refused.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from components import chart, fixes
from components.context import Context
from components.gate import Gate
from components.install import Manifest, install, register
from components.keys import Certificate
from components.manifests import secret, tls_secret
from components.object_store import Account
from components.upstream import image, lock

NAMESPACE = "seldon-system"
CHART = "seldon-core-operator"
LAST_OPEN = (1, 17)
SERVICE = "seldon-webhook-service"
CERTIFICATE_SECRET = "seldon-webhook-server-cert"
WEBHOOK = f"seldon-validating-webhook-configuration-{NAMESPACE}"
NOT_OFFERED = ("HUGGINGFACE_SERVER", "TEMPO_SERVER")
"""Servers of the chart's own table, with images of 2023, that the lock has none for."""
STORE_SECRET = "seldon-rclone-secret"
"""The Secret with the keys to models, in every namespace with SeldonDeployments."""


@dataclass(frozen=True, kw_only=True)
class SeldonArgs:
    models_gateway: str
    """`namespace/name` of Istio's Gateway for models."""
    request_log: str
    """URL of the Broker that gets requests and responses of deployments which name none."""
    store_endpoint: pulumi.Input[str]
    store_region: str = "us-east-1"
    account: Account
    certificate_generation: int = 1
    after: Sequence[pulumi.Resource]


class Seldon(pulumi.ComponentResource):
    """The operator with a webhook certificate of our own, and the five pre-packaged servers."""

    ready: pulumi.Output[bool]
    """Known once the operator's webhook answers."""

    def __init__(
        self, name: str, context: Context, args: SeldonArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("aiga:platform:Seldon", name, None, opts)
        check_licence(lock().charts[CHART].version)
        pair = Certificate(
            f"{name}-webhook",
            dns_names=[f"{SERVICE}.{NAMESPACE}.svc", f"{SERVICE}.{NAMESPACE}.svc.cluster.local"],
            generation=args.certificate_generation,
            opts=pulumi.ResourceOptions(parent=self),
        )
        early = pulumi.ResourceOptions(parent=self, depends_on=list(args.after))
        secrets = [
            register(context, name, tls_secret(CERTIFICATE_SECRET, NAMESPACE, pair), early),
            register(
                context, name, store_secret(NAMESPACE, args.store_endpoint, args.store_region, args.account), early
            ),
        ]
        objects = chart.render(
            context,
            CHART,
            release="seldon-core",
            namespace=NAMESPACE,
            values=chart.values(CHART, context.profile, _values(args)),
        )
        webhook = next(o for o in objects if o["kind"] == "ValidatingWebhookConfiguration")
        mended = fixes.apply(
            objects,
            fixes.drop(kinds={"Certificate", "Issuer", "ValidatingWebhookConfiguration"}),
            _without_empty_arguments,
            lambda found: [*found, *([_pod_monitor()] if context.monitoring else [])],
        )
        installed = install(context, name, mended, parent=self, after=[*args.after, *secrets])
        signed = pulumi.ResourceOptions(parent=self, depends_on=installed.last)
        answered = register(context, name, _signed(webhook, pair), signed)
        gate = Gate(
            f"{name}-webhooks",
            layer="seldon",
            probes=[_probe()],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[answered]),
        )
        self.ready = gate.id.apply(lambda _: True)
        self.register_outputs({"ready": self.ready})


def check_licence(version: str) -> None:
    """Refuses a Seldon Core that is not open source.

    Raises:
        pulumi.RunError: the version is 1.18 or later, which are under the Business Source License.
    """
    major, minor = (int(part) for part in version.split(".")[:2])
    if (major, minor) > LAST_OPEN:
        raise pulumi.RunError(
            f"upstream.lock.yaml: charts.{CHART}.version: {version}: Seldon Core 1.18 and later are under the Business"
            " Source License, not an open-source one (pin 1.17.1, or switch the layer off with aiga:layers:"
            " {seldon: false})"
        )


def store_secret(namespace: str, endpoint: pulumi.Input[str], region: str, account: Account) -> Manifest:
    """The rclone configuration by which the storage initialiser reads `s3://` model addresses."""
    prefix = "RCLONE_CONFIG_S3"
    settings: dict[str, pulumi.Input[str]] = {
        f"{prefix}_TYPE": "s3",
        f"{prefix}_PROVIDER": "Other",
        f"{prefix}_ENV_AUTH": "false",
        f"{prefix}_ACCESS_KEY_ID": account.access_key,
        f"{prefix}_SECRET_ACCESS_KEY": account.secret_key,
        f"{prefix}_ENDPOINT": endpoint,
        f"{prefix}_REGION": region,
    }
    return secret(STORE_SECRET, namespace, settings)


def _values(args: SeldonArgs) -> dict[str, Any]:
    return {
        "istio": {"gateway": args.models_gateway},
        "image": _split("seldon-operator"),
        "executor": {"image": _split("seldon-executor"), "requestLogger": {"defaultEndpoint": args.request_log}},
        "storageInitializer": {"image": image("seldon-rclone").reference},
        "predictor_servers": _servers(),
        "explainer": {"image": None, "image_v2": None},
    }


def _servers() -> dict[str, Any]:
    """The pre-packaged servers, by protocol; of the chart's own table only those that the lock has an image for."""

    def served(name: str) -> dict[str, str]:
        return {"image": image(name).repository, "defaultImageVersion": image(name).tag}

    both = ("sklearn", "xgboost", "mlflow")
    return {
        **{
            f"{kind.upper()}_SERVER": {
                "protocols": {"seldon": served(f"seldon-{kind}"), "v2": served(f"mlserver-{kind}")}
            }
            for kind in both
        },
        "TENSORFLOW_SERVER": {
            "protocols": {"seldon": served("seldon-tensorflow"), "tensorflow": served("tensorflow-serving")}
        },
        "TRITON_SERVER": {"protocols": {"v2": served("triton")}},
        **dict.fromkeys(NOT_OFFERED),
    }


def _split(name: str) -> dict[str, str]:
    """The chart joins registry, repository and tag itself."""
    registry, _, repository = image(name).repository.partition("/")
    return {"registry": registry, "repository": repository, "tag": image(name).tag}


def _without_empty_arguments(objects: list[Manifest]) -> list[Manifest]:
    """The chart leaves one argument that is empty; a flag parser stops there."""
    for container in fixes.containers(objects):
        if "args" in container:
            container["args"] = [argument for argument in container["args"] if argument]
    return objects


def _signed(webhook: Manifest, pair: Certificate) -> Manifest:
    """The chart's webhook with our CA in it: as a resource of the stack it goes away with it."""
    (signed,) = fixes.apply([webhook])
    bundle = pair.ca_crt.apply(lambda pem: base64.b64encode(pem.encode()).decode())
    for hook in signed["webhooks"]:
        hook["clientConfig"]["caBundle"] = bundle
    return signed


def _pod_monitor() -> Manifest:
    selector = {"matchLabels": {"control-plane": "seldon-controller-manager"}}
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": {"name": "seldon-controller-manager", "namespace": NAMESPACE},
        "spec": {"selector": selector, "podMetricsEndpoints": [{"port": "metrics"}]},
    }


def _probe() -> Manifest:
    """A small deployment that the operator's webhook would check."""
    graph = {"name": "model", "implementation": "SKLEARN_SERVER", "modelUri": "s3://models/probe"}
    return {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {"name": "probe", "namespace": NAMESPACE},
        "spec": {"predictors": [{"name": "main", "replicas": 1, "graph": graph}]},
    }
