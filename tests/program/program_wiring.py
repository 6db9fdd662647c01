"""What a recorded program's objects say of one another: which Service an address is, which pods a selector means."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any
from urllib.parse import urlsplit

from program_world import CLUSTER, offline

from components import fixes
from components.network import FLOWS
from stacks.footprint import manifests
from stacks.recording import Recording, record

Manifest = dict[str, Any]
SHAPES = (
    ("laptop", "rustfs", "channel", "1.36.3"),
    ("laptop", "minio", "native", "1.35.0"),
    ("laptop", "seaweedfs", "channel", "1.35.0"),
    ("team", "rustfs", "native", "1.36.3"),
    ("team", "minio", "channel", "1.35.0"),
    ("team", "seaweedfs", "channel", "1.36.3"),
    ("prod", "minio", "channel", "1.36.3"),
    ("prod", "rustfs", "channel", "1.35.0"),
    ("prod", "seaweedfs", "native", "1.36.3"),
)
"""Profile, object store, Broker and Kubernetes: every pair of the first three is in some shape."""
CLASS = "fast"
PORTS = {"http": 80, "https": 443, "nats": 4222}
OPERATED = {
    ("monitoring", "prometheus"): {
        "labels": {"app.kubernetes.io/name": "prometheus", "operator.prometheus.io/name": "kps"},
        "ports": {"http-web": 9090, "reloader-web": 8080},
    },
    ("monitoring", "alertmanager"): {
        "labels": {"app.kubernetes.io/name": "alertmanager", "alertmanager": "kps"},
        "ports": {"http-web": 9093, "reloader-web": 8080},
    },
}
"""Pods that the Prometheus operator makes of its custom resources."""


@dataclass(frozen=True)
class Pods:
    """The pods of one workload. `ports` are what its containers declare, by name, or by number where it has none."""

    namespace: str
    name: str
    labels: Mapping[str, str]
    ports: Mapping[str, int]


@dataclass(frozen=True)
class Wiring:
    recording: Recording

    @cached_property
    def objects(self) -> list[Manifest]:
        return list(manifests(self.recording))

    def of(self, *kinds: str) -> list[Manifest]:
        return [o for o in self.objects if o["kind"] in kinds]

    def find(self, kind: str, namespace: str | None, name: str) -> Manifest | None:
        found = (o for o in self.of(kind) if o["metadata"]["name"] == name)
        return next((o for o in found if o["metadata"].get("namespace") == namespace), None)

    @cached_property
    def pods(self) -> list[Pods]:
        found = [Pods(space, name, made["labels"], made["ports"]) for (space, name), made in OPERATED.items()]
        for workload in fixes.workloads(self.objects):
            declared = [port for c in fixes.containers([workload]) for port in c.get("ports") or []]
            ports = {str(port.get("name", port["containerPort"])): port["containerPort"] for port in declared}
            metadata = workload["metadata"]
            found.append(Pods(metadata["namespace"], metadata["name"], fixes.pod_labels(workload), ports))
        return found

    @cached_property
    def services(self) -> dict[tuple[str, str], Manifest]:
        """Every Service by namespace and name, with those that Argo Events makes of an EventSource."""
        found = {(o["metadata"]["namespace"], o["metadata"]["name"]): o for o in self.of("Service")}
        for source in self.of("EventSource"):
            metadata = source["metadata"]
            found[metadata["namespace"], f"{metadata['name']}-eventsource-svc"] = {
                "metadata": metadata,
                "spec": source["spec"]["service"],
            }
        return found

    def answers(self, url: str) -> bool:
        """Whether an in-cluster URL, or `host:port`, is a Service of ours with that port."""
        parts = urlsplit(url if "://" in url else f"http://{url}")
        name, namespace, *_ = (parts.hostname or "").split(".")
        service = self.services.get((namespace, name))
        port = parts.port or PORTS[parts.scheme]
        return service is not None and any(p["port"] == port for p in service["spec"]["ports"])

    def behind(self, service: Manifest) -> list[Pods]:
        selector = service["spec"].get("selector") or {}
        return [p for p in self.pods if p.namespace == service["metadata"]["namespace"] and chosen(selector, p.labels)]

    def targets(self, service: Manifest, port: Mapping[str, Any]) -> set[int]:
        """The container ports that a port of a Service leads to."""
        target = port.get("targetPort") or port["port"]
        if isinstance(target, int):
            return {target}
        return {p.ports[target] for p in self.behind(service) if target in p.ports}

    def scraped(self, monitor: Manifest) -> set[tuple[str, int]]:
        """Namespace and container port of everything a ServiceMonitor or PodMonitor of ours reaches."""
        selector = monitor["spec"]["selector"]
        named = (monitor["spec"].get("namespaceSelector") or {}).get("matchNames")
        spaces = named or [monitor["metadata"]["namespace"]]
        if monitor["kind"] == "PodMonitor":
            wanted = [e["port"] for e in monitor["spec"]["podMetricsEndpoints"]]
            pods = [p for p in self.pods if p.namespace in spaces and selected(selector, p.labels)]
            return {(p.namespace, p.ports[port]) for p in pods for port in wanted if port in p.ports}
        wanted = [e["port"] for e in monitor["spec"]["endpoints"]]
        services = [s for s in self.of("Service") if s["metadata"]["namespace"] in spaces]
        return {
            (s["metadata"]["namespace"], target)
            for s in services
            if selected(selector, s["metadata"].get("labels", {}))
            for port in s["spec"]["ports"]
            if port.get("name") in wanted
            for target in self.targets(s, port)
        }

    def references(self, kind: str) -> Iterator[tuple[str, str, str, list[str], bool]]:
        """Every Secret or ConfigMap that a pod names: who, namespace, name, keys, optional."""
        word = {"Secret": "secret", "ConfigMap": "configMap"}[kind]
        for w in fixes.workloads(self.objects):
            who, namespace = f"{w['kind']} {w['metadata']['name']}", w["metadata"]["namespace"]
            spec = fixes.pod_spec(w)
            for volume in spec.get("volumes") or []:
                for source in [volume, *(volume.get("projected") or {}).get("sources", [])]:
                    if word in source:
                        given = source[word]
                        keys = [item["key"] for item in given.get("items") or []]
                        name = given.get("secretName") or given["name"]
                        yield who, namespace, name, keys, bool(given.get("optional"))
            for container in fixes.containers([w]):
                for source in container.get("envFrom") or []:
                    if f"{word}Ref" in source:
                        given = source[f"{word}Ref"]
                        yield who, namespace, given["name"], [], bool(given.get("optional"))
                for variable in container.get("env") or []:
                    given = (variable.get("valueFrom") or {}).get(f"{word}KeyRef")
                    if given:
                        yield who, namespace, given["name"], [given["key"]], bool(given.get("optional"))


@cache
def wired(profile: str, driver: str, broker: str, version: str) -> Wiring:
    offline()
    config = {
        "aiga:profile": profile,
        "aiga:provider": "on-prem",
        "aiga:context": "none",
        "aiga:storageClass": CLASS,
        "aiga:broker": broker,
        "aiga:kubernetesVersion": version,
        "aiga:objectStore": json.dumps({"driver": driver}),
        "aiga:allowUnverified": "true",
    }
    return Wiring(record({**CLUSTER, **config}, "test"))


def keys(o: Manifest) -> set[str]:
    return {key for part in ("data", "stringData", "binaryData") for key in o.get(part) or {}}


def chosen(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return bool(selector) and selector.items() <= labels.items()


def selected(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """A label selector with `matchLabels` and `In` expressions."""
    expressions = selector.get("matchExpressions") or []
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        labels.get(e["key"]) in e["values"] for e in expressions
    )


def admitted(source: str, namespace: str, port: int) -> bool:
    """Whether the flows let a party reach a port of a namespace."""
    return source == namespace or any(
        port in f.ports for f in FLOWS if f.source in (source, "anywhere") and f.target == namespace
    )
