"""Which pods may speak to which: the flows of the layer graph, and the NetworkPolicies that admit nothing else.

Every namespace denies all traffic by default, in and out. Three things are open to all: DNS, the API server (whose
address no policy can name portably, hence by port) and traffic within the namespace.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from aiga.names import PROJECT_LABEL, PROJECT_PREFIX

Manifest = dict[str, Any]
Party = Literal["anywhere", "projects", "namespaces"] | str
"""A namespace by name; `projects`: every `project-<name>`; `namespaces`: every one; `anywhere`: any address."""

API_SERVER_PORTS = (443, 6443)
STORE = "storage"
SCHEMES = {"http": 80, "https": 443, "ssh": 22}
"""Ports of URLs that name none."""


@dataclass(frozen=True)
class Flow:
    """Traffic from one party to another on some TCP ports of the receiving pods."""

    source: Party
    target: Party
    ports: tuple[int, ...]
    why: str


FLOWS = (
    Flow("anywhere", "istio-system", (80, 443, 8080, 8443), "clients reach the gateway"),
    Flow("anywhere", "istio-system", (15021,), "load balancers probe the gateway"),
    Flow("anywhere", "istio-system", (15017,), "the API server calls istiod's webhooks"),
    Flow("namespaces", "istio-system", (15012,), "sidecars fetch their configuration"),
    Flow("monitoring", "istio-system", (15014, 15020, 15090), "metrics"),
    Flow("istio-system", "monitoring", (3000,), "Grafana through the gateway"),
    Flow("istio-system", "argo", (2746,), "Argo's page through the gateway"),
    Flow("istio-system", "argo-events", (12000,), "webhooks through the gateway"),
    Flow("istio-system", "projects", (8000, 5001, 9000, 9500), "predictions through the gateway"),
    Flow("knative-eventing", "nats-io", (4222,), "channels and brokers keep events in JetStream"),
    Flow("argo-events", "nats-io", (4222,), "the EventBus"),
    Flow("projects", "nats-io", (4222,), "native Brokers deliver what JetStream keeps"),
    Flow("monitoring", "nats-io", (7777,), "metrics"),
    Flow("anywhere", "knative-eventing", (8443,), "the API server calls the webhooks"),
    Flow("projects", "knative-eventing", (8080,), "models and monitors send events to their Broker"),
    Flow("seldon-system", "knative-eventing", (8080,), "the request logger's default Broker"),
    Flow("argo-events", "knative-eventing", (8080,), "sensors send events to a Broker"),
    Flow("knative-eventing", "projects", (80, 8080, 9000), "Triggers deliver events to monitors and models"),
    Flow("monitoring", "knative-eventing", (9090, 9092), "metrics"),
    Flow("argo", STORE, (9000, 8333), "workflow artefacts"),
    Flow("projects", STORE, (9000, 8333), "data and models"),
    Flow("flux-system", STORE, (9000, 8333), "releases from the platform's own store"),
    Flow("monitoring", STORE, (9000, 9324, 9327), "metrics"),
    Flow("monitoring", "argo", (9090,), "metrics"),
    Flow("monitoring", "argo-events", (7777, 8081), "metrics"),
    Flow("anywhere", "seldon-system", (4443,), "the API server calls the webhook"),
    Flow("monitoring", "seldon-system", (8080,), "metrics"),
    Flow("projects", "monitoring", (9090,), "canary gates ask Prometheus"),
    Flow("monitoring", "projects", (6000, 8000, 8080, 9090), "metrics of models and monitors"),
    Flow("monitoring", "anywhere", (9100, 10250), "metrics of the nodes, which have no namespace"),
    Flow("monitoring", "anywhere", (443,), "Alertmanager tells receivers outside"),
    Flow("anywhere", "sealed-secrets", (8080,), "kubeseal, through the API server"),
    Flow("monitoring", "sealed-secrets", (8081,), "metrics"),
    Flow("flux-system", "anywhere", (22, 443), "Git hosts"),
    Flow("monitoring", "flux-system", (8080,), "metrics"),
)


def policies(namespace: str, present: Collection[str], *, outside: Iterable[Flow] = ()) -> list[Manifest]:
    """The NetworkPolicies of one namespace, of the platform or of a project.

    Args:
        present: The namespaces that the stack has; a flow with another one is left out.
        outside: Flows beside those of the layer graph, from `to_outside`.
    """
    own = "projects" if namespace.startswith(PROJECT_PREFIX) else namespace
    flows = [*FLOWS, *outside]
    ingress = [_rule("from", f.source, f.ports) for f in flows if f.target == own and _has(f.source, present)]
    egress = [
        _rule("to", f.target, f.ports) for f in flows if f.source in (own, "namespaces") and _has(f.target, present)
    ]
    common = [
        {"to": [_namespace("kube-system")], "ports": [{"protocol": p, "port": 53} for p in ("UDP", "TCP")]},
        {"ports": [{"protocol": "TCP", "port": port} for port in API_SERVER_PORTS]},
        {"to": [{"podSelector": {}}]},
    ]
    return [
        _policy(namespace, "default-deny", {"policyTypes": ["Ingress", "Egress"]}),
        _policy(
            namespace,
            "flows",
            {
                "policyTypes": ["Ingress", "Egress"],
                "ingress": [{"from": [{"podSelector": {}}]}, *ingress],
                "egress": common + egress,
            },
        ),
    ]


def to_outside(*, store: str | None = None, repository: str | None = None, alerts: str | None = None) -> list[Flow]:
    """The flows to URLs that the stack is given, each by its port: no policy can name a host.

    Args:
        store: An object store that is not the cluster's own. Who may reach that one may reach this, as may the Job
            that makes its buckets.
        repository: Flux's, of Git.
        alerts: Where Alertmanager posts.
    """
    users = [STORE, *(f.source for f in FLOWS if f.target == STORE and f.source != "monitoring")]
    return [
        *(Flow(user, "anywhere", (port(store),), "the object store outside") for user in users if store),
        *([Flow("flux-system", "anywhere", (port(repository),), "the repository of releases")] if repository else []),
        *([Flow("monitoring", "anywhere", (port(alerts),), "the receiver of alerts")] if alerts else []),
    ]


def port(url: str) -> int:
    """The port that a URL says, else that of its scheme."""
    parts = urlsplit(url)
    return parts.port or SCHEMES[parts.scheme]


def _has(party: Party, present: Collection[str]) -> bool:
    return party in ("anywhere", "projects", "namespaces") or party in present


def _rule(direction: Literal["from", "to"], party: Party, ports: tuple[int, ...]) -> dict[str, Any]:
    rule: dict[str, Any] = {"ports": [{"protocol": "TCP", "port": port} for port in ports]}
    return rule if party == "anywhere" else {direction: [_peer(party)], **rule}


def _peer(party: Party) -> dict[str, Any]:
    if party == "projects":
        return {"namespaceSelector": {"matchExpressions": [{"key": PROJECT_LABEL, "operator": "Exists"}]}}
    return {"namespaceSelector": {}} if party == "namespaces" else _namespace(party)


def _namespace(name: str) -> dict[str, Any]:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


def _policy(namespace: str, name: str, spec: dict[str, Any]) -> Manifest:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"podSelector": {}, **spec},
    }
