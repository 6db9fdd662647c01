"""Prometheus, Alertmanager and Grafana: what the platform and its models measure, and who is told when it goes wrong.

Discovery spans all namespaces: every layer and every project brings its own monitors, rules and dashboards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_random as random
import yaml

from components import chart, fixes
from components.context import Context
from components.install import install, register
from components.istio import virtual_service
from components.manifests import secret
from components.objects import Objects
from components.upstream import Image, image

NAMESPACE = "monitoring"
EXPORTER_NAMESPACE = "node-exporter"
PROMETHEUS = f"http://kps-prometheus.{NAMESPACE}.svc.cluster.local:9090"
ALERTMANAGER_SECRET = "alertmanager-config"


class MonitoringKinds(pulumi.ComponentResource):
    """The CRDs of the Prometheus operator, which every layer's monitors need before the operator itself runs."""

    objects: Objects

    def __init__(
        self,
        name: str,
        context: Context,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("aiga:platform:MonitoringKinds", name, None, opts)
        crds = chart.render(
            context,
            "prometheus-operator-crds",
            release="prometheus-operator-crds",
            namespace=NAMESPACE,
            values=chart.values("prometheus-operator-crds", context.profile),
        )
        guarded = pulumi.ResourceOptions(parent=self, protect=context.protect or None, depends_on=list(context.first))
        self.objects = Objects(f"{name}-crds", crds, opts=guarded)
        self.register_outputs({})


@dataclass(frozen=True, kw_only=True)
class MonitoringArgs:
    domain: str
    retention: str | None = None
    """How long samples are kept, e.g. 15d; the profile's when None."""
    alert_webhook: pulumi.Input[str] | None = None
    """Where Alertmanager posts alerts; none are sent when None."""
    overrides: dict[str, Any] = field(default_factory=dict)
    """Chart values that a cluster provider needs, from its traits."""
    pages_gateway: pulumi.Input[str] | None
    after: Sequence[pulumi.Resource]
    exporter_after: Sequence[pulumi.Resource]
    """The namespace of node-exporter, which is apart because it may read the host."""


class Monitoring(pulumi.ComponentResource):
    """The operator with its Prometheus, Alertmanager and Grafana, and their rules and dashboards."""

    prometheus_url: pulumi.Output[str]
    """In-cluster URL, known once the operator is ready."""

    def __init__(
        self, name: str, context: Context, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("aiga:platform:Monitoring", name, None, opts)
        early = pulumi.ResourceOptions(parent=self, depends_on=list(args.after))
        password = random.RandomPassword(
            f"{name}-grafana-admin", length=32, special=False, opts=pulumi.ResourceOptions(parent=self)
        )
        admin: dict[str, pulumi.Input[str]] = {"admin-user": "admin", "admin-password": password.result}
        receivers = {"alertmanager.yaml": _receivers(args.alert_webhook)}
        secrets = [
            register(context, name, secret("grafana-admin", NAMESPACE, admin), early),
            register(context, name, secret(ALERTMANAGER_SECRET, NAMESPACE, receivers), early),
        ]
        values = chart.values("kube-prometheus-stack", context.profile, _values(context, args), args.overrides)
        objects = chart.render(context, "kube-prometheus-stack", release="kps", namespace=NAMESPACE, values=values)
        mended = fixes.apply(objects, fixes.budgeted, fixes.spread)
        installed = install(context, name, mended, parent=self, after=[*args.after, *args.exporter_after, *secrets])
        if args.pages_gateway is not None:
            host = f"grafana.{args.domain}"
            page = virtual_service("grafana", NAMESPACE, args.pages_gateway, host, target="kps-grafana", port=80)
            register(context, name, page, pulumi.ResourceOptions(parent=self, depends_on=installed.last))
        self.prometheus_url = installed.after(PROMETHEUS)
        self.register_outputs({"prometheusUrl": self.prometheus_url})


def _values(context: Context, args: MonitoringArgs) -> dict[str, Any]:
    volume = {"storageClassName": context.storage_class} if context.storage_class else {}
    claim = {"volumeClaimTemplate": {"spec": volume}} if volume else {}
    alertmanager: dict[str, Any] = {"configSecret": ALERTMANAGER_SECRET, **_sha("alertmanager")}
    if context.profile == "prod":  # only there has Alertmanager a volume
        alertmanager["storage"] = claim
    prometheus: dict[str, Any] = {"storageSpec": claim, **_sha("prometheus")}
    if args.retention:
        prometheus["retention"] = args.retention
    return {
        "prometheusOperator": {
            **_sha("prometheus-operator"),
            "prometheusConfigReloader": _sha("prometheus-config-reloader"),
            "thanosImage": _sha("thanos").get("image", {}),
            "kubeletService": {"namespace": NAMESPACE},
        },
        "kubelet": {"namespace": NAMESPACE},
        "coreDns": {"enabled": False},
        "prometheus": {"prometheusSpec": prometheus},
        "alertmanager": {"alertmanagerSpec": alertmanager},
        "grafana": {**_sha("grafana"), "sidecar": _sha("k8s-sidecar")},
        "kube-state-metrics": _sha("kube-state-metrics", prefix="sha256:"),
        "prometheus-node-exporter": _digest(image("node-exporter")),
    }


def _sha(name: str, prefix: str = "") -> dict[str, Any]:
    """These charts take a digest beside the tag, bare or with its algorithm, and nothing where there is none."""
    pinned = image(name)
    return {"image": {"sha": prefix + pinned.digest.removeprefix("sha256:")}} if pinned.digest else {}


def _digest(pinned: Image) -> dict[str, Any]:
    return {"image": {"digest": pinned.digest}} if pinned.digest else {}


def _receivers(webhook: pulumi.Input[str] | None) -> pulumi.Output[str]:
    """Alertmanager's configuration: everything to one receiver, grouped, with the watchdog kept out."""

    def document(url: str | None) -> str:
        receiver: dict[str, Any] = {"name": "default"}
        if url:
            receiver["webhook_configs"] = [{"url": url, "send_resolved": True}]
        routes = [{"receiver": "none", "matchers": ["alertname = Watchdog"]}]
        route = {"receiver": "default", "group_by": ["alertname", "namespace"], "routes": routes}
        return yaml.safe_dump({"route": route, "receivers": [receiver, {"name": "none"}]})

    return pulumi.Output.secret(pulumi.Output.from_input(webhook).apply(document))
