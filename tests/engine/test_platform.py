"""The life of the whole platform, in order: each test goes on where the one before it left off."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from engine_world import STACK, World, counted, everything, summary

from kube.readiness import pending
from kube.refs import Ref
from simulator import cluster as simulation

Snapshot = dict[tuple[str, str, str], dict[str, Any]]
PUBLIC = {"ca.crt", "tls.crt", "RCLONE_CONFIG_S3_ENDPOINT"}
"""Keys of Secrets that hold no secret; names of users are too short to be taken for one."""
CREDENTIALS = {
    "argo/artifacts-s3: secretKey",
    "argo-events/webhook-token: token",
    "flux-system/releases-s3: secretkey",
    "istio-system/gateway-tls: tls.key",
    "monitoring/grafana-admin: admin-password",
    "nats-io/nats-tls: tls.key",
    "sealed-secrets/sealing-key-1: tls.key",
    "seldon-system/seldon-rclone-secret: RCLONE_CONFIG_S3_SECRET_ACCESS_KEY",
    "seldon-system/seldon-webhook-server-cert: tls.key",
    "storage/buckets: MC_HOST_store",
    "storage/rustfs-root: RUSTFS_SECRET_KEY",
}
"""What is generated in any case; whatever else a Secret holds is looked for as well."""
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
    generated = credentials(world)
    assert set(generated) >= CREDENTIALS
    assert [name for name in CREDENTIALS if len(generated[name]) < 2] == [], "too short to be looked for"
    world.run("outputs")
    world.run("preview")
    files = [p for p in world.folder.rglob("*") if p.is_file() and "kwok" not in p.parts]
    assert any(p.name == f"{STACK}.json" for p in files), "the state is among them"
    places = {str(p): p.read_bytes() for p in files} | {"printed": "".join(world.printed).encode()}
    hits = [
        f"{name} in {place}"
        for name, spelled in generated.items()
        for place, text in places.items()
        if any(spelling in text for spelling in spelled)
    ]
    assert hits == [], "on no screen, in no log, no state, no generated file (etcd's own data aside)"


def credentials(world: World) -> dict[str, set[bytes]]:
    """How everything that is secret in the stack's Secrets may stand in a file, by `namespace/name: key`."""
    found = {}
    for o in world.cluster.list("v1", "Secret", label_selector=f"aiga.dev/stack={STACK}"):
        values = {key: base64.b64decode(value) for key, value in (o.get("data") or {}).items() if value}
        # A private key ends with the public one, which its certificate may hold in the same letters.
        public = b"".join(value for key, value in values.items() if key in PUBLIC)
        for key in values.keys() - PUBLIC:
            name = f"{o['metadata']['namespace']}/{o['metadata']['name']}: {key}"
            found[name] = {spelling for spelling in spellings(values[key]) if spelling not in public}
    return found


def spellings(value: bytes) -> set[bytes]:
    """As it is, in base64, and of a PEM each line that is its own."""
    lines = {line for line in value.splitlines() if len(line) >= 16 and not line.startswith(b"-----")}
    return {*lines, base64.b64encode(value)}


def test_the_state_of_the_whole_platform_stays_small(world: World) -> None:
    """The engine writes all of it anew at each step, so time goes with its size."""
    size = (world.home / "state" / ".pulumi" / "stacks" / "aiga" / f"{STACK}.json").stat().st_size
    assert 100_000 < size <= 2_500_000


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
