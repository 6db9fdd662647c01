"""Readiness and deletion: what is waited for, what spares waiting, and what is said when waiting was in vain."""

from __future__ import annotations

import signal
import time
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import pytest

from kube.cluster import Cluster
from kube.refs import Ref
from simulator.testing import eventually
from tests.provider.processes import engine_of
from tests.provider.provider_world import Program, Stack

pytestmark = pytest.mark.engine

NOWHERE = {"no-such-node": "true"}


def workload(namespace: str, name: str, *, fits: bool, seconds: int | None = 3, **annotations: str) -> Program:
    """A Deployment that the scheduler can place, or cannot."""
    if seconds is not None:
        annotations["pulumi.com/timeoutSeconds"] = str(seconds)
    pod: dict[str, Any] = {"containers": [{"name": "main", "image": "none"}], "nodeSelector": {} if fits else NOWHERE}

    def declare(options: pulumi.ResourceOptions) -> None:
        k8s.apps.v1.Deployment(
            name,
            metadata={"name": name, "namespace": namespace, "annotations": annotations},
            spec={
                "selector": {"matchLabels": {"app": name}},
                "template": {"metadata": {"labels": {"app": name}}, "spec": pod},
            },
            opts=options,
        )

    return declare


def test_what_never_becomes_ready_is_named_kept_in_the_state_and_mended(
    stack: Stack, cluster: Cluster, namespace: str
) -> None:
    failed = stack.up(workload(namespace, "homeless", fits=False))
    assert not failed.ok
    assert "'homeless' timed out waiting to be Ready" in failed.text
    assert "no-such-node" in failed.text or "node affinity" in failed.text, "the scheduler's reason is passed on"
    assert stack.state()["homeless"]["initErrors"], "the state knows that it is there, and not ready"
    mended = stack.up(workload(namespace, "homeless", fits=True, seconds=30))
    assert mended.ok, mended.text
    assert mended.ops("homeless") == ["update"]
    live = cluster.get(Ref("apps/v1", "Deployment", namespace, "homeless"))
    assert live is not None
    assert live["status"]["availableReplicas"] == 1, "an update is over when the new pods are"
    assert stack.up(workload(namespace, "homeless", fits=True, seconds=30)).steps == {}


def test_waiting_can_be_spared_and_shortened(stack: Stack, namespace: str) -> None:
    began = time.monotonic()
    spared = stack.up(workload(namespace, "spared", fits=False, seconds=None, **{"pulumi.com/skipAwait": "true"}))
    assert spared.ok, spared.text

    def shortened(options: pulumi.ResourceOptions) -> None:
        timeouts = pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create="1s"))
        workload(namespace, "shortened", fits=False, seconds=None)(pulumi.ResourceOptions.merge(options, timeouts))

    assert not stack.up(shortened).ok
    assert time.monotonic() - began < 60, "ten minutes is what nobody asked for"


def test_a_job_that_fails_is_reported_at_once(stack: Stack, cluster: Cluster, namespace: str) -> None:
    def program(options: pulumi.ResourceOptions) -> None:
        k8s.batch.v1.Job(
            "late",
            metadata={"name": "late", "namespace": namespace},
            spec={
                "activeDeadlineSeconds": 1,
                "template": {
                    "spec": {
                        "restartPolicy": "Never",
                        "nodeSelector": NOWHERE,
                        "containers": [{"name": "main", "image": "none"}],
                    }
                },
            },
            opts=options,
        )

    began = time.monotonic()
    failed = stack.up(program)
    assert not failed.ok
    assert "late" in failed.text
    assert "DeadlineExceeded" in failed.text or "longer than specified deadline" in failed.text
    assert time.monotonic() - began < 60


def gadget_kind() -> dict[str, Any]:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "gadgets.try.aiga.dev"},
        "spec": {
            "group": "try.aiga.dev",
            "scope": "Cluster",
            "names": {"kind": "Gadget", "plural": "gadgets"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                    "subresources": {"status": {}},
                }
            ],
        },
    }


def gadget(annotations: dict[str, str] | None = None, columns: int = 0) -> Program:
    """A kind and an object of it, in one program; the kind lies in no namespace."""

    def declare(options: pulumi.ResourceOptions) -> None:
        kind = gadget_kind()
        definition = k8s.apiextensions.v1.CustomResourceDefinition(
            "kind", metadata=kind["metadata"], spec=_snake(kind["spec"], columns), opts=options
        )
        k8s.apiextensions.CustomResource(
            "gadget",
            api_version="try.aiga.dev/v1",
            kind="Gadget",
            metadata={"name": "gadget", "annotations": annotations or {}},
            spec={"size": 3, "empty": {}, "none": ""},
            opts=pulumi.ResourceOptions.merge(options, pulumi.ResourceOptions(depends_on=[definition])),
        )

    return declare


def _snake(spec: dict[str, Any], columns: int) -> dict[str, Any]:
    schema = {"type": "object", "x_kubernetes_preserve_unknown_fields": True}
    shown = [{"name": f"c{number}", "type": "string", "jsonPath": ".spec.size"} for number in range(columns)]
    version = {**spec["versions"][0], "schema": {"openAPIV3Schema": schema}}
    return {**spec, "versions": [{**version, "additionalPrinterColumns": shown} if shown else version]}


def test_a_kind_and_its_object_in_one_program_wait_for_what_the_annotation_says(stack: Stack, cluster: Cluster) -> None:
    wanted = {"pulumi.com/waitFor": '["condition=Ready", "jsonpath={.status.phase}=Done"]'}
    assert stack.preview(gadget(wanted)).ok, "a preview does without the kind"
    ref = Ref("try.aiga.dev/v1", "Gadget", None, "gadget")
    with stack.updating(gadget(wanted)) as update:
        eventually(lambda: cluster.get(ref), "the object", timeout=30)
        cluster.patch_status(ref, {"conditions": [{"type": "Ready", "status": "True"}], "phase": "Busy"})
        time.sleep(1)
        assert update.running, "one of two conditions is not enough"
        cluster.patch_status(ref, {"phase": "Done"})
        outcome = update.outcome(30)
    assert outcome.ok, outcome.text
    assert stack.state()["gadget"]["outputs"]["status"]["phase"] == "Done"
    changed = stack.up(gadget(wanted, columns=1))
    assert changed.ok, changed.text
    assert changed.changes("kind") == {"spec.versions[0].additionalPrinterColumns": "add"}
    assert "gadget" not in changed.steps, "the object needs no change when its kind gets a column"
    assert stack.up(gadget(wanted, columns=1)).steps == {}
    gone = stack.destroy()
    assert gone.ok, gone.text
    assert cluster.get(ref) is None


def test_a_deletion_that_hangs_names_the_finalizer(stack: Stack, cluster: Cluster, namespace: str) -> None:
    def program(options: pulumi.ResourceOptions) -> None:
        timeouts = pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(delete="2s"))
        k8s.core.v1.ConfigMap(
            "held",
            metadata={"name": "held", "namespace": namespace, "finalizers": ["try.aiga.dev/hold"]},
            opts=pulumi.ResourceOptions.merge(options, timeouts),
        )

    ref = Ref("v1", "ConfigMap", namespace, "held")
    assert stack.up(program).ok
    held = stack.destroy()
    assert not held.ok
    assert "finalizers might be preventing deletion" in held.text
    assert "try.aiga.dev/hold" in held.text
    assert "held" in stack.state(), "what is still there stays in the state"
    cluster.patch(ref, {"metadata": {"finalizers": None}})
    assert stack.destroy().ok
    assert cluster.get(ref) is None


def test_an_interrupt_ends_the_waiting(stack: Stack, cluster: Cluster, namespace: str) -> None:
    with stack.updating(workload(namespace, "interrupted", fits=False, seconds=300)) as update:
        engine = eventually(lambda: engine_of("up"), "the engine", timeout=20)
        eventually(lambda: cluster.get(Ref("apps/v1", "Deployment", namespace, "interrupted")), "it", timeout=30)
        time.sleep(1)
        began = time.monotonic()
        engine.send(signal.SIGINT)
        assert not update.outcome(30).ok
    assert time.monotonic() - began < 15, "nobody waits on"
    assert stack.state()["interrupted"]["initErrors"], "what was made is in the state"
