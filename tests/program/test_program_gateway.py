"""The gateway's Service and the URLs that lead to it agree, on every provider and for every type of Service."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from stacks.clusters import CLUSTERS
from stacks.recording import Recording

ISTIO_ALONE = json.dumps(
    dict.fromkeys(("knative", "nats", "argo", "seldon", "monitoring", "objectStore", "sealedSecrets", "flux"), False)
)
ALLOWED = range(30000, 32768)
"""Ports that Kubernetes gives to Services of type NodePort; it refuses any other."""


@pytest.mark.parametrize("provider", CLUSTERS)
def test_a_node_port_is_one_that_kubernetes_gives_and_the_urls_carry_it(
    run: Callable[..., Recording], provider: str
) -> None:
    recording = run(provider=provider, layers=ISTIO_ALONE, gateway=json.dumps({"serviceType": "NodePort"}))
    (gateway,) = [
        made.inputs["spec"]
        for made in recording.resources
        if made.type == "kubernetes:core/v1:Service" and made.inputs["metadata"]["name"] == "istio-ingressgateway"
    ]
    assert gateway["type"] == "NodePort"
    ports = {port["port"]: port.get("nodePort") for port in gateway["ports"]}
    asked = {port for port in ports.values() if port is not None}
    assert len(asked) == 2
    assert asked <= set(ALLOWED), f"{provider}: the API server refuses {asked - set(ALLOWED)}"
    assert urlsplit(recording.outputs["services"]["models"]["url"]).port == ports[443]
