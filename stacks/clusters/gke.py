"""GKE Standard. Autopilot is not supported."""

from __future__ import annotations

from stacks.clusters.traits import ClusterTraits, Ingress

WEBHOOK_PORTS = (15017, 8443, 4443)
"""istiod, Knative and NATS, Seldon: what the control plane must reach on the nodes besides 443 and 10250."""

_PORTS = ",".join(f"tcp:{port}" for port in WEBHOOK_PORTS)

TRAITS = ClusterTraits(
    name="gke",
    title="Google Kubernetes Engine, Standard mode",
    storage_class="standard-rwo",
    ingress=Ingress(address="the load balancer's, in the output gatewayAddress"),
    notes=(
        "Autopilot is not supported: it denies istio-init's NET_ADMIN, node-exporter's host paths and Services in "
        "kube-system.",
        "The deploying account needs cluster-admin (a ClusterRoleBinding): charts bring roles wider than an editor's.",
        f"A private cluster's firewall opens only 443 and 10250 from the control plane to the nodes: open {_PORTS} "
        "too, else every admission webhook times out.",
    ),
    create=(
        "gcloud container clusters create aiga --release-channel=rapid --num-nodes=2 --node-locations=ZONES "
        "--machine-type=e2-standard-4 --enable-ip-alias --workload-pool=PROJECT.svc.id.goog",
        "gcloud container clusters get-credentials aiga",
        "kubectl create clusterrolebinding aiga-admin --clusterrole=cluster-admin "
        "--user=$(gcloud config get-value account)",
        "gcloud compute firewall-rules create aiga-webhooks --direction=INGRESS --network=NETWORK "
        f"--source-ranges=CONTROL_PLANE_CIDR --target-tags=NODE_TAG --allow={_PORTS}",
    ),
)
