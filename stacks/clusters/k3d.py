"""k3d: k3s in Docker containers, on a laptop."""

from __future__ import annotations

import shlex

from stacks.clusters.traits import ClusterTraits, Ingress, Monitoring

CLUSTER = "aiga"
IMAGE = "rancher/k3s:v1.36.3-k3s1"
CREATE = (
    "k3d",
    "cluster",
    "create",
    CLUSTER,
    "--image",
    IMAGE,
    "--port",
    "8080:80@loadbalancer",
    "--port",
    "8443:443@loadbalancer",
    # Traefik and the Istio gateway would both ask servicelb for ports 80 and 443.
    "--k3s-arg",
    "--disable=traefik@server:*",
    "--wait",
    "--timeout",
    "300s",
)

TRAITS = ClusterTraits(
    name="k3d",
    title="k3d (k3s in Docker)",
    ingress=Ingress(
        https_port=8443,
        address="127.0.0.1: names under .localhost resolve there by themselves",
    ),
    # A node is a container: its / is not a shared mount. Control plane and proxy live in the one k3s process.
    monitoring=Monitoring(node_exporter_root_mount=False),
    notes=("Volumes are local-path directories of one node: ReadWriteOnce, and gone with the cluster.",),
    create=(shlex.join(CREATE),),
)
