"""A cluster of one's own (kubeadm and the like), with no cloud around it."""

from __future__ import annotations

from stacks.clusters.traits import ClusterTraits, Ingress

TRAITS = ClusterTraits(
    name="on-prem",
    title="On-premises (kubeadm)",
    ingress=Ingress(
        # A LoadBalancer stays <pending> for ever where nothing hands out addresses.
        service_type="NodePort",
        address="any node's address; with MetalLB set aiga:gateway.serviceType to LoadBalancer",
    ),
    # kubeadm binds the control plane's metrics to 127.0.0.1: rebind them before turning these monitors on.
    notes=(
        "A default StorageClass is needed (local-path-provisioner is enough), or name one in aiga:storageClass.",
        "The control plane must reach pods on ports 15017, 8443 and 4443, where admission webhooks listen.",
    ),
    create=("kubeadm init --pod-network-cidr=10.244.0.0/16   # then a network plugin, and kubeadm join on each node",),
)
