"""A bundle is applied, compared and deleted as one, and never touches what is not its own."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from kube import instances
from kube.bundle import Bodies, Bundle
from kube.cluster import Cluster
from kube.errors import Conflict, Invalid, KubeError, TimedOut
from kube.instances import HasInstances
from kube.ownership import HOLDER, MANAGER, STACK_LABEL, Foreign, labels, prepared, valid_stack
from kube.refs import Ref
from simulator import Running, faults

STACK = "dev"
_numbers = itertools.count()


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    name = f"bundle-{next(_numbers)}"
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    cluster.apply(space, manager="test")
    yield name
    cluster.delete(Ref.of(space))


def bundle(cluster: Cluster, holder: str = "one", **options: Any) -> Bundle:
    return Bundle(cluster, stack=STACK, holder=holder, **({"timeout": 30, "patience": 5} | options))


def config_map(namespace: str, name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data}


def refused(namespace: str, name: str) -> dict[str, Any]:
    return config_map(namespace, name) | {"binaryData": {"a": "not base64"}}


def bodies(*objects: dict[str, Any], stack: str = STACK) -> Bodies:
    return {Ref.of(obj).key: prepared(obj, stack) for obj in objects}


def names(cluster: Cluster, namespace: str) -> set[str]:
    found = cluster.list("v1", "ConfigMap", namespace, metadata_only=True)
    return {obj["metadata"]["name"] for obj in found} - {"kube-root-ca.crt"}


def definition(plural: str) -> dict[str, Any]:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    kind = plural[:-1].capitalize()
    spec = {
        "group": "bundle.test",
        "scope": "Namespaced",
        "names": {"plural": plural, "kind": kind},
        "versions": [version],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.bundle.test"},
        "spec": spec,
    }


def instance(kind: str, namespace: str, name: str) -> dict[str, Any]:
    return {"apiVersion": "bundle.test/v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}}


def test_what_is_put_is_labelled_held_and_without_drift(cluster: Cluster, namespace: str) -> None:
    digests = bundle(cluster).put(bodies(config_map(namespace, "a", x="1"), config_map(namespace, "b")))
    live = cluster.get(Ref("v1", "ConfigMap", namespace, "a")) or {}
    assert live["metadata"]["labels"] == labels(STACK)
    assert live["metadata"]["annotations"] == {HOLDER: "one"}
    assert bundle(cluster).drift(digests) == {}


def test_putting_the_same_again_changes_nothing(cluster: Cluster, namespace: str) -> None:
    objects = bodies(config_map(namespace, "a", x="1"))
    first = bundle(cluster).put(objects)
    version = (cluster.get(Ref("v1", "ConfigMap", namespace, "a")) or {})["metadata"]["resourceVersion"]
    assert bundle(cluster).put(objects) == first
    assert (cluster.get(Ref("v1", "ConfigMap", namespace, "a")) or {})["metadata"]["resourceVersion"] == version


def test_definitions_come_before_their_instances_and_go_after_them(cluster: Cluster, namespace: str) -> None:
    objects = bodies(instance("Fig", namespace, "a"), definition("figs"), config_map(namespace, "a"))
    bundle(cluster).put(objects)
    assert len(cluster.list("bundle.test/v1", "Fig")) == 1
    bundle(cluster).delete(objects)
    assert cluster.get(Ref.of(definition("figs"))) is None
    assert names(cluster, namespace) == set()


@pytest.mark.parametrize(
    ("edit", "how"),
    [
        ({"data": {"x": "2"}}, "edited by kubectl-edit"),
        ({"data": {"x": None}}, "edited"),
        ({"metadata": {"labels": {STACK_LABEL: None}}}, "edited"),
        ({"metadata": {"annotations": {HOLDER: "two"}}}, "held by two"),
    ],
)
def test_drift_says_what_happened(cluster: Cluster, namespace: str, edit: dict[str, Any], how: str) -> None:
    objects = bodies(config_map(namespace, "a", x="1"), config_map(namespace, "b"))
    digests = bundle(cluster).put(objects)
    cluster.patch(Ref("v1", "ConfigMap", namespace, "a"), edit, manager="kubectl-edit")
    assert bundle(cluster).drift(digests) == {f"ConfigMap/{namespace}/a": how}
    assert bundle(cluster).put(objects, force=objects) == digests
    assert bundle(cluster).drift(digests) == {}


def test_what_is_gone_is_missing_and_what_others_added_is_theirs(cluster: Cluster, namespace: str) -> None:
    digests = bundle(cluster).put(bodies(config_map(namespace, "a", x="1"), config_map(namespace, "b")))
    cluster.patch(Ref("v1", "ConfigMap", namespace, "a"), {"data": {"y": "2"}}, manager="kubectl-edit")
    cluster.delete_and_wait([Ref("v1", "ConfigMap", namespace, "b")], timeout=10)
    assert bundle(cluster).drift(digests) == {f"ConfigMap/{namespace}/b": "missing"}


def test_leftovers_of_a_killed_run_of_the_same_stack_are_taken_up(cluster: Cluster, namespace: str) -> None:
    objects = bodies(config_map(namespace, "a", x="1"), config_map(namespace, "b", x="1"))
    bundle(cluster, "killed").put({key: body for key, body in objects.items() if key.endswith("/a")})
    digests = bundle(cluster, "next").put(objects)
    assert bundle(cluster, "next").drift(digests) == {}


def test_what_somebody_else_made_is_refused_before_anything_is_touched(cluster: Cluster, namespace: str) -> None:
    cluster.apply(config_map(namespace, "z", x="theirs"), manager="kubectl")
    with pytest.raises(Foreign) as caught:
        bundle(cluster).put(bodies(config_map(namespace, "a"), config_map(namespace, "z", x="ours")))
    assert f"ConfigMap/{namespace}/z: exists and was not made by this stack (managed by kubectl)" in str(caught.value)
    assert names(cluster, namespace) == {"z"}


def test_the_command_in_that_refusal_hands_it_over(cluster: Cluster, namespace: str) -> None:
    cluster.apply(config_map(namespace, "z", x="1"), manager="kubectl")
    with pytest.raises(Foreign, match=rf"kubectl label -n {namespace} configmap z aiga.dev/stack=dev"):
        bundle(cluster).put(bodies(config_map(namespace, "z", x="1")))
    cluster.patch(Ref("v1", "ConfigMap", namespace, "z"), {"metadata": {"labels": {STACK_LABEL: STACK}}})
    bundle(cluster).put(bodies(config_map(namespace, "z", x="1")))


def test_another_stacks_object_is_refused(cluster: Cluster, namespace: str) -> None:
    cluster.apply(prepared(config_map(namespace, "z"), "prod"), manager=MANAGER)
    with pytest.raises(Foreign, match="belongs to stack prod"):
        bundle(cluster).put(bodies(config_map(namespace, "z")))


def test_a_failure_in_the_middle_leaves_nothing_and_names_the_object(cluster: Cluster, namespace: str) -> None:
    many = [config_map(namespace, f"c{number:02}") for number in range(40)]
    with pytest.raises(Invalid, match=f"ConfigMap/{namespace}/c20x") as caught:
        bundle(cluster).put(bodies(*many, refused(namespace, "c20x"), definition("nuts")))
    assert "\n" not in str(caught.value)
    assert names(cluster, namespace) == set()
    assert cluster.get(Ref.of(definition("nuts"))) is None


def test_a_failure_does_not_delete_what_was_there_before(cluster: Cluster, namespace: str) -> None:
    bundle(cluster, "killed").put(bodies(config_map(namespace, "a", x="1")))
    with pytest.raises(Invalid):
        bundle(cluster).put(
            bodies(config_map(namespace, "a", x="1"), config_map(namespace, "b"), refused(namespace, "c"))
        )
    assert names(cluster, namespace) == {"a"}


def test_a_failing_update_puts_back_what_it_changed_and_removes_what_it_added(cluster: Cluster, namespace: str) -> None:
    before = bodies(config_map(namespace, "a", x="1"), config_map(namespace, "b", x="1"))
    digests = bundle(cluster).put(before)
    new = bodies(config_map(namespace, "a", x="2"), config_map(namespace, "c"), refused(namespace, "d"))
    with pytest.raises(Invalid, match="/d"):
        bundle(cluster).put(new, gone=[f"ConfigMap/{namespace}/b"], before=before)
    assert names(cluster, namespace) == {"a", "b"}
    assert bundle(cluster).drift(digests) == {}


def test_what_does_not_become_ready_is_removed_and_named(cluster: Cluster, namespace: str) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "a", "namespace": namespace},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "none",
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
    with pytest.raises(TimedOut, match="the volume claim is Pending"):
        bundle(cluster, timeout=2).put(bodies(config_map(namespace, "a"), claim))
    assert names(cluster, namespace) == set()


def test_a_field_of_another_manager_is_a_conflict_that_names_it(cluster: Cluster, namespace: str) -> None:
    bundle(cluster).put(bodies(config_map(namespace, "a", x="1")))
    theirs = prepared(config_map(namespace, "a", x="2"), STACK)
    cluster.apply(theirs, manager="flux", force=True)
    with pytest.raises(Conflict, match=r"ConfigMap/.*/a: \.data\.x belongs to field manager flux"):
        bundle(cluster).put(bodies(config_map(namespace, "a", x="3")), before=bodies(config_map(namespace, "a", x="1")))
    assert (cluster.get(Ref("v1", "ConfigMap", namespace, "a")) or {})["data"] == {"x": "2"}
    ours = bodies(config_map(namespace, "a", x="3"))
    bundle(cluster).put(ours, force=ours)
    assert (cluster.get(Ref("v1", "ConfigMap", namespace, "a")) or {})["data"] == {"x": "3"}


def test_a_binding_whose_role_changes_is_made_anew(cluster: Cluster, namespace: str) -> None:
    def binding(role: str) -> dict[str, Any]:
        return {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "a", "namespace": namespace},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": namespace}],
        }

    bundle(cluster).put(bodies(binding("view")))
    bundle(cluster).put(bodies(binding("edit")))
    assert (cluster.get(Ref.of(binding("edit"))) or {})["roleRef"]["name"] == "edit"


def test_an_object_that_moved_to_another_set_survives_the_first_ones_deletion(cluster: Cluster, namespace: str) -> None:
    objects = bodies(config_map(namespace, "a"), config_map(namespace, "b"))
    bundle(cluster, "first").put(objects)
    bundle(cluster, "second").put({key: body for key, body in objects.items() if key.endswith("/a")})
    bundle(cluster, "first").delete(objects)
    assert names(cluster, namespace) == {"a"}


def test_deleting_does_not_need_our_marks_but_leaves_what_somebody_made_again(cluster: Cluster, namespace: str) -> None:
    objects = bodies(config_map(namespace, "a"), config_map(namespace, "b"))
    bundle(cluster).put(objects)
    stripped = {"metadata": {"labels": None, "annotations": None}}
    cluster.patch(Ref("v1", "ConfigMap", namespace, "a"), stripped, manager="kubectl-edit")
    cluster.delete_and_wait([Ref("v1", "ConfigMap", namespace, "b")], timeout=10)
    cluster.create(config_map(namespace, "b"), manager="kubectl")
    bundle(cluster).delete(objects)
    assert names(cluster, namespace) == {"b"}


def test_a_definition_with_instances_of_others_is_neither_pruned_nor_deleted(cluster: Cluster, namespace: str) -> None:
    objects = bodies(definition("kiwis"), config_map(namespace, "a"))
    bundle(cluster).put(objects)
    cluster.create(instance("Kiwi", namespace, "precious"), manager="kubectl")
    expected = rf"kiwis\.bundle\.test: deleting this CRD would delete 1 Kiwi with it: {namespace}/precious"
    with pytest.raises(HasInstances, match=expected):
        bundle(cluster).delete(objects)
    with pytest.raises(HasInstances, match=expected):
        bundle(cluster).put(bodies(config_map(namespace, "b")), gone=objects)
    assert names(cluster, namespace) == {"a"}
    assert len(cluster.list("bundle.test/v1", "Kiwi")) == 1
    cluster.delete(Ref.of(instance("Kiwi", namespace, "precious")))
    bundle(cluster).delete(objects)
    assert cluster.get(Ref.of(definition("kiwis"))) is None


def test_instances_on_their_way_out_are_waited_for(cluster: Cluster, namespace: str) -> None:
    objects = bodies(definition("melons"))
    bundle(cluster).put(objects)
    held = instance("Melon", namespace, "slow")
    held["metadata"]["finalizers"] = ["bundle.test/slow"]
    cluster.create(held, manager="kubectl")
    cluster.delete(Ref.of(held))
    release = threading.Timer(1.5, lambda: cluster.patch(Ref.of(held), {"metadata": {"finalizers": None}}))
    release.start()
    bundle(cluster).delete(objects)
    release.join()
    assert cluster.get(Ref.of(definition("melons"))) is None


def test_instances_that_do_not_go_are_named(cluster: Cluster, namespace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle(cluster).put(bodies(definition("dates")))
    held = instance("Date", namespace, "stuck")
    held["metadata"]["finalizers"] = ["bundle.test/stuck"]
    cluster.create(held, manager="kubectl")
    cluster.delete(Ref.of(held))
    with pytest.raises(HasInstances, match=f"{namespace}/stuck"):
        instances.refuse(cluster, Ref.of(definition("dates")), [], lambda _: True, grace=1)
    cluster.patch(Ref.of(held), {"metadata": {"finalizers": None}})
    bundle(cluster).delete(bodies(definition("dates")))


def test_an_object_that_is_being_deleted_is_waited_for_and_made_again(cluster: Cluster, namespace: str) -> None:
    held = config_map(namespace, "a", x="1")
    held["metadata"]["finalizers"] = ["bundle.test/slow"]
    bundle(cluster, "killed").put(bodies(held))
    ref = Ref.of(held)
    cluster.delete(ref)
    release = threading.Timer(1.0, lambda: cluster.patch(ref, {"metadata": {"finalizers": None}}))
    release.start()
    bundle(cluster).put(bodies(config_map(namespace, "a", x="2")))
    release.join()
    time.sleep(0.2)
    assert (cluster.get(ref) or {})["data"] == {"x": "2"}


def test_an_api_server_that_restarts_in_the_middle_is_waited_for(
    sim: Running, cluster: Cluster, namespace: str
) -> None:
    objects = bodies(*(config_map(namespace, f"c{number:04}") for number in range(1500)))

    def fail() -> None:
        while len(names(cluster, namespace)) < 100:
            time.sleep(0.05)
        faults.kill_apiserver(sim.home)
        time.sleep(2)
        faults.start_apiserver(sim.home)

    thread = threading.Thread(target=fail)
    thread.start()
    bundle(cluster, patience=60).put(objects)
    thread.join()
    assert len(names(cluster, namespace)) == 1500


def test_an_api_server_that_stays_away_is_named(sim: Running, cluster: Cluster, namespace: str) -> None:
    faults.kill_apiserver(sim.home)
    try:
        with pytest.raises(KubeError, match=r"does not answer: Connection refused \(tried for 1 s\)"):
            bundle(cluster, patience=1).put(bodies(config_map(namespace, "a")))
    finally:
        faults.start_apiserver(sim.home)


def test_manifests_are_prepared_without_what_servers_and_controllers_fill_in() -> None:
    hook = {"name": "w", "clientConfig": {"caBundle": "Cg==", "service": {"name": "s"}}, "timeoutSeconds": None}
    obj = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "a", "creationTimestamp": None, "uid": "x", "labels": {"app": "a"}},
        "webhooks": [hook],
        "status": {},
    }
    assert prepared(obj, "dev") == {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "metadata": {"name": "a", "labels": {"app": "a", **labels("dev")}},
        "webhooks": [{"name": "w", "clientConfig": {"service": {"name": "s"}}}],
    }
    real = {"webhooks": [{"clientConfig": {"caBundle": "TElWRQ=="}}]}
    assert prepared({**obj, **real}, "dev")["webhooks"] == real["webhooks"]


@pytest.mark.parametrize(("stack", "valid"), [("dev", True), ("a.B_c-1", True), ("-dev", False), ("a" * 64, False)])
def test_stack_names_that_cannot_be_labels(stack: str, valid: bool) -> None:
    assert valid_stack(stack) is valid
