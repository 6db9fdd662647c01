"""From nothing to nothing: a program with the kinds that are waited for, through all operations of the engine."""

from __future__ import annotations

import re

import pulumi
import pulumi_kubernetes as k8s
import pytest

from kube.cluster import Cluster
from kube.refs import Ref
from tests.provider.provider_world import Stack

PASSWORD = "a-canary-that-must-not-be-readable"


def pods(name: str) -> dict[str, object]:
    container = {
        "name": "main",
        "image": "none",
        "args": [],
        "resources": {"requests": {"cpu": "1000m", "memory": "1024Mi"}},
    }
    return {
        "metadata": {"labels": {"app": name}, "creationTimestamp": None},
        "spec": {"hostNetwork": False, "containers": [container], "volumes": [{"name": "tmp", "emptyDir": {}}]},
    }


def everything(options: pulumi.ResourceOptions) -> None:
    """Written as charts write: quantities in odd units, empty lists and nulls, a Service that names no type."""
    namespace = k8s.core.v1.Namespace("space", metadata={"name": "life"}, opts=options)

    def named(name: str) -> dict[str, object]:
        return {"name": name, "namespace": namespace.metadata["name"], "labels": {"app": name}}

    def workload(name: str) -> dict[str, object]:
        return {"selector": {"matchLabels": {"app": name}}, "template": pods(name)}

    k8s.core.v1.ConfigMap("nameless", metadata={"namespace": "life"}, data={"a": "1"}, opts=_after(options, namespace))
    k8s.core.v1.Secret("secret", metadata=named("secret"), string_data={"password": PASSWORD}, opts=options)
    k8s.core.v1.ConfigMap("hidden", metadata=named("hidden"), data={"a": pulumi.Output.secret(PASSWORD)}, opts=options)
    k8s.core.v1.ResourceQuota("quota", metadata=named("quota"), spec={"hard": {"requests.cpu": "64000m"}}, opts=options)
    k8s.core.v1.Service(
        "front", metadata=named("front"), spec={"selector": {"app": "web"}, "ports": [{"port": 80}]}, opts=options
    )
    k8s.apps.v1.Deployment("web", metadata=named("web"), spec={**workload("web"), "replicas": 2}, opts=options)
    k8s.apps.v1.StatefulSet("db", metadata=named("db"), spec={**workload("db"), "serviceName": "db"}, opts=options)
    k8s.apps.v1.DaemonSet("agent", metadata=named("agent"), spec=workload("agent"), opts=options)
    once = pods("job")
    once["spec"]["restartPolicy"] = "Never"  # type: ignore[index]
    k8s.batch.v1.Job("job", metadata=named("job"), spec={"template": once}, opts=options)
    k8s.core.v1.PersistentVolumeClaim(
        "claim",
        metadata=named("claim"),
        spec={
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "kwok-volume",
            "resources": {"requests": {"storage": "1024Mi"}},
        },
        opts=options,
    )


def _after(options: pulumi.ResourceOptions, *resources: pulumi.Resource) -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions.merge(options, pulumi.ResourceOptions(depends_on=list(resources)))


@pytest.mark.engine
def test_a_program_lives_from_nothing_to_nothing(stack: Stack, cluster: Cluster) -> None:
    first = stack.up(everything)
    assert first.ok, first.text
    assert {ops[0].op for ops in first.steps.values()} == {"create"}
    state = stack.state()
    name = state["nameless"]["outputs"]["metadata"]["name"]
    assert re.fullmatch(r"nameless-[0-9a-f]{8}", name), "a resource without a name gets one of its own"
    assert state["nameless"]["id"] == f"life/{name}"
    assert state["web"]["outputs"]["status"]["readyReplicas"] == 2, "the state holds the object as it was when ready"
    assert state["job"]["outputs"]["status"]["succeeded"] == 1
    assert state["claim"]["outputs"]["status"]["phase"] == "Bound"
    assert cluster.get(Ref("v1", "Secret", "life", "secret")) is not None
    assert PASSWORD not in stack.text(), "what is secret in the program is secret in the state"
    assert "YS1jYW5hcnktdGhh" not in stack.text(), "and so is its base64"

    again = stack.up(everything)
    assert (again.ok, again.steps) == (True, {}), "nothing changed, however oddly the program writes it"
    refreshed = stack.refresh()
    assert (refreshed.ok, refreshed.steps) == (True, {}), "what the controllers wrote is no drift"
    assert stack.preview(everything).steps == {}

    gone = stack.destroy()
    assert gone.ok, gone.text
    assert cluster.get(Ref("v1", "Namespace", None, "life")) is None, "deletion is waited for"
    assert stack.state() == {}
