"""Requests against a real API server."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from kube import digest, yaml
from kube.cluster import Cluster
from kube.errors import (
    AlreadyExists,
    Conflict,
    Invalid,
    KubeError,
    NoSuchKind,
    NotFound,
    TimedOut,
    Unreachable,
)
from kube.pool import each
from kube.refs import Ref
from kube.waiting import patiently


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}, "data": data}


def definition(plural: str, group: str = "kube.test", **names: str) -> dict[str, Any]:
    kind = plural[:-1].capitalize()
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind, **names},
            "versions": [version],
        },
    }


def test_the_kubeconfig_is_a_path_or_its_text(kubeconfig: str, cluster: Cluster) -> None:
    text = Cluster.connect(Path(kubeconfig).read_text())
    assert text.identity() == cluster.identity()
    assert text.server == cluster.server
    assert cluster.version().startswith("v1.")


@pytest.mark.parametrize(
    ("kubeconfig_text", "context", "expected"),
    [
        ("/nowhere/config", None, "/nowhere/config: there is no such file"),
        ("", None, "empty"),
        ("clusters: []\nkind: Config\n", None, "current-context"),
        (": :\n- {", None, "given as text"),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_is_refused(kubeconfig_text: str, context: str | None, expected: str) -> None:
    with pytest.raises(Invalid, match=expected) as caught:
        Cluster.connect(kubeconfig_text, context)
    assert "\n" not in str(caught.value)


def test_a_context_that_is_not_there_is_refused(kubeconfig: str) -> None:
    with pytest.raises(Invalid, match="context nope"):
        Cluster.connect(kubeconfig, "nope")


def test_an_api_server_that_is_not_there_is_unreachable(kubeconfig: str) -> None:
    config = yaml.load(Path(kubeconfig).read_text())
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:9"
    with pytest.raises(Unreachable, match=r"https://127.0.0.1:9 does not answer: Connection refused"):
        Cluster.connect(yaml.dump([config])).version()


def test_apply_creates_changes_and_drops_what_is_left_out(cluster: Cluster) -> None:
    cluster.apply(config_map("applied", x="1", y="2"), manager="aiga")
    cluster.apply(config_map("applied", x="3"), manager="aiga")
    live = cluster.get(Ref.of(config_map("applied")))
    assert live is not None
    assert live["data"] == {"x": "3"}
    assert [entry["manager"] for entry in live["metadata"]["managedFields"]] == ["aiga"]


def test_a_dry_run_changes_nothing(cluster: Cluster) -> None:
    answer = cluster.apply(config_map("dry", x="1"), manager="aiga", dry_run=True)
    assert answer["data"] == {"x": "1"}
    assert cluster.get(Ref.of(config_map("dry"))) is None


def test_create_refuses_what_exists(cluster: Cluster) -> None:
    cluster.create(config_map("created"), manager="aiga")
    with pytest.raises(AlreadyExists, match="ConfigMap/default/created"):
        cluster.create(config_map("created"), manager="aiga")


def test_another_managers_field_is_a_conflict_until_forced(cluster: Cluster) -> None:
    cluster.apply(config_map("shared", x="1"), manager="kubectl")
    with pytest.raises(Conflict) as caught:
        cluster.apply(config_map("shared", x="2"), manager="aiga")
    assert caught.value.managers == ["kubectl"]
    assert caught.value.fields == [".data.x"]
    assert cluster.apply(config_map("shared", x="2"), manager="aiga", force=True)["data"] == {"x": "2"}


def test_an_edit_by_anybody_changes_the_digest_of_our_fields_and_undoing_it_by_apply_restores_it(
    cluster: Cluster,
) -> None:
    before = digest.owned(cluster.apply(config_map("edited", x="1"), manager="aiga"), "aiga")
    ref = Ref.of(config_map("edited"))
    cluster.patch(ref, {"data": {"y": "added"}}, manager="kubectl-edit")
    assert digest.owned(cluster.get(ref) or {}, "aiga") == before
    cluster.patch(ref, {"data": {"x": "2"}}, manager="kubectl-edit")
    assert digest.owned(cluster.get(ref) or {}, "aiga") != before
    assert digest.owned(cluster.apply(config_map("edited", x="1"), manager="aiga", force=True), "aiga") == before


@pytest.mark.parametrize(
    ("obj", "error", "expected"),
    [
        (config_map("bad") | {"foo": 1}, Invalid, r"\.foo: field not declared in schema"),
        (config_map("Bad"), Invalid, "RFC 1123"),
        ({**config_map("a"), "metadata": {"name": "a"}}, Invalid, "set metadata.namespace"),
        ({**config_map("a"), "metadata": {"name": "a", "namespace": "nope"}}, NotFound, "create the namespace first"),
        ({**config_map("a"), "apiVersion": "foo.io/v1", "kind": "Foo"}, NoSuchKind, "is its CRD installed"),
    ],
)
def test_refusals_name_object_and_reason(
    cluster: Cluster, obj: dict[str, Any], error: type[KubeError], expected: str
) -> None:
    with pytest.raises(error, match=expected) as caught:
        cluster.apply(obj, manager="aiga")
    assert obj["metadata"]["name"] in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_kind_is_found_as_soon_as_its_definition_is_established_and_its_objects_go_with_it(cluster: Cluster) -> None:
    crd = definition("apples")
    apple = {"apiVersion": "kube.test/v1", "kind": "Apple", "metadata": {"name": "a", "namespace": "default"}}
    with pytest.raises(NoSuchKind):
        cluster.apply(apple, manager="aiga")
    assert cluster.list("kube.test/v1", "Apple") == []
    cluster.apply(crd, manager="aiga")
    cluster.wait_ready([Ref.of(crd)], timeout=30)
    patiently(lambda: cluster.apply(apple, manager="aiga"), 10)
    assert [found["metadata"]["name"] for found in cluster.list("kube.test/*", "Apple")] == ["a"]
    assert ("kube.test/v1", "Apple", True) in cluster.kinds()
    cluster.delete_and_wait([Ref.of(crd)], timeout=30)
    assert cluster.get(Ref.of(apple)) is None
    assert cluster.delete(Ref.of(apple)) is False


def test_lists_are_paged_filtered_and_carry_their_kind(cluster: Cluster) -> None:
    def named(number: int) -> dict[str, Any]:
        obj = config_map(f"page-{number}")
        obj["metadata"]["labels"] = {"page": str(number % 2)}
        return obj

    each(lambda number: cluster.apply(named(number), manager="aiga", metadata_only=True), range(520))
    found = cluster.list("v1", "ConfigMap", "default", "page")
    assert len({item["metadata"]["name"] for item in found}) == 520
    assert len(cluster.list("v1", "ConfigMap", None, "page=1", metadata_only=True)) == 260
    assert (found[0]["apiVersion"], found[0]["kind"]) == ("v1", "ConfigMap")
    cluster.delete_and_wait([Ref.of(item) for item in found], timeout=30)
    assert cluster.list("v1", "ConfigMap", "default", "page") == []


def test_watch_tells_what_happened_since_the_snapshot(cluster: Cluster) -> None:
    _, since = cluster.snapshot("v1", "ConfigMap", "default")
    ref = Ref.of(config_map("watched"))

    def act() -> None:
        cluster.apply(config_map("watched"), manager="aiga")
        cluster.patch(ref, {"data": {"x": "1"}})
        cluster.delete(ref)

    thread = threading.Thread(target=act)
    thread.start()
    events = []
    for event, obj in cluster.watch("v1", "ConfigMap", since, "default", timeout=20):
        events.append((event, obj.get("data")))
        if event == "DELETED":
            break
    thread.join()
    assert events == [("ADDED", None), ("MODIFIED", {"x": "1"}), ("DELETED", {"x": "1"})]


def test_status_is_patched_and_a_stale_replace_refused(cluster: Cluster) -> None:
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "patched"}}
    stale = cluster.apply(space, manager="aiga")
    ready = {"type": "Ours", "status": "True"}
    live = cluster.patch_status(Ref.of(space), {"conditions": [ready]})
    assert live["status"]["conditions"][0]["type"] == "Ours"
    with pytest.raises(Conflict):
        cluster.replace({**stale, "metadata": stale["metadata"] | {"labels": {"x": "y"}}})
    cluster.delete_and_wait([Ref.of(space)], timeout=60)


def test_deletion_returns_when_all_are_gone_and_does_not_mind_what_is_not_there(cluster: Cluster) -> None:
    objects = [config_map(f"gone-{number}") for number in range(20)]
    each(lambda obj: cluster.apply(obj, manager="aiga"), objects[:10])
    cluster.delete_and_wait([Ref.of(obj) for obj in objects], timeout=10)
    assert [obj for obj in objects if cluster.get(Ref.of(obj))] == []
    assert cluster.delete(Ref.of(objects[0])) is False


def test_what_will_not_go_is_named_with_its_finalizer(cluster: Cluster) -> None:
    obj = config_map("held")
    obj["metadata"]["finalizers"] = ["kube.test/hold"]
    cluster.apply(obj, manager="aiga")
    with pytest.raises(TimedOut, match=r"ConfigMap/default/held: still there, held by finalizer kube.test/hold"):
        cluster.delete_and_wait([Ref.of(obj)], timeout=1)
    cluster.patch(Ref.of(obj), {"metadata": {"finalizers": None}})
    assert cluster.get(Ref.of(obj)) is None


def test_what_does_not_get_ready_is_named_with_the_reason(cluster: Cluster) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "unbound", "namespace": "default"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "none",
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
    cluster.apply(claim, manager="aiga")
    started = time.monotonic()
    with pytest.raises(TimedOut, match=r"PersistentVolumeClaim/default/unbound: the volume claim is Pending"):
        cluster.wait_ready([Ref.of(claim)], timeout=0.5)
    assert time.monotonic() - started < 5
    cluster.delete(Ref.of(claim))


def test_a_definition_whose_names_are_taken_fails_at_once(cluster: Cluster) -> None:
    one, two = definition("pears"), definition("plums", kind="Pear", listKind="PearList")
    cluster.apply(one, manager="aiga")
    cluster.wait_ready([Ref.of(one)], timeout=30)
    cluster.apply(two, manager="aiga")
    started = time.monotonic()
    with pytest.raises(KubeError, match="NamesAccepted is False"):
        cluster.wait_ready([Ref.of(two)], timeout=60)
    assert time.monotonic() - started < 20
    cluster.delete_and_wait([Ref.of(one), Ref.of(two)], timeout=30)


def test_a_deployment_is_waited_for_until_its_pods_run(cluster: Cluster) -> None:
    labels = {"app": "web"}
    web = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
        },
    }
    cluster.apply(web, manager="aiga")
    cluster.wait_ready([Ref.of(web)], timeout=60)
    assert (cluster.get(Ref.of(web)) or {})["status"]["availableReplicas"] == 2
    cluster.delete_and_wait([Ref.of(web)], timeout=60)
    assert cluster.list("v1", "Pod", "default", "app=web") == []


def test_one_failure_stops_the_rest(cluster: Cluster) -> None:
    begun: list[int] = []

    def call(number: int) -> None:
        begun.append(number)
        time.sleep(0.01)
        if number == 3:
            raise Invalid("three")

    with pytest.raises(Invalid, match="three"):
        each(call, range(1000))
    assert len(begun) < 100
