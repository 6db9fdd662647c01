"""Whether somebody stands behind a Service."""

from __future__ import annotations

from simulator.watching import Api

_SERVICE_LABEL = "kubernetes.io/service-name"


def ready(api: Api, namespace: str, service: str) -> bool:
    """Whether it has a ready pod: asked of the server at each call, so that no answer is older than the pods' own."""
    path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
    query = {"labelSelector": f"{_SERVICE_LABEL}={service}"}
    slices = api.send("GET", path, subject="endpoints", query=query).body["items"]
    endpoints = [endpoint for each in slices for endpoint in each.get("endpoints") or []]
    return any((endpoint.get("conditions") or {}).get("ready", True) for endpoint in endpoints)
