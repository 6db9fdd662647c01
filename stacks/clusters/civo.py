"""Civo: managed k3s or Talos, with civo-volume as its StorageClass."""

from __future__ import annotations

from stacks.clusters.traits import ClusterTraits, Ingress

TRAITS = ClusterTraits(
    name="civo",
    title="Civo Kubernetes",
    storage_class="civo-volume",
    ingress=Ingress(address="the load balancer's, in the output gatewayAddress"),
    notes=(
        "Volumes bind when their first pod is scheduled (WaitForFirstConsumer) and are ReadWriteOnce.",
        "Leave the marketplace's Traefik out, else a second load balancer is made; each one is billed.",
        "Take Kubernetes 1.34 or newer (`civo kubernetes versions`): Knative Eventing refuses to start below it.",
    ),
    create=(
        "civo kubernetes create aiga --nodes 3 --size g4s.kube.large --remove-applications=traefik2-nodeport --wait",
        "civo kubernetes config aiga --save --switch",
    ),
)
