"""Every kind of the table whose true CRD is at hand gets its status, on the API server and against its schema."""

from __future__ import annotations

from typing import Any

import pytest

from kube import yaml
from kube.cluster import Cluster
from kube.pool import each
from kube.refs import Ref
from simulator import Running
from simulator.kinds import BY_CRD, KINDS
from simulator.standins import REMEDY, true_definitions
from simulator.testing import eventually

CRDS = true_definitions()
_SUBSCRIBER = {"ref": {"apiVersion": "v1", "kind": "Service", "name": "sink"}}
_SINK = {"sink": _SUBSCRIBER}
_INTERVAL = {"interval": "1m"}
_STORE = {**_INTERVAL, "bucketName": "models", "endpoint": "store"}
_TEMPLATE = {"channelTemplate": {"apiVersion": "messaging.knative.dev/v1", "kind": "Channel"}}
_CONTAINER = {"containers": [{"name": "main", "image": "x"}]}
_CHART = {"chart": {"spec": {"chart": "x", "sourceRef": {"kind": "HelmRepository", "name": "x"}}}}

SPECS: dict[str, dict[str, Any]] = {
    "brokers.eventing.knative.dev": {},
    "triggers.eventing.knative.dev": {"broker": "sample", "subscriber": _SUBSCRIBER},
    "eventtypes.eventing.knative.dev": {},
    "channels.messaging.knative.dev": {},
    "subscriptions.messaging.knative.dev": {"channel": {"kind": "Channel", "name": "x"}, "subscriber": _SUBSCRIBER},
    "natsjetstreamchannels.messaging.knative.dev": {},
    "sequences.flows.knative.dev": {"steps": [_SUBSCRIBER], **_TEMPLATE},
    "parallels.flows.knative.dev": {"branches": [{"subscriber": _SUBSCRIBER}], **_TEMPLATE},
    "pingsources.sources.knative.dev": {"schedule": "* * * * *", **_SINK},
    "apiserversources.sources.knative.dev": {"resources": [{"apiVersion": "v1", "kind": "Event"}], **_SINK},
    "containersources.sources.knative.dev": {"template": {"spec": _CONTAINER}, **_SINK},
    "sinkbindings.sources.knative.dev": {"subject": {"apiVersion": "v1", "kind": "Pod", "name": "x"}, **_SINK},
    "knativeeventings.operator.knative.dev": {"version": "1.22.2"},
    "eventbus.argoproj.io": {"jetstreamExotic": {"url": "nats://nats:4222"}},
    "eventsources.argoproj.io": {"eventBusName": "sample", "webhook": {}},
    "sensors.argoproj.io": {"eventBusName": "sample", "dependencies": [], "triggers": []},
    "gitrepositories.source.toolkit.fluxcd.io": {**_INTERVAL, "url": "https://example.org/models"},
    "buckets.source.toolkit.fluxcd.io": _STORE,
    "ocirepositories.source.toolkit.fluxcd.io": {**_INTERVAL, "url": "oci://example.org/models"},
    "helmcharts.source.toolkit.fluxcd.io": {**_INTERVAL, **_CHART["chart"]["spec"]},
    "helmrepositories.source.toolkit.fluxcd.io": {**_INTERVAL, "url": "https://example.org/charts"},
    "kustomizations.kustomize.toolkit.fluxcd.io": {
        **_INTERVAL,
        "prune": True,
        "sourceRef": {"kind": "Bucket", "name": "sample"},
    },
    "helmreleases.helm.toolkit.fluxcd.io": {**_INTERVAL, **_CHART},
    "receivers.notification.toolkit.fluxcd.io": {
        "type": "generic",
        "secretRef": {"name": "x"},
        "resources": [{"kind": "Bucket", "name": "x"}],
    },
    "seldondeployments.machinelearning.seldon.io": {
        "protocol": "v2",
        "predictors": [{"name": "main", "replicas": 2, "graph": {"name": "model", "implementation": "SKLEARN_SERVER"}}],
    },
    "sealedsecrets.bitnami.com": {"encryptedData": {"key": "AgB"}},
    "prometheuses.monitoring.coreos.com": {"replicas": 2},
    "prometheusagents.monitoring.coreos.com": {},
    "alertmanagers.monitoring.coreos.com": {"replicas": 3},
    "thanosrulers.monitoring.coreos.com": {"queryEndpoints": ["x"]},
}
"""The least that each CRD takes."""


@pytest.fixture(scope="module")
def crds(cluster: Cluster) -> dict[str, dict[str, Any]]:
    """The CRDs of the table that are at hand, applied."""
    if CRDS is None:
        pytest.skip(REMEDY)
    known: dict[str, dict[str, Any]] = {}
    for file in sorted(CRDS.glob("*.yaml")):
        for obj in yaml.load_all(file.read_bytes()):
            if obj["kind"] == "CustomResourceDefinition" and obj["metadata"]["name"] in BY_CRD:
                known[obj["metadata"]["name"]] = obj
    each(lambda crd: cluster.apply(crd, manager="test", metadata_only=True), known.values())
    cluster.wait_ready([Ref.of(crd) for crd in known.values()], timeout=60)
    return known


def sample(crd: dict[str, Any], namespace: str) -> dict[str, Any]:
    spec = crd["spec"]
    stored = next(version["name"] for version in spec["versions"] if version["storage"])
    return {
        "apiVersion": f"{spec['group']}/{stored}",
        "kind": spec["names"]["kind"],
        "metadata": {"name": "sample", "namespace": namespace},
        "spec": SPECS[crd["metadata"]["name"]],
    }


def summary(live: dict[str, Any] | None, type_: str) -> dict[str, Any]:
    conditions = ((live or {}).get("status") or {}).get("conditions") or []
    return next((condition for condition in conditions if condition["type"] == type_), {})


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.crd)
def test_gets_the_status_its_controller_would_set(cluster: Cluster, crds: dict[str, dict[str, Any]], kind: Any) -> None:
    if kind.crd not in crds:
        pytest.skip(f"no {kind.crd} in {CRDS}: put its CRD into a folder of CRD files, AIGA_CRDS=<folder> make test")
    ref = Ref.of(cluster.apply(sample(crds[kind.crd], "default"), manager="test"))
    for need in kind.needs(sample(crds[kind.crd], "default")):
        cluster.apply(sample(crds[need[0]], "default"), manager="test")
    last = kind.conditions[-1]
    eventually(lambda: summary(cluster.get(ref), last).get("status") == "True", f"{ref} has {last}", timeout=10)
    live = cluster.get(ref)
    assert live is not None
    assert {each["type"] for each in live["status"]["conditions"]} == set(kind.conditions)
    expected = kind.status(live)
    kept = {key: live["status"].get(key) for key in expected}
    assert kept == expected, "the CRD's schema drops nothing of it"
    if kind.generation == "status":
        assert live["status"]["observedGeneration"] == live["metadata"]["generation"]
    version = live["metadata"]["resourceVersion"]
    again = cluster.apply(sample(crds[kind.crd], "default"), manager="test")
    assert again["metadata"]["resourceVersion"] == version, "its owner applies it again without a change"


def test_a_trigger_is_not_ready_without_its_broker(
    cluster: Cluster, crds: dict[str, dict[str, Any]], namespace: str
) -> None:
    trigger = Ref.of(cluster.apply(sample(crds["triggers.eventing.knative.dev"], namespace), manager="test"))
    seen = eventually(lambda: summary(cluster.get(trigger), "Ready"), "a condition")
    assert (seen["status"], seen["message"]) == ("False", f"there is no brokers {namespace}/sample")
    cluster.apply(sample(crds["brokers.eventing.knative.dev"], namespace), manager="test")
    eventually(lambda: summary(cluster.get(trigger), "Ready")["status"] == "True", "ready once the Broker is there")


def test_a_crd_made_anew_is_taken_up_again(sim: Running, cluster: Cluster, crds: dict[str, dict[str, Any]]) -> None:
    crd = crds["sealedsecrets.bitnami.com"]
    for _ in range(2):
        cluster.delete_and_wait([Ref.of(crd)], timeout=30)
        cluster.apply(crd, manager="test")
        cluster.wait_ready([Ref.of(crd)], timeout=30)
        ref = Ref.of(cluster.apply(sample(crd, "default"), manager="test"))

        def synced(ref: Ref = ref) -> bool:
            return bool(summary(cluster.get(ref), "Synced").get("status") == "True")

        eventually(synced, "its status is set again", timeout=5)
