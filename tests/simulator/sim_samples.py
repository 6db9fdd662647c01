"""Small objects for the tests."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]


def deployment(namespace: str, name: str, replicas: int = 1) -> Object:
    labels = {"app": name}
    container = {"name": "main", "image": "example.invalid/nothing:1"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def service(namespace: str, name: str, kind: str = "ClusterIP") -> Object:
    ports = [{"port": 443, "targetPort": 8443}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"type": kind, "selector": {"app": name}, "ports": ports},
    }


def claim(namespace: str, name: str, size: str = "1Gi") -> Object:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}},
    }


def config_map(namespace: str, name: str, **labels: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "data": {"key": "value"},
    }


def webhook(namespace: str, name: str, bundle: str | None = None, rules: bool = True) -> Object:
    """Has to agree to every ConfigMap that carries the label `ask: <name>`."""
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["configmaps"]}
    client: Object = {"service": {"namespace": namespace, "name": name, "path": "/validate", "port": 443}}
    if bundle:
        client["caBundle"] = bundle
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": f"{namespace}-{name}"},
        "webhooks": [
            {
                "name": f"{name}.example.org",
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "failurePolicy": "Fail",
                "timeoutSeconds": 5,
                "objectSelector": {"matchLabels": {"ask": name}},
                "clientConfig": client,
                "rules": [rule] if rules else [],
            }
        ],
    }


def blank_webhook(namespace: str, service: str, name: str) -> Object:
    """As Knative ships them: its controller writes the rest."""
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [
            {
                "name": name,
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "failurePolicy": "Fail",
                "timeoutSeconds": 2,
                "clientConfig": {"service": {"namespace": namespace, "name": service}},
            }
        ],
    }
