"""The table of custom resources whose controllers do not run here, and of what those would write into their status."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Body = dict[str, Any]
Need = tuple[str, str, str]
"""CRD, namespace and name of an object that has to exist first."""


def _nothing(_: Body) -> Body:
    return {}


def _no_needs(_: Body) -> list[Need]:
    return []


@dataclass(frozen=True)
class Kind:
    """One kind: its CRD, the condition types its controller sets, and the rest of its status."""

    crd: str
    conditions: tuple[str, ...]
    """The last one sums the others up."""
    status: Callable[[Body], Body] = _nothing
    needs: Callable[[Body], list[Need]] = _no_needs
    generation: str = "status"
    """Where observedGeneration goes: status, conditions, or nowhere."""


def _meta(obj: Body) -> tuple[str, str]:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def _broker(obj: Body) -> Body:
    namespace, name = _meta(obj)
    class_ = (obj["metadata"].get("annotations") or {}).get("eventing.knative.dev/broker.class")
    ingress = "nats-broker-ingress" if class_ == "NatsJetStreamBroker" else "broker-ingress"
    return _address(f"http://{ingress}.knative-eventing.svc.cluster.local/{namespace}/{name}")


def _address(url: str) -> Body:
    return {"address": {"name": "http", "url": url}}


def _channel(suffix: str) -> Callable[[Body], Body]:
    def status(obj: Body) -> Body:
        namespace, name = _meta(obj)
        return _address(f"http://{name}{suffix}.{namespace}.svc.cluster.local")

    return status


def _trigger(obj: Body) -> Body:
    subscriber = obj["spec"].get("subscriber") or {}
    if subscriber.get("uri") and not subscriber.get("ref"):
        return {"subscriberUri": subscriber["uri"]}
    ref = subscriber.get("ref") or {}
    host = f"http://{ref.get('name')}.{ref.get('namespace') or _meta(obj)[0]}.svc.cluster.local"
    return {"subscriberUri": host + subscriber.get("uri", "")}


def _trigger_needs(obj: Body) -> list[Need]:
    return [("brokers.eventing.knative.dev", _meta(obj)[0], obj["spec"].get("broker") or "default")]


def _bus(obj: Body) -> list[Need]:
    return [("eventbus.argoproj.io", _meta(obj)[0], obj["spec"].get("eventBusName") or "default")]


_SOURCES = {
    "GitRepository": "gitrepositories.source.toolkit.fluxcd.io",
    "Bucket": "buckets.source.toolkit.fluxcd.io",
    "OCIRepository": "ocirepositories.source.toolkit.fluxcd.io",
}


def _source_needs(obj: Body) -> list[Need]:
    ref = obj["spec"].get("sourceRef") or {}
    crd = _SOURCES.get(ref.get("kind", ""))
    return [(crd, ref.get("namespace") or _meta(obj)[0], ref["name"])] if crd else []


def _artifact(obj: Body) -> Body:
    namespace, name = _meta(obj)
    kind = obj["kind"].lower()
    content = hashlib.sha256(json.dumps(obj["spec"], sort_keys=True).encode()).hexdigest()
    path = f"{kind}/{namespace}/{name}/{content[:12]}.tar.gz"
    url = f"http://source-controller.{namespace}.svc.cluster.local./{path}"
    since = obj["metadata"]["creationTimestamp"]
    revision = f"simulated@sha256:{content}"
    return {
        "artifact": {
            "digest": f"sha256:{content}",
            "lastUpdateTime": since,
            "path": path,
            "revision": revision,
            "url": url,
        }
    }


def _reconciled(_: Body) -> Body:
    return {"lastAppliedRevision": "simulated", "lastAttemptedRevision": "simulated"}


def _replicas(obj: Body) -> Body:
    wanted = obj["spec"].get("replicas", 1) * obj["spec"].get("shards", 1)
    counts = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), wanted)
    return {"paused": bool(obj["spec"].get("paused", False)), **counts, "unavailableReplicas": 0}


def _seldon(obj: Body) -> Body:
    namespace, name = _meta(obj)
    predictor = obj["spec"]["predictors"][0]
    node = predictor.get("graph", {}).get("name", "")
    paths = {"v2": f"/v2/models/{node}/infer", "kfserving": f"/v2/models/{node}/infer"}
    paths["tensorflow"] = f"/v1/models/{node}:predict"
    path = paths.get(obj["spec"].get("protocol", ""), "/api/v1.0/predictions")
    host = f"{name}-{predictor['name']}.{namespace}.svc.cluster.local:8000"
    replicas = sum(each.get("replicas", obj["spec"].get("replicas", 1)) for each in obj["spec"]["predictors"])
    return {"state": "Available", "address": {"url": f"http://{host}{path}"}, "replicas": replicas}


def _version(obj: Body) -> Body:
    return {"version": obj["spec"]["version"]} if (obj.get("spec") or {}).get("version") else {}


_READY = ("Ready",)
_ADDRESSABLE = ("Addressable", "Ready")
_SOURCE_READY = ("SinkProvided", "Deployed", "Ready")
_OPERATED = ("Reconciled", "Available")
_BROKER = (
    "IngressReady",
    "TriggerChannelReady",
    "FilterReady",
    "Addressable",
    "DeadLetterSinkResolved",
    "EventPoliciesReady",
    "Ready",
)
_TRIGGER = (
    "BrokerReady",
    "SubscriptionReady",
    "DependencyReady",
    "SubscriberResolved",
    "DeadLetterSinkResolved",
    "OIDCIdentityCreated",
    "Ready",
)
_JETSTREAM = (
    "DispatcherReady",
    "ServiceReady",
    "EndpointsReady",
    "ChannelServiceReady",
    "StreamReady",
    "Addressable",
    "Ready",
)
_SELDON = ("DeploymentsReady", "ServicesReady", "istioVirtualServicesReady", "HpasReady", "PdbsReady", "Ready")
_OPERATOR = ("DependenciesInstalled", "InstallSucceeded", "DeploymentsAvailable", "VersionMigrationEligible", "Ready")

KINDS = (
    Kind("brokers.eventing.knative.dev", _BROKER, _broker),
    Kind("triggers.eventing.knative.dev", _TRIGGER, _trigger, _trigger_needs),
    Kind("eventtypes.eventing.knative.dev", _READY),
    Kind("channels.messaging.knative.dev", ("BackingChannelReady", *_ADDRESSABLE), _channel("-kn-channel")),
    Kind("subscriptions.messaging.knative.dev", ("ReferencesResolved", "AddedToChannel", "ChannelReady", "Ready")),
    Kind("natsjetstreamchannels.messaging.knative.dev", _JETSTREAM, _channel("-kn-jsm-channel")),
    Kind("sequences.flows.knative.dev", ("ChannelsReady", "SubscriptionsReady", *_ADDRESSABLE)),
    Kind("parallels.flows.knative.dev", ("ChannelsReady", "SubscriptionsReady", *_ADDRESSABLE)),
    Kind("pingsources.sources.knative.dev", _SOURCE_READY),
    Kind("apiserversources.sources.knative.dev", ("SufficientPermissions", *_SOURCE_READY)),
    Kind("containersources.sources.knative.dev", ("ReceiveAdapterReady", "SinkBindingReady", "Ready")),
    Kind("sinkbindings.sources.knative.dev", ("SinkBindingAvailable", "SinkProvided", "Ready")),
    Kind("knativeeventings.operator.knative.dev", _OPERATOR, _version),
    Kind("eventbus.argoproj.io", ("Configured", "Deployed"), generation="nowhere"),
    Kind("eventsources.argoproj.io", ("SourcesProvided", "Deployed"), needs=_bus, generation="nowhere"),
    Kind("sensors.argoproj.io", ("DependenciesProvided", "TriggersProvided", "Deployed"), _nothing, _bus, "nowhere"),
    *(Kind(crd, ("ArtifactInStorage", "Ready"), _artifact) for crd in _SOURCES.values()),
    Kind("helmcharts.source.toolkit.fluxcd.io", ("ArtifactInStorage", "Ready"), _artifact),
    Kind("helmrepositories.source.toolkit.fluxcd.io", ("ArtifactInStorage", "Ready"), _artifact),
    Kind("kustomizations.kustomize.toolkit.fluxcd.io", _READY, _reconciled, _source_needs),
    Kind("helmreleases.helm.toolkit.fluxcd.io", ("Released", "Ready")),
    Kind("receivers.notification.toolkit.fluxcd.io", _READY),
    Kind("seldondeployments.machinelearning.seldon.io", _SELDON, _seldon),
    Kind("sealedsecrets.bitnami.com", ("Synced",)),
    Kind("prometheuses.monitoring.coreos.com", _OPERATED, _replicas, generation="conditions"),
    Kind("prometheusagents.monitoring.coreos.com", _OPERATED, _replicas, generation="conditions"),
    Kind("alertmanagers.monitoring.coreos.com", _OPERATED, _replicas, generation="conditions"),
    Kind("thanosrulers.monitoring.coreos.com", _OPERATED, _replicas, generation="conditions"),
    Kind("certificates.cert-manager.io", _READY, generation="conditions"),
    Kind("issuers.cert-manager.io", _READY, generation="conditions"),
    Kind("clusterissuers.cert-manager.io", _READY, generation="conditions"),
)
BY_CRD = {kind.crd: kind for kind in KINDS}
