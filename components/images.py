"""Which images of the lock a stack runs: those of its layers, of its object store and of its way to a Broker."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from components.upstream import Image, lock

LAYERS: Mapping[str, tuple[str, ...]] = {
    "istio": ("istio-pilot", "istio-proxy"),
    "knative": ("natss-webhook",),
    "nats": ("nats", "nats-exporter", "nats-reloader"),
    "argo": ("argo-workflow-controller", "argo-server", "argo-executor", "argo-events"),
    "seldon": (
        *("seldon-operator", "seldon-executor", "seldon-rclone"),
        *("seldon-sklearn", "seldon-xgboost", "seldon-mlflow", "seldon-tensorflow"),
        *("mlserver-sklearn", "mlserver-xgboost", "mlserver-mlflow", "tensorflow-serving", "triton"),
    ),
    "monitoring": (
        *("prometheus-operator", "prometheus-config-reloader", "thanos", "prometheus", "alertmanager"),
        *("node-exporter", "kube-state-metrics", "grafana", "k8s-sidecar"),
    ),
    "object_store": ("minio-client",),
    "sealed_secrets": ("sealed-secrets-controller",),
    "flux": tuple(f"flux-{name}-controller" for name in ("source", "kustomize", "helm", "notification")),
}
STORES: Mapping[str, tuple[str, ...]] = {
    "minio": ("minio",),
    "rustfs": ("rustfs", "busybox"),
    "seaweedfs": ("seaweedfs",),
    "s3": (),
}
BROKERS: Mapping[str, tuple[str, ...]] = {
    "channel": ("natss-channel-controller", "natss-channel-dispatcher"),
    "native": ("natss-broker-controller", "natss-broker-filter", "natss-broker-ingress"),
}


def used(layers: Collection[str], *, driver: str, broker: str) -> list[Image]:
    """The images of the layers that are on."""
    more = {"object_store": STORES[driver], "knative": BROKERS[broker]}
    return [lock().images[name] for layer in layers for name in (*LAYERS[layer], *more.get(layer, ()))]
