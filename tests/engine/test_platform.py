"""The life of the whole platform, in order: each test goes on where the one before it left off."""

from __future__ import annotations

from typing import Any

import pytest
from engine_world import World, counted, everything, summary

from kube.readiness import pending
from kube.refs import Ref
from simulator import cluster as simulation

Snapshot = dict[tuple[str, str, str], dict[str, Any]]
CONTROLLER = Ref("apps/v1", "Deployment", "argo", "argo-workflows-workflow-controller")


@pytest.fixture(scope="module")
def before(world: World) -> Snapshot:
    """Everything there is on a cluster before the platform comes."""
    simulation.up(world.home, progress=lambda _: None)
    return everything(world.cluster)


def test_up_deploys_every_layer(world: World, before: Snapshot) -> None:
    output = world.run("up")
    assert counted(output, "created") > 300
    for service in ("argo", "broker", "grafana", "nats", "objectStore", "prometheus", "sealedSecrets", "webhook"):
        assert f" {service} " in output, "the table names every service"
    assert "Simulated" in output, "what is pretended is said"
    workloads = [o for kind in ("Deployment", "StatefulSet", "DaemonSet") for o in world.cluster.list("apps/v1", kind)]
    assert len(workloads) > 20
    assert [o["metadata"]["name"] for o in workloads if pending(o)] == []


def test_credentials_are_nowhere_in_clear(world: World) -> None:
    import base64

    secret = world.cluster.get(Ref("v1", "Secret", "monitoring", "grafana-admin"))
    assert secret is not None
    password = base64.b64decode(secret["data"]["admin-password"])
    assert len(password) >= 32
    hits = [p for p in world.folder.rglob("*") if p.is_file() and "kwok" not in p.parts and password in p.read_bytes()]
    assert hits == [], "in no log, no state, no generated file (etcd's own data aside)"


def test_a_second_up_changes_nothing(world: World) -> None:
    earlier = everything(world.cluster)
    output = world.run("up")
    assert "stack sim: no change" in output
    later = everything(world.cluster)
    touched = [key for key, meta in later.items() if earlier.get(key, {}).get("generation") != meta.get("generation")]
    assert touched == []


def test_refresh_finds_no_drift(world: World) -> None:
    assert "stack sim: no drifted" in world.run("refresh")


def test_refresh_finds_an_edit_and_up_repairs_it(world: World) -> None:
    edit = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": CONTROLLER.name, "namespace": CONTROLLER.namespace},
        "spec": {"replicas": 3},
    }
    world.cluster.apply(edit, manager="somebody", force=True)
    found = world.run("refresh")
    assert [line for line in found.splitlines() if line.startswith("drifted:")] != []
    assert "stack sim: 1 drifted" in found
    assert CONTROLLER.name in found
    world.run("up")
    live = world.cluster.get(CONTROLLER)
    assert live is not None
    assert live["spec"]["replicas"] == 1
    assert "stack sim: no change" in world.run("up")


def test_changing_one_value_touches_only_its_layer(world: World) -> None:
    preview = world.run("preview", **{"monitoring.retention": "3d"})
    assert "retention" in preview, "the preview names the field"
    output = world.run("up", **{"monitoring.retention": "3d"})
    assert counted(output, "updated") == 1, summary(output)
    assert counted(output, "created") == counted(output, "deleted") == 0
    prometheus = world.cluster.get(Ref("monitoring.coreos.com/v1", "Prometheus", "monitoring", "kps-prometheus"))
    prometheus = prometheus or world.cluster.list("monitoring.coreos.com/v1", "Prometheus", "monitoring")[0]
    assert prometheus["spec"]["retention"] == "3d"


def test_a_change_that_kubernetes_would_refuse_is_refused_before_anything_is_touched(world: World) -> None:
    earlier = everything(world.cluster)
    output = world.run("up", ok=False, **{"profile": "prod", "allowUnverified": "true", "objectStore.size": "5Gi"})
    assert "nats: it runs as servers with volumes of 1Gi" in output
    assert "objectStore: it runs as rustfs, one server" in output
    assert "Traceback" not in output
    later = everything(world.cluster)
    assert set(later) == set(earlier)
    assert [k for k in later if later[k].get("generation") != earlier[k].get("generation")] == []


def test_down_leaves_nothing(world: World, before: Snapshot) -> None:
    output = world.run("down", "--keep-cluster")
    assert "sweep: nothing on the cluster carries" in output, "destroy itself left nothing"
    left = set(everything(world.cluster)) - set(before)
    assert left == set()
