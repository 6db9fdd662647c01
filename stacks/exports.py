"""What `pulumi up` ends with: where each page and endpoint is, in which namespace, and where its credential is kept.

Credentials themselves are never exported: the table says which Secret holds them.
"""

from __future__ import annotations

from typing import Any

import pulumi

from components import argo, argo_access, istio, monitoring, nats, sealed_secrets, seldon
from components import object_store as store
from stacks.platform import Platform
from stacks.settings import Settings

Row = dict[str, pulumi.Input[str]]


def table(platform: Platform, settings: Settings) -> dict[str, Any]:
    """The stack's outputs: one row for each service, the namespaces, and the public sealing certificate."""
    outputs: dict[str, Any] = {
        "services": services(platform, settings),
        "namespaces": [space.name for space in platform.spaces],
        "profile": settings.profile,
    }
    if platform.istio:
        outputs["gatewayAddress"] = platform.istio.address
    if platform.sealed_secrets:
        outputs["sealingCertificate"] = platform.sealed_secrets.certificate
    return outputs


def services(platform: Platform, settings: Settings) -> dict[str, Row]:
    """One row for each service: its URL, its namespace, and the Secret (with the key in it) that opens it."""
    rows: dict[str, Row] = {}
    if platform.istio:
        rows["models"] = _row(f"{settings.url()}/seldon/<namespace>/<deployment>/", istio.NAMESPACE)
    if platform.monitoring:
        page = _page(settings, platform, "grafana", "http://kps-grafana.monitoring.svc.cluster.local")
        rows["grafana"] = _row(page, monitoring.NAMESPACE, "monitoring/grafana-admin: admin-password")
        rows["prometheus"] = _row(platform.monitoring.prometheus_url, monitoring.NAMESPACE)
    if platform.argo:
        page = _page(settings, platform, "argo", "http://argo-workflows-server.argo.svc.cluster.local:2746")
        token = f"a token to read with: kubectl -n {argo.WORKFLOWS} create token {argo_access.VIEWER}"
        rows["argo"] = _row(page, argo.WORKFLOWS, token)
        hook = _page(settings, platform, "hooks", "http://webhook-eventsource-svc.argo-events.svc.cluster.local:12000")
        rows["webhook"] = _row(f"{hook}/retrain", argo.EVENTS, "argo-events/webhook-token: token")
    if platform.knative:
        rows["broker"] = _row(platform.knative.broker_url, "knative-eventing")
    if platform.nats:
        rows["nats"] = _row(platform.nats.url, nats.NAMESPACE)
    if platform.object_store:
        where = _store_secret(settings)
        rows["objectStore"] = _row(platform.object_store.endpoint, store.NAMESPACE, where)
    if platform.seldon:
        rows["seldon"] = _row("", seldon.NAMESPACE)
    if platform.sealed_secrets:
        kept = f"{sealed_secrets.NAMESPACE}/{sealed_secrets.KEY_SECRET}-{settings.sealed_secrets.generation}: tls.key"
        rows["sealedSecrets"] = _row(
            "http://sealed-secrets-controller.sealed-secrets.svc.cluster.local:8080", sealed_secrets.NAMESPACE, kept
        )
    if platform.flux:
        rows["flux"] = _row("", "flux-system")
    return rows


def _row(url: pulumi.Input[str], namespace: str, credential: str = "") -> Row:
    return {"url": url, "namespace": namespace, "credential": credential}


def _store_secret(settings: Settings) -> str:
    secrets = {
        "minio": "storage/minio-root: rootPassword",
        "rustfs": "storage/rustfs-root: RUSTFS_SECRET_KEY",
        "seaweedfs": "storage/seaweedfs-s3: seaweedfs_s3_config",
        "s3": "aiga:objectStore.secretKey of the stack",
    }
    return secrets[settings.object_store.driver]


def _page(settings: Settings, platform: Platform, host: str, inside: str) -> str:
    return settings.url(host) if platform.istio else inside
