"""A stand-in does what it is told: each value shows where the real chart would show it."""

from __future__ import annotations

from functools import reduce
from typing import Any

import pytest
from conftest import Rendered

from simulator.standins import StandinError

SIZED = {"requests": {"cpu": "7m", "memory": "77Mi"}}
SPREAD = [{"maxSkew": 7, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}]
FIRST = ("spec", "template", "spec", "containers", 0)

# entry, values, object, path into it, what must stand there
VALUES: list[tuple[str, dict[str, Any], str, tuple[Any, ...], Any]] = [
    ("istiod", {"resources": SIZED}, "Deployment/istio-system/istiod", (*FIRST, "resources", "requests"), SIZED["requests"]),
    ("istiod", {"replicaCount": 3}, "Deployment/istio-system/istiod", ("spec", "replicas"), 3),
    ("istiod", {"global": {"hub": "r.example", "tag": "7"}}, "Deployment/istio-system/istiod", (*FIRST, "image"), "r.example/pilot:7"),
    ("istiod", {"base": {"validationFailurePolicy": "Ignore"}}, "ValidatingWebhookConfiguration/-/istio-validator-istio-system", ("webhooks", 0, "failurePolicy"), "Ignore"),
    ("istiod", {"topologySpreadConstraints": SPREAD}, "Deployment/istio-system/istiod", ("spec", "template", "spec", "topologySpreadConstraints"), SPREAD),
    ("gateway", {"service": {"type": "NodePort"}}, "Service/istio-system/istio-ingressgateway", ("spec", "type"), "NodePort"),
    ("gateway", {"service": {"annotations": {"a": "b"}}}, "Service/istio-system/istio-ingressgateway", ("metadata", "annotations", "a"), "b"),
    ("nats", {"container": {"merge": {"resources": SIZED}}}, "StatefulSet/-/nats", (*FIRST, "resources", "requests"), SIZED["requests"]),
    ("nats", {"podTemplate": {"merge": {"spec": {"priorityClassName": "p"}}}}, "StatefulSet/-/nats", ("spec", "template", "spec", "priorityClassName"), "p"),
    ("nats", {"config": {"jetstream": {"fileStore": {"pvc": {"storageClassName": "fast"}}}}}, "StatefulSet/-/nats", ("spec", "volumeClaimTemplates", 0, "spec", "storageClassName"), "fast"),
    ("nats", {"config": {"cluster": {"enabled": True, "replicas": 5}}}, "StatefulSet/-/nats", ("spec", "replicas"), 5),
    ("argo-workflows", {"server": {"replicas": 4}}, "Deployment/argo/argo-workflows-server", ("spec", "replicas"), 4),
    ("argo-workflows", {"controller": {"podSecurityContext": {"runAsUser": 7}}}, "Deployment/argo/argo-workflows-workflow-controller", ("spec", "template", "spec", "securityContext", "runAsUser"), 7),
    ("argo-events", {"controller": {"containerSecurityContext": {"runAsUser": 7}}}, "Deployment/argo-events/argo-events-controller-manager", (*FIRST, "securityContext", "runAsUser"), 7),
    ("argo-events", {"webhook": {"enabled": True, "port": 12443}}, "Service/argo-events/events-webhook", ("spec", "ports", 0, "port"), 12443),
    ("seldon-core-operator", {"manager": {"containerSecurityContext": {"securityContext": {"runAsUser": 7}}}}, "Deployment/seldon-system/seldon-controller-manager", (*FIRST, "securityContext", "runAsUser"), 7),
    ("seldon-core-operator", {"manager": {"memoryLimit": "9Gi"}}, "Deployment/seldon-system/seldon-controller-manager", (*FIRST, "resources", "limits", "memory"), "9Gi"),
    ("kube-prometheus-stack", {"prometheus": {"prometheusSpec": {"retention": "77d"}}}, "Prometheus/monitoring/kps", ("spec", "retention"), "77d"),
    ("kube-prometheus-stack", {"prometheus": {"prometheusSpec": {"remoteWrite": [{"url": "u"}]}}}, "Prometheus/monitoring/kps", ("spec", "remoteWrite"), [{"url": "u"}]),
    ("kube-prometheus-stack", {"grafana": {"admin": {"existingSecret": "mine"}}}, "Deployment/monitoring/kps-grafana", ("spec", "template", "spec", "containers", 2, "env", 1, "valueFrom", "secretKeyRef", "name"), "mine"),
    ("kube-prometheus-stack", {"fullnameOverride": "other"}, "Service/monitoring/other-prometheus", ("metadata", "name"), "other-prometheus"),
    ("kube-prometheus-stack", {"prometheus-node-exporter": {"namespaceOverride": "elsewhere"}}, "DaemonSet/elsewhere/kps-prometheus-node-exporter", ("metadata", "namespace"), "elsewhere"),
    ("rustfs", {"storageclass": {"dataStorageSize": "77Gi"}}, "PersistentVolumeClaim/storage/rustfs-data", ("spec", "resources", "requests", "storage"), "77Gi"),
    ("rustfs", {"secret": {"existingSecret": "mine"}}, "Deployment/storage/rustfs", (*FIRST, "envFrom", 1, "secretRef", "name"), "mine"),
    ("seaweedfs", {"allInOne": {"podSecurityContext": {"runAsUser": 7}}}, "Deployment/storage-sw/seaweedfs-all-in-one", ("spec", "template", "spec", "securityContext", "runAsUser"), 7),
    ("minio", {"mode": "distributed", "replicas": 6}, "StatefulSet/-/minio", ("spec", "replicas"), 6),
    ("minio", {"existingSecret": "mine"}, "Deployment/-/minio", (*FIRST, "env", 0, "valueFrom", "secretKeyRef", "name"), "mine"),
    ("sealed-secrets", {"image": {"tag": "0.40.0"}}, "Deployment/kube-system/sealed-secrets-controller", (*FIRST, "image"), "docker.io/bitnami/sealed-secrets-controller:0.40.0"),
    ("flux2", {"kustomizeController": {"replicas": 3}}, "Deployment/-/kustomize-controller", ("spec", "replicas"), 3),
    ("flux2", {"sourceController": {"tag": "sha256:77"}}, "Deployment/-/source-controller", (*FIRST, "image"), "ghcr.io/fluxcd/source-controller@sha256:77"),
]  # fmt: skip

# entry, values, an object that they add, or with a minus before it take away
SWITCHES = [
    ("base", {"global": {"enableReaderRBAC": True}}, "ServiceAccount/istio-system/istio-reader-service-account"),
    ("istiod", {"global": {"networkPolicy": {"enabled": True}}}, "NetworkPolicy/istio-system/istiod"),
    ("istiod", {"autoscaleEnabled": True}, "HorizontalPodAutoscaler/istio-system/istiod"),
    ("gateway", {"autoscaling": {"enabled": True}}, "HorizontalPodAutoscaler/istio-system/istio-ingressgateway"),
    ("nats", {"podDisruptionBudget": {"enabled": True}}, "PodDisruptionBudget/-/nats"),
    ("nats", {"promExporter": {"podMonitor": {"enabled": False}}}, "-PodMonitor/-/nats"),
    ("argo-workflows", {"crds": {"install": False}}, "-CustomResourceDefinition/-/workflows.argoproj.io"),
    ("argo-workflows", {"controller": {"workflowNamespaces": ["other"]}}, "Role/other/argo-workflows-workflow"),
    (
        "argo-events",
        {"controller": {"metrics": {"serviceMonitor": {"enabled": False}}}},
        "-ServiceMonitor/argo-events/argo-events-controller-manager",
    ),
    ("seldon-core-operator", {"managerCreateResources": True}, "-ConfigMap/seldon-system/seldon-config"),
    (
        "kube-prometheus-stack",
        {"crds": {"enabled": True}},
        "CustomResourceDefinition/-/prometheuses.monitoring.coreos.com",
    ),
    ("kube-prometheus-stack", {"kubeProxy": {"enabled": True}}, "Service/kube-system/kps-kube-proxy"),
    ("kube-prometheus-stack", {"alertmanager": {"enabled": False}}, "-Alertmanager/monitoring/kps"),
    (
        "rustfs",
        {"pdb": {"create": True}, "mode": {"distributed": {"enabled": True}}},
        "PodDisruptionBudget/storage/rustfs",
    ),
    ("seaweedfs", {"global": {"seaweedfs": {"createClusterRole": True}}}, "ClusterRole/-/seaweedfs-rw-cr"),
    ("minio", {"mode": "distributed"}, "-Deployment/-/minio"),
    ("sealed-secrets", {"networkPolicy": {"enabled": True}}, "NetworkPolicy/kube-system/sealed-secrets-controller"),
    ("flux2", {"helmController": {"create": True}}, "Deployment/-/helm-controller"),
    ("flux2", {"installCRDs": False}, "-CustomResourceDefinition/-/gitrepositories.source.toolkit.fluxcd.io"),
]


def at(value: Any, path: tuple[Any, ...]) -> Any:
    return reduce(lambda part, key: part[key] if isinstance(key, int) else part.get(key), path, value)


@pytest.mark.parametrize(("name", "values", "key", "path", "expected"), VALUES)
def test_a_value_shows_in_the_object(
    name: str, values: dict[str, Any], key: str, path: tuple[Any, ...], expected: Any, rendered: Rendered
) -> None:
    before = rendered(name).get(key)
    assert before is None or at(before, path) != expected, (
        "the value would show without being set: the test proves nothing"
    )
    assert at(rendered(name, more=values)[key], path) == expected


@pytest.mark.parametrize(("name", "values", "change"), SWITCHES)
def test_a_switch_brings_or_removes_an_object(
    name: str, values: dict[str, Any], change: str, rendered: Rendered
) -> None:
    key, added = change.removeprefix("-"), not change.startswith("-")
    assert (key in rendered(name)) is not added, "the switch is where it would be put: the test proves nothing"
    assert (key in rendered(name, more=values)) is added


def test_the_monitor_of_argo_workflows_needs_its_kind_to_be_known(
    rendered: Rendered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monitor = "ServiceMonitor/argo/argo-workflows-workflow-controller"
    more = {"controller": {"serviceMonitor": {"enabled": True}}}
    assert monitor in rendered("argo-workflows", more=more)
    monkeypatch.setattr("simulator.standins.render.API_VERSIONS", ("policy/v1",))
    assert monitor not in rendered("argo-workflows", more=more), "upstream drops it, without a word, when offline"


def test_seldon_with_cert_manager_has_its_webhook_service_and_issuer(rendered: Rendered) -> None:
    more = {"certManager": {"enabled": True}, "managerCreateResources": False}
    ours = rendered("seldon-core-operator", more=more)
    assert {
        "Issuer/seldon-system/seldon-selfsigned-issuer",
        "Certificate/seldon-system/seldon-serving-cert",
        "Service/seldon-system/seldon-webhook-service",
        "ValidatingWebhookConfiguration/-/seldon-validating-webhook-configuration-seldon-system",
    } <= set(ours)
    (webhook,) = ours["ValidatingWebhookConfiguration/-/seldon-validating-webhook-configuration-seldon-system"][
        "webhooks"
    ]
    assert webhook["failurePolicy"] == "Fail"
    assert "Secret/seldon-system/seldon-webhook-server-cert" not in ours, "cert-manager would make it"


def test_rustfs_refuses_to_render_without_credentials(rendered: Rendered) -> None:
    with pytest.raises(StandinError, match=r"secret\.existingSecret"):
        rendered("rustfs", more={"secret": {"existingSecret": ""}})


def test_variables_are_text_whatever_the_value(rendered: Rendered) -> None:
    """The API server refuses a number or a boolean there."""
    for name in ("argo-events", "argo-workflows", "seldon-core-operator", "kube-prometheus-stack", "nats"):
        for key, o in rendered(name, "prod", {"webhook": {"enabled": True}} if name == "argo-events" else None).items():
            if o["kind"] in ("Deployment", "StatefulSet", "DaemonSet"):
                for container in o["spec"]["template"]["spec"]["containers"]:
                    for variable in container.get("env") or []:
                        assert isinstance(variable.get("value", ""), str), f"{key}: {variable}"
