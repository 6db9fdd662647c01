"""Knative Eventing, without Serving: Brokers that keep events in JetStream, Triggers that filter by attribute.

Two ways to a Broker, chosen per stack: `channel` (MTChannelBasedBroker over a NatsJetStreamChannel) and `native`
(eventing-natss' own Broker, smaller). Upstream ships plain manifests; `fixes` bring them to the profile.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pulumi
import yaml

from components import chart, fixes
from components.context import Context
from components.gate import Gate
from components.install import Manifest, install, register
from components.upstream import lock

NAMESPACE = "knative-eventing"
BROKER = "default"
BrokerClass = Literal["channel", "native"]
INGRESS = {"channel": "broker-ingress", "native": "nats-broker-ingress"}
CLASS = {"channel": "MTChannelBasedBroker", "native": "NatsJetStreamBroker"}
DEFAULT_CHANNELS = {"ConfigMap/config-br-default-channel", "ConfigMap/default-ch-webhook"}
OURS = {
    "channel": {"ConfigMap/config-nats", *DEFAULT_CHANNELS},
    "native": {"ConfigMap/config-nats-broker", *DEFAULT_CHANNELS},
}
"""Upstream's configuration that the layer writes itself."""
IDLE = {
    "channel": set[str](),
    "native": {
        *(f"Deployment/mt-broker-{part}" for part in ("controller", "filter", "ingress")),
        *(f"Service/broker-{part}" for part in ("filter", "ingress")),
        *(f"HorizontalPodAutoscaler/broker-{part}-hpa" for part in ("filter", "ingress")),
    },
}
"""What would run for the way to a Broker that was not chosen."""
NATIVE_CONFIG = "natsjetstream.eventing.knative.dev/config"
KEPT = "72h"
"""How long a stream keeps an event: without a limit it fills its volume, and then takes no more."""
REGISTRY = "gcr.io/knative-releases/"
"""Where releases publish images, under the name of their Go package."""


@dataclass(frozen=True, kw_only=True)
class KnativeArgs:
    broker: BrokerClass = "channel"
    nats_url: pulumi.Input[str]
    after: Sequence[pulumi.Resource]


class Knative(pulumi.ComponentResource):
    """Eventing's controllers, the JetStream channel or broker, and one default Broker for the platform's own events."""

    broker_url: pulumi.Output[str]
    """Where the platform's default Broker takes events; known once it is Ready."""

    def __init__(
        self, name: str, context: Context, args: KnativeArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("aiga:platform:Knative", name, None, opts)
        configuration = register(
            context,
            name,
            _nats_configuration(args),
            pulumi.ResourceOptions(parent=self, depends_on=list(args.after)),
        )
        self.installed = install(
            context, name, _objects(context, args.broker), parent=self, after=[*args.after, configuration]
        )
        gate = Gate(
            f"{name}-webhooks",
            layer="knative",
            probes=_probes(context, args.broker),
            filled=self.installed.unfilled,
            opts=pulumi.ResourceOptions(parent=self, depends_on=self.installed.last),
        )
        broker = _broker(BROKER, args.broker, context)
        ready = register(context, name, broker, pulumi.ResourceOptions(parent=self, depends_on=[gate]))
        address = f"http://{INGRESS[args.broker]}.{NAMESPACE}.svc.cluster.local/{NAMESPACE}/{BROKER}"
        self.broker_url = ready.id.apply(lambda _: address)
        self.register_outputs({"brokerUrl": self.broker_url})


def shape(broker: BrokerClass) -> str:
    """What of it cannot be changed in place: its webhook refuses another class or `spec.config` of a Broker."""
    return f"the {broker} Broker"


def _objects(context: Context, broker: BrokerClass) -> list[Manifest]:
    sizes = chart.values("knative-eventing", context.profile)
    natss = {"channel": "eventing-natss", "native": "eventing-natss-broker"}[broker]
    objects = [*chart.manifest(context, "knative-eventing"), *chart.manifest(context, natss)]
    single = context.profile != "prod"
    return fixes.apply(
        objects,
        fixes.first_of_each,
        fixes.drop(kinds={"Namespace", "PodDisruptionBudget", *({"HorizontalPodAutoscaler"} if single else ())}),
        fixes.drop(names=OURS[broker] | IDLE[broker]),
        fixes.aggregated_roles,
        fixes.released(_published()),
        fixes.secured,
        fixes.limited(sizes["default"]),
        fixes.sized(sizes["sizes"]),
        _autoscaled(sizes.get("autoscaled", {})),
        _default_broker(broker),
        fixes.budgeted,
        fixes.spread,
        lambda objects: [*objects, _pod_monitor(), *_default_channels(sizes, broker)],
    )


def _published() -> dict[str, str]:
    """The lock's images of Go packages, by package."""
    found = [i for i in lock().images.values() if i.ref.startswith(REGISTRY)]
    return {i.repository.removeprefix(REGISTRY): i.reference for i in found}


def _pod_monitor() -> Manifest:
    """Upstream brings none; all of its pods call the port alike."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": {"name": "knative-eventing", "namespace": NAMESPACE},
        "spec": {"selector": {}, "podMetricsEndpoints": [{"port": "metrics"}]},
    }


def _autoscaled(minima: dict[str, int]) -> fixes.Fix:
    """Raises the autoscalers' least number of pods, and leaves the replicas of what they scale to them."""

    def fix(objects: list[Manifest]) -> list[Manifest]:
        targets = set()
        for o in objects:
            if o["kind"] == "HorizontalPodAutoscaler" and o["metadata"]["name"] in minima:
                o["spec"]["minReplicas"] = minima[o["metadata"]["name"]]
                targets.add(o["spec"]["scaleTargetRef"]["name"])
        for workload in fixes.workloads(objects):
            if workload["metadata"]["name"] in targets:
                workload["spec"].pop("replicas", None)
        return objects

    return fix


def _default_broker(broker: BrokerClass) -> fixes.Fix:
    """Writes the stack's choice into the ConfigMap that says which Broker one gets who names none."""

    def fix(objects: list[Manifest]) -> list[Manifest]:
        for o in objects:
            if o["kind"] == "ConfigMap" and o["metadata"]["name"] == "config-br-defaults":
                default = yaml.safe_load(o["data"]["default-br-config"])["clusterDefault"]
                default = {"brokerClass": CLASS[broker], "delivery": default.get("delivery", {})}
                if broker == "channel":
                    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "config-br-default-channel"}
                    default |= {**reference, "namespace": NAMESPACE}
                o["data"] = {"default-br-config": yaml.safe_dump({"clusterDefault": default})}
        return objects

    return fix


def _default_channels(sizes: dict[str, Any], broker: BrokerClass) -> list[Manifest]:
    """The ConfigMaps that make a NatsJetStreamChannel of every channel that names no kind of its own.

    With native Brokers there are no channels: one that names no kind is refused. Eventing's webhook does not start
    without the ConfigMap.
    """
    if broker == "native":
        return [_configuration("default-ch-webhook", {"default-ch-config": yaml.safe_dump({"namespaceDefaults": {}})})]
    channel = _channel(sizes)
    return [
        _configuration("config-br-default-channel", {"channel-template-spec": yaml.safe_dump(channel)}),
        _configuration("default-ch-webhook", {"default-ch-config": yaml.safe_dump({"clusterDefault": channel})}),
    ]


def _channel(sizes: dict[str, Any]) -> Manifest:
    """Without a name, as a template. `affinity` is required by the channel's CRD beside `resources`."""
    return {
        "apiVersion": "messaging.knative.dev/v1alpha1",
        "kind": "NatsJetStreamChannel",
        "spec": {
            "deploymentSpecTemplate": {"resources": sizes["dispatcher"], "affinity": {}},
            "stream": {"config": _stream(sizes)},
        },
    }


def _probes(context: Context, broker: BrokerClass) -> list[Manifest]:
    """One object for each webhook server: Eventing's, and that of eventing-natss where its channels are used."""
    probes = [_broker("probe", broker, context)]
    if broker == "channel":
        metadata = {"name": "probe", "namespace": NAMESPACE}
        probes.append({**_channel(chart.values("knative-eventing", context.profile)), "metadata": metadata})
    return probes


def _nats_configuration(args: KnativeArgs) -> Manifest:
    """Where the dispatcher or the broker finds NATS; it reconnects for ever, where the default gives up after five."""
    options = {"retryOnFailedConnect": True, "maxReconnects": -1, "reconnectWaitMilliseconds": 2000}
    body = pulumi.Output.from_input(args.nats_url).apply(lambda url: yaml.safe_dump({"url": url, "connOpts": options}))
    name = {"channel": "config-nats", "native": "config-nats-broker"}[args.broker]
    return _configuration(name, {"eventing-nats": body})


def _configuration(name: str, data: dict[str, Any]) -> Manifest:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": NAMESPACE}, "data": data}


def _stream(sizes: dict[str, Any]) -> dict[str, Any]:
    return {"replicas": sizes["stream_replicas"], "maxAge": KEPT}


def _native(sizes: dict[str, Any]) -> str:
    """The settings of a native Broker, which it takes from an annotation: the whole of them, or its own defaults."""
    stream = {"retention": "Limits", "storage": "File", "discard": "Old", **_stream(sizes)}
    consumer = {"deliverPolicy": "New", "replayPolicy": "Instant", "consumerType": "Pull"}
    return json.dumps({"stream": stream, "consumer": consumer, "filter": {"resources": sizes["dispatcher"]}})


def _broker(name: str, broker: BrokerClass, context: Context) -> Manifest:
    annotations = {"eventing.knative.dev/broker.class": CLASS[broker]}
    if broker == "native":
        annotations[NATIVE_CONFIG] = _native(chart.values("knative-eventing", context.profile))
    manifest: Manifest = {
        "apiVersion": "eventing.knative.dev/v1",
        "kind": "Broker",
        "metadata": {"name": name, "namespace": NAMESPACE, "annotations": annotations},
    }
    if broker == "channel":
        reference = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": "config-br-default-channel",
            "namespace": NAMESPACE,
        }
        manifest["spec"] = {"config": reference}
    return json.loads(json.dumps(manifest))  # type: ignore[no-any-return]  # no shared parts between the probe and the real one
