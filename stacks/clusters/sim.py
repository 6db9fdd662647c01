"""The simulator: a real control plane on this machine, nodes and controllers pretended (docs: simulator/)."""

from __future__ import annotations

from stacks.clusters.traits import ClusterTraits, Ingress, Monitoring

TRAITS = ClusterTraits(
    name="sim",
    title="simulator (real API server, no container runs)",
    storage_class="kwok-volume",
    ingress=Ingress(address="none: the addresses shown are pretended, nothing listens there"),
    monitoring=Monitoring(node_exporter_root_mount=False),
    simulated=True,
    notes=("No container runs: what is deployed is real in the API server and nowhere else.",),
    create=(".venv/bin/python -m simulator up",),
)
