"""Killed in the middle: the recipe that carries on, with nothing twice and nothing left over."""

from __future__ import annotations

import signal

import pulumi
import pulumi_kubernetes as k8s
import pytest

from kube.cluster import Cluster
from simulator.testing import eventually
from tests.provider.processes import Process, engine_of, plugins_of, runs
from tests.provider.provider_world import Program, Stack

pytestmark = pytest.mark.engine

MAPS = 6


def program(namespace: str, name: str, *, fits: bool) -> Program:
    """Some objects that are made at once, and one that the first attempt waits for in vain."""

    def declare(options: pulumi.ResourceOptions) -> None:
        for number in range(MAPS):
            metadata = {"name": f"{name}-{number}", "namespace": namespace, "labels": {"of": name}}
            k8s.core.v1.ConfigMap(f"{name}-{number}", metadata=metadata, data={"a": "1"}, opts=options)
        nodes = {} if fits else {"no-such-node": "true"}
        k8s.apps.v1.Deployment(
            name,
            metadata={"name": name, "namespace": namespace, "labels": {"of": name}},
            spec={
                "selector": {"matchLabels": {"app": name}},
                "template": {
                    "metadata": {"labels": {"app": name}},
                    "spec": {"nodeSelector": nodes, "containers": [{"name": "main", "image": "none"}]},
                },
            },
            opts=options,
        )

    return declare


def killed_while_waiting(stack: Stack, cluster: Cluster, namespace: str, name: str, victims: str) -> list[Process]:
    """Run an update until it waits, then kill; returns what was killed."""
    with stack.updating(program(namespace, name, fits=False)) as update:
        engine = waiting_engine(cluster, namespace, name)
        plugins = [process for process in plugins_of(engine) if "kubernetes" in process.command]
        assert plugins, "the kubernetes plugin is a child of the engine"
        targets = plugins if victims == "plugin" else [engine, *plugins]
        for process in targets:
            process.send(signal.SIGKILL)
        assert not update.outcome().ok
    return targets


def waiting_engine(cluster: Cluster, namespace: str, name: str) -> Process:
    """The engine, once everything is made and one thing waited for."""
    eventually(lambda: cluster.list("apps/v1", "Deployment", namespace, f"of={name}"), "the Deployment", timeout=40)
    eventually(lambda: len(cluster.list("v1", "ConfigMap", namespace, f"of={name}")) == MAPS, "the rest", timeout=20)
    return eventually(lambda: engine_of("up"), "the engine")


@pytest.mark.parametrize("victims", ["plugin", "both"])
def test_an_update_that_was_killed_is_carried_on(
    stack: Stack, cluster: Cluster, namespace: str, victims: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"killed-{victims.partition(' ')[0]}"
    for process in killed_while_waiting(stack, cluster, namespace, name, victims):
        eventually(lambda process=process: not runs(process), f"the end of {process.command}")
    if victims != "plugin":
        locked = stack.up(program(namespace, name, fits=True))
        assert not locked.ok
        assert "locked" in locked.text
        stack.cancel()
    uids = {live["metadata"]["uid"] for live in cluster.list("v1", "ConfigMap", namespace, f"of={name}")}

    refreshed = stack.refresh(clear_pending_creates=True)
    assert refreshed.ok, refreshed.text
    with monkeypatch.context() as patch:
        patch.setenv("PULUMI_K8S_UPSERT_EXISTING_OBJECTS", "true")
        patch.setenv("PULUMI_K8S_ENABLE_PATCH_FORCE", "true")
        resumed = stack.up(program(namespace, name, fits=True))
    assert resumed.ok, resumed.text
    assert stack.up(program(namespace, name, fits=True)).ok, "the two variables are taken back"
    assert stack.preview(program(namespace, name, fits=True)).steps == {}
    maps = cluster.list("v1", "ConfigMap", namespace, f"of={name}")
    assert {live["metadata"]["uid"] for live in maps} == uids, "what was made is adopted, not made twice"
    assert stack.pending() == []
    assert stack.destroy().ok
    assert cluster.list("v1", "ConfigMap", namespace, f"of={name}") == []
    assert cluster.list("apps/v1", "Deployment", namespace, f"of={name}") == []


def test_a_plugin_ends_with_its_engine(stack: Stack, cluster: Cluster, namespace: str, plugins: str) -> None:
    if plugins == "official":
        pytest.skip("the official plugin goes on by itself; the runner looks for it before it resumes")
    with stack.updating(program(namespace, "orphan", fits=False)) as update:
        engine = waiting_engine(cluster, namespace, "orphan")
        left = plugins_of(engine)
        engine.send(signal.SIGKILL)
        update.outcome()
    eventually(lambda: not any(runs(process) for process in left), "the end of the plugins", timeout=10)
