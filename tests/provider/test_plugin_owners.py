"""Objects that exist already, and fields that somebody else owns."""

from __future__ import annotations

import pulumi
import pulumi_kubernetes as k8s
import pytest

from kube.cluster import Cluster
from kube.refs import Ref
from tests.provider.provider_world import Program, Stack

pytestmark = pytest.mark.engine


def config_map(namespace: str, name: str, value: str = "1", **annotations: str) -> Program:
    def declare(options: pulumi.ResourceOptions) -> None:
        k8s.core.v1.ConfigMap(
            name,
            metadata={"name": name, "namespace": namespace, "annotations": annotations},
            data={"a": value},
            opts=options,
        )

    return declare


def foreign(cluster: Cluster, namespace: str, name: str) -> Ref:
    """A ConfigMap that another manager applied."""
    metadata = {"name": name, "namespace": namespace}
    cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "0"}}, manager="other")
    return Ref("v1", "ConfigMap", namespace, name)


def test_an_existing_object_is_refused_and_left_as_it_is(stack: Stack, cluster: Cluster, namespace: str) -> None:
    ref = foreign(cluster, namespace, "taken")
    before = cluster.get(ref)
    assert stack.preview(config_map(namespace, "taken")).ok, "a preview cannot know what happens before"
    refused = stack.up(config_map(namespace, "taken"))
    assert not refused.ok
    assert "taken" in refused.text
    assert "already exists" in refused.text
    assert "upsertExistingObjects" in refused.text
    assert cluster.get(ref) == before
    assert "taken" not in stack.state()


def test_an_existing_object_is_adopted_on_demand_but_not_other_peoples_fields(
    stack: Stack, cluster: Cluster, namespace: str
) -> None:
    ref = foreign(cluster, namespace, "adopted")
    refused = stack.up(config_map(namespace, "adopted"), upsert_existing_objects=True)
    assert not refused.ok
    assert "conflict" in refused.text
    assert '"other"' in refused.text or "other" in refused.text
    assert ".data.a" in refused.text
    adopted = stack.up(config_map(namespace, "adopted"), upsert_existing_objects=True, enable_patch_force=True)
    assert adopted.ok, adopted.text
    live = cluster.get(ref)
    assert live is not None
    assert live["data"] == {"a": "1"}
    plain = stack.up(config_map(namespace, "adopted"))
    assert plain.ok
    assert "adopted" not in plain.steps, "taking the two options back changes the provider alone"


def test_an_update_stops_at_fields_of_others_unless_forced(stack: Stack, cluster: Cluster, namespace: str) -> None:
    ref = Ref("v1", "ConfigMap", namespace, "contested")
    mutable = {"enable_config_map_mutable": True}
    assert stack.up(config_map(namespace, "contested"), **mutable).ok
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "contested", "namespace": namespace}}
    cluster.apply({**body, "data": {"a": "2"}}, manager="other", force=True)
    refused = stack.up(config_map(namespace, "contested", "3"), **mutable)
    assert not refused.ok
    assert "conflict" in refused.text
    assert "other" in refused.text
    assert "contested" in refused.text
    live = cluster.get(ref)
    assert live is not None
    assert live["data"] == {"a": "2"}
    forced = stack.up(config_map(namespace, "contested", "3", **{"pulumi.com/patchForce": "true"}), **mutable)
    assert forced.ok, forced.text
    live = cluster.get(ref)
    assert live is not None
    assert live["data"] == {"a": "3"}


def test_a_patch_resource_owns_its_fields_and_gives_them_back(stack: Stack, cluster: Cluster, namespace: str) -> None:
    ref = foreign(cluster, namespace, "shared")

    def program(options: pulumi.ResourceOptions) -> None:
        k8s.core.v1.ConfigMapPatch(
            "patch", metadata={"name": "shared", "namespace": namespace}, data={"b": "1"}, opts=options
        )

    made = stack.up(program)
    assert made.ok, made.text
    live = cluster.get(ref)
    assert live is not None
    assert live["data"] == {"a": "0", "b": "1"}
    assert stack.up(program).steps == {}
    assert stack.destroy().ok
    live = cluster.get(ref)
    assert live is not None, "the object belongs to somebody else"
    assert live["data"] == {"a": "0"}


def test_objects_of_others_are_read_and_taken_over(stack: Stack, cluster: Cluster, namespace: str) -> None:
    foreign(cluster, namespace, "read")
    ref = foreign(cluster, namespace, "imported")
    found: list[object] = []

    def program(imported: str | None) -> Program:
        def declare(options: pulumi.ResourceOptions) -> None:
            read = k8s.core.v1.ConfigMap.get("read", f"{namespace}/read", opts=options)
            read.data.apply(found.append)
            k8s.core.v1.ConfigMap(
                "imported",
                metadata={"name": "imported", "namespace": namespace},
                data={"a": "0"},
                opts=pulumi.ResourceOptions.merge(options, pulumi.ResourceOptions(import_=imported)),
            )

        return declare

    taken = stack.up(program(f"{namespace}/imported"))
    assert taken.ok, taken.text
    assert found == [{"a": "0"}]
    assert taken.ops("imported") == ["import"]
    assert stack.up(program(None)).steps.keys() <= {"read"}
    assert stack.destroy().ok
    assert cluster.get(ref) is None, "what was imported belongs to the stack"
    assert cluster.get(Ref("v1", "ConfigMap", namespace, "read")) is not None, "what was read does not"
