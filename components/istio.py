"""Istio: the gateway for clients, routing and traffic split between predictors, mTLS where sidecars run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

from components import chart, fixes
from components.context import Context
from components.gate import Gate
from components.install import Installed, Manifest, install, register
from components.keys import Certificate
from components.manifests import tls_secret
from components.upstream import image

NAMESPACE = "istio-system"
MODELS_GATEWAY = "seldon-gateway"
PAGES_GATEWAY = "pages-gateway"
TLS_SECRET = "gateway-tls"
INGRESS = "istio-ingressgateway"
"""Release name of the gateway chart: it makes the label `istio: ingressgateway` that gateways select."""


@dataclass(frozen=True, kw_only=True)
class IstioArgs:
    domain: str
    """Pages are served under <page>.<domain>, models under every host."""
    tls_secret: str | None = None
    """A TLS Secret of your own in istio-system; None makes a certificate signed by a CA of the stack."""
    tls_generation: int = 1
    """Raised by one, it renews the generated certificate."""
    service_type: str = "LoadBalancer"
    """How clients reach the gateway: LoadBalancer, or NodePort where the cluster has none."""
    node_ports: tuple[int, int] = (30080, 30443)
    """Ports of every node for HTTP and HTTPS, where the Service is a NodePort: the URLs name them."""
    service_annotations: dict[str, str] = field(default_factory=dict)
    after: Sequence[pulumi.Resource]


class Istio(pulumi.ComponentResource):
    """istiod, the gateway deployment, a Gateway for models and one for pages, and STRICT mTLS."""

    pages_gateway: pulumi.Output[str]
    """`namespace/name` for the VirtualServices of pages."""
    models_gateway: pulumi.Output[str]
    """`namespace/name` for SeldonDeployments."""
    address: pulumi.Output[str]
    """Where the load balancer answers: an address or a host name; empty when there is none."""

    def __init__(
        self, name: str, context: Context, args: IstioArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("aiga:platform:Istio", name, None, opts)
        control = self._control_plane(name, context, args)
        gate = Gate(
            f"{name}-webhooks",
            layer="istio",
            probes=[_gateway("probe", ["probe.invalid"], None), _injected_pod()],
            opts=pulumi.ResourceOptions(parent=self, depends_on=control.last),
        )
        gateway = self._gateway(name, context, args, [*args.after, gate])
        secret = args.tls_secret or self._certificate(name, context, args)
        own = pulumi.ResourceOptions(parent=self, depends_on=[gate])
        for manifest in (
            _gateway(MODELS_GATEWAY, ["*"], secret, plain=context.profile != "prod"),
            _gateway(PAGES_GATEWAY, [f"*.{args.domain}"], secret),
            _strict_mtls(),
        ):
            register(context, name, manifest, own)
        self.control = control
        self.pages_gateway = gateway.after(f"{NAMESPACE}/{PAGES_GATEWAY}")
        self.models_gateway = gateway.after(f"{NAMESPACE}/{MODELS_GATEWAY}")
        self.address = _address(gateway)
        self.register_outputs({"address": self.address})

    def _control_plane(self, name: str, context: Context, args: IstioArgs) -> Installed:
        base = chart.render(
            context, "base", release="istio-base", namespace=NAMESPACE, values=chart.values("base", context.profile)
        )
        istiod = chart.render(
            context,
            "istiod",
            release="istiod",
            namespace=NAMESPACE,
            values=chart.values("istiod", context.profile, _images()),
        )
        return install(context, name, [*base, *istiod, *monitors()], parent=self, after=args.after)

    def _gateway(self, name: str, context: Context, args: IstioArgs, after: Sequence[pulumi.Resource]) -> Installed:
        service = {"service": _service(args)}
        objects = chart.render(
            context,
            "gateway",
            release=INGRESS,
            namespace=NAMESPACE,
            values=chart.values("gateway", context.profile, service),
        )
        # The proxy proves who it is by a token of its own, which the injector mounts for istiod alone.
        mended = fixes.apply(objects, fixes.without_token(INGRESS))
        return install(context, f"{name}-ingress", mended, parent=self, after=after)

    def _certificate(self, name: str, context: Context, args: IstioArgs) -> str:
        pair = Certificate(
            f"{name}-tls",
            dns_names=[args.domain, f"*.{args.domain}"],
            generation=args.tls_generation,
            opts=pulumi.ResourceOptions(parent=self),
        )
        secret = tls_secret(TLS_SECRET, NAMESPACE, pair)
        register(context, name, secret, pulumi.ResourceOptions(parent=self, depends_on=list(args.after)))
        return TLS_SECRET


def virtual_service(
    name: str, namespace: str, gateway: pulumi.Input[str], host: str, *, target: str, port: int
) -> Manifest:
    """Routes a page's host through the pages' gateway to a Service of the namespace."""
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "hosts": [host],
            "gateways": [gateway],
            "http": [
                {
                    "route": [
                        {"destination": {"host": f"{target}.{namespace}.svc.cluster.local", "port": {"number": port}}}
                    ]
                }
            ],
        },
    }


def _service(args: IstioArgs) -> dict[str, Any]:
    service: dict[str, Any] = {"type": args.service_type, "annotations": args.service_annotations}
    if args.service_type == "NodePort":
        http, https = args.node_ports
        service["ports"] = [
            {"name": "http2", "port": 80, "targetPort": 80, "nodePort": http},
            {"name": "https", "port": 443, "targetPort": 443, "nodePort": https},
        ]
    return service


def monitors() -> list[Manifest]:
    """The charts bring none: istiod's own metrics, and what Envoy counts in the gateway."""
    istiod = {"selector": {"matchLabels": {"app": "istiod"}}, "endpoints": [{"port": "http-monitoring"}]}
    envoy = {"port": "http-envoy-prom", "path": "/stats/prometheus"}
    gateway = {"selector": {"matchLabels": {"istio": "ingressgateway"}}, "podMetricsEndpoints": [envoy]}
    common = {"apiVersion": "monitoring.coreos.com/v1"}
    return [
        {**common, "kind": "ServiceMonitor", "metadata": {"name": "istiod", "namespace": NAMESPACE}, "spec": istiod},
        {**common, "kind": "PodMonitor", "metadata": {"name": INGRESS, "namespace": NAMESPACE}, "spec": gateway},
    ]


def _images() -> dict[str, Any]:
    """Full references: one tag feeds all images, and the chart of a source tree says `latest`."""
    proxy = image("istio-proxy")
    hub, _, version = proxy.ref.rpartition(":")
    shared = {"hub": hub.rpartition("/")[0], "tag": version}
    injected = {"proxy": {"image": proxy.reference}, "proxy_init": {"image": proxy.reference}}
    return {"image": image("istio-pilot").reference, "global": {**shared, **injected}}


def _gateway(name: str, hosts: list[str], secret: str | None, *, plain: bool = False) -> Manifest:
    """Over TLS where there is a certificate; `plain` serves HTTP beside it, else HTTP is sent there."""
    http: dict[str, Any] = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": hosts}
    if secret is None:
        servers = [http]
    else:
        redirected = {} if plain else {"tls": {"httpsRedirect": True}}
        servers = [{**http, **redirected}, _tls(hosts, secret)]
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "Gateway",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"selector": {"istio": "ingressgateway"}, "servers": servers},
    }


def _tls(hosts: list[str], secret: str) -> dict[str, Any]:
    port = {"number": 443, "name": "https", "protocol": "HTTPS"}
    return {
        "port": port,
        "hosts": hosts,
        "tls": {"mode": "SIMPLE", "credentialName": secret, "minProtocolVersion": "TLSV1_2"},
    }


def _strict_mtls() -> Manifest:
    """For the whole mesh: it binds the workloads that have a sidecar, and asks nothing of those that have none."""
    return {
        "apiVersion": "security.istio.io/v1",
        "kind": "PeerAuthentication",
        "metadata": {"name": "default", "namespace": NAMESPACE},
        "spec": {"mtls": {"mode": "STRICT"}},
    }


def _injected_pod() -> Manifest:
    """What the gateway's pods look like to the injector: only a dry run of it shows that the injector answers."""
    security = {
        "allowPrivilegeEscalation": False,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "probe", "namespace": NAMESPACE, "labels": {"sidecar.istio.io/inject": "true"}},
        "spec": {"containers": [{"name": "probe", "image": "probe.invalid/probe", "securityContext": security}]},
    }


def _address(gateway: Installed) -> pulumi.Output[str]:
    def found(status: Any) -> str:
        ingress = ((status or {}).get("load_balancer") or {}).get("ingress") or [{}]
        return str(ingress[0].get("hostname") or ingress[0].get("ip") or "")

    service = next(r for r in gateway.resources if r.pulumi_resource_type == "kubernetes:core/v1:Service")
    return pulumi.Output.from_input(getattr(service, "status", None)).apply(found)
