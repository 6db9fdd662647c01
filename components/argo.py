"""Argo Workflows runs what projects do step by step; Argo Events starts it, on the platform's own NATS.

Artefacts go to the object store. The webhook for people and other systems asks for a bearer token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_random as random
import yaml

from components import argo_access, chart, fixes
from components.context import Context
from components.install import Manifest, install, register
from components.istio import virtual_service
from components.manifests import secret
from components.object_store import Account
from components.upstream import image

WORKFLOWS, EVENTS = "argo", "argo-events"
ARTIFACTS_SECRET = "artifacts-s3"
"""The Secret with Argo's keys to the object store, in every namespace where workflows run."""
BUCKET = "artifacts"
WEBHOOK_PORT = 12000
STREAM = {"maxAge": "72h", "maxMsgs": 100_000, "duplicates": "5m"}
"""Limits of the EventBus' stream: without any it keeps every event for ever, and fills the volume of NATS."""


@dataclass(frozen=True, kw_only=True)
class ArgoArgs:
    domain: str
    nats_url: pulumi.Input[str]
    store_url: str
    """Plain, for the chart's values want it at render time; `account` is what waits for the store."""
    store_region: str = "us-east-1"
    bucket: str = BUCKET
    """Where artefacts go: its name, with the stack's prefix."""
    account: Account
    pages_gateway: pulumi.Input[str] | None
    """None leaves Argo's page and its webhook without an address outside the cluster."""
    workflows_after: Sequence[pulumi.Resource]
    events_after: Sequence[pulumi.Resource]


class Argo(pulumi.ComponentResource):
    """Workflow controller and page, events controller, EventBus and the authenticated webhook."""

    event_bus: pulumi.Output[str]
    """`namespace/name` of the one EventBus; known once it is ready."""
    webhook_token: pulumi.Output[str]
    """Secret. Callers of the webhook send it as a bearer token."""

    def __init__(self, name: str, context: Context, args: ArgoArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aiga:platform:Argo", name, None, opts)
        self._parent = pulumi.ResourceOptions(parent=self)
        self._workflows(name, context, args)
        token = random.RandomPassword(f"{name}-webhook-token", length=40, special=False, opts=self._parent)
        self.webhook_token = token.result
        self.event_bus = self._events(name, context, args)
        self.register_outputs({"eventBus": self.event_bus})

    def _workflows(self, name: str, context: Context, args: ArgoArgs) -> None:
        keys = secret(
            ARTIFACTS_SECRET,
            WORKFLOWS,
            {"accessKey": args.account.access_key, "secretKey": args.account.secret_key},
        )
        after = pulumi.ResourceOptions.merge(
            self._parent, pulumi.ResourceOptions(depends_on=list(args.workflows_after))
        )
        credentials = register(context, name, keys, after)
        objects = chart.render(
            context,
            "argo-workflows",
            release="argo-workflows",
            namespace=WORKFLOWS,
            values=chart.values("argo-workflows", context.profile, _workflow_values(args)),
        )
        mended = fixes.apply(
            objects, argo_access.server_only_looks, lambda found: [*found, _monitor(), *argo_access.viewer(WORKFLOWS)]
        )
        installed = install(context, name, mended, parent=self, after=[*args.workflows_after, credentials])
        if args.pages_gateway is not None:
            host = f"argo.{args.domain}"
            page = virtual_service(
                "argo", WORKFLOWS, args.pages_gateway, host, target="argo-workflows-server", port=2746
            )
            own = pulumi.ResourceOptions.merge(self._parent, pulumi.ResourceOptions(depends_on=installed.last))
            register(context, name, page, own)

    def _events(self, name: str, context: Context, args: ArgoArgs) -> pulumi.Output[str]:
        values = chart.values("argo-events", context.profile, _event_values(context))
        objects = chart.render(context, "argo-events", release="argo-events", namespace=EVENTS, values=values)
        objects.append(argo_access.account(argo_access.WEBHOOK, EVENTS))
        installed = install(context, f"{name}-events", fixes.apply(objects), parent=self, after=args.events_after)
        after = pulumi.ResourceOptions.merge(self._parent, pulumi.ResourceOptions(depends_on=installed.last))
        bus = register(context, name, _event_bus(args.nats_url, context), after)
        token = register(context, name, secret("webhook-token", EVENTS, {"token": self.webhook_token}), after)
        source = _webhook()
        ready = pulumi.ResourceOptions.merge(self._parent, pulumi.ResourceOptions(depends_on=[bus, token]))
        register(context, name, source, ready)
        if args.pages_gateway is not None:
            host = f"hooks.{args.domain}"
            page = virtual_service(
                "webhook", EVENTS, args.pages_gateway, host, target="webhook-eventsource-svc", port=WEBHOOK_PORT
            )
            register(context, name, page, ready)
        return bus.id.apply(lambda _: f"{EVENTS}/default")


def _workflow_values(args: ArgoArgs) -> dict[str, Any]:
    key = {"name": ARTIFACTS_SECRET}
    scheme, _, address = args.store_url.partition("://")
    return {
        "controller": {"image": _pinned("argo-workflow-controller"), "workflowNamespaces": [WORKFLOWS]},
        "server": {"image": _pinned("argo-server")},
        "executor": {"image": _pinned("argo-executor")},
        "artifactRepository": {
            "s3": {
                "bucket": args.bucket,
                "endpoint": address,
                "insecure": scheme == "http",
                "region": args.store_region,
                "accessKeySecret": {**key, "key": "accessKey"},
                "secretKeySecret": {**key, "key": "secretKey"},
            }
        },
    }


def _event_values(context: Context) -> dict[str, Any]:
    """No webhook of its own: its controller would make one that outlives the stack.

    The controller does not start without a version of each server that it could run, though the EventBus needs none.
    """
    server, exporter = image("nats").reference, image("nats-exporter").reference
    streaming = {"version": "unused", "natsStreamingImage": server, "metricsExporterImage": exporter}
    jetstream = {
        "version": "unused",
        "natsImage": server,
        "metricsExporterImage": exporter,
        "configReloaderImage": image("nats-reloader").reference,
        "startCommand": "nats-server",
    }
    return {
        "configs": {"nats": {"versions": [streaming]}, "jetstream": {"versions": [jetstream]}},
        "global": {"image": {"tag": image("argo-events").tag}},
        "controller": {"metrics": {"serviceMonitor": {"enabled": context.monitoring}}},
        "webhook": {"enabled": False},
    }


def _pinned(name: str) -> dict[str, str]:
    return {"tag": image(name).tag}


def _monitor() -> Manifest:
    """Ours: the chart leaves its own out, without a word, when it is rendered with no cluster at hand."""
    selector = {"matchLabels": {"app.kubernetes.io/name": "argo-workflows-workflow-controller"}}
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "ServiceMonitor",
        "metadata": {"name": "argo-workflows-workflow-controller", "namespace": WORKFLOWS},
        "spec": {"selector": selector, "endpoints": [{"port": "metrics", "path": "/metrics"}]},
    }


def _event_bus(nats_url: pulumi.Input[str], context: Context) -> Manifest:
    """One for the platform: two on the same NATS would share a stream, whose name is fixed."""
    stream = {**STREAM, "replicas": 3 if context.profile == "prod" else 1}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "EventBus",
        "metadata": {"name": "default", "namespace": EVENTS},
        "spec": {"jetstreamExotic": {"url": nats_url, "streamConfig": yaml.safe_dump(stream)}},
    }


def _webhook() -> Manifest:
    endpoint = {
        "port": str(WEBHOOK_PORT),
        "endpoint": "/retrain",
        "method": "POST",
        "authSecret": {"name": "webhook-token", "key": "token"},
    }
    security = {"runAsNonRoot": True, "runAsUser": 9731, "seccompProfile": {"type": "RuntimeDefault"}}
    container = {
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "EventSource",
        "metadata": {"name": "webhook", "namespace": EVENTS},
        "spec": {
            "service": {"ports": [{"port": WEBHOOK_PORT, "targetPort": WEBHOOK_PORT}]},
            "template": {
                "serviceAccountName": argo_access.WEBHOOK,
                "securityContext": security,
                "container": container,
            },
            "webhook": {"retrain": endpoint},
        },
    }
