"""What a preview shows of a change, what replaces an object, and what a refresh finds of other people's work."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import pytest

from kube.cluster import Cluster
from kube.refs import Ref
from tests.provider.provider_world import Program, Stack

pytestmark = pytest.mark.engine


def deployment(namespace: str, **changes: Any) -> Program:
    """One idle Deployment; `changes` are `selector`, `labels`, `replicas`, `env` and `data` of its ConfigMap."""
    app = changes.get("selector", "calm")
    container = {"name": "main", "image": "none", "env": changes.get("env", [{"name": "A", "value": "1"}])}

    def program(options: pulumi.ResourceOptions) -> None:
        k8s.apps.v1.Deployment(
            "calm",
            metadata={
                "name": "calm",
                "namespace": namespace,
                "labels": changes.get("labels", {"one": "1", "a.b/c": "x"}),
            },
            spec={
                "replicas": changes.get("replicas", 1),
                "selector": {"matchLabels": {"app": app}},
                "template": {"metadata": {"labels": {"app": app}}, "spec": {"containers": [container]}},
            },
            opts=options,
        )
        k8s.core.v1.ConfigMap(
            "data",
            metadata={"name": changes.get("name", "calm"), "namespace": namespace},
            data=changes.get("data", {"a": "1"}),
            opts=options,
        )

    return program


def test_a_preview_names_each_field_and_what_replaces(stack: Stack, cluster: Cluster, namespace: str) -> None:
    assert stack.up(deployment(namespace)).ok
    before = cluster.get(Ref("apps/v1", "Deployment", namespace, "calm"))

    changed = stack.preview(
        deployment(
            namespace,
            replicas=2,
            labels={"one": "2", "two": "2"},
            env=[{"name": "A", "value": "2"}, {"name": "B", "value": "1"}],
            data={"b": "1"},
        )
    )
    assert changed.ops("calm") == ["update"]
    assert changed.changes("calm") == {
        "spec.replicas": "update",
        "metadata.labels.one": "update",
        "metadata.labels.two": "add",
        'metadata.labels["a.b/c"]': "delete",
        "spec.template.spec.containers[0].env[0].value": "update",
        "spec.template.spec.containers[0].env[1]": "add",
    }
    assert "replace" in changed.ops("data"), "a ConfigMap's data is immutable unless the provider is told otherwise"
    assert changed.changes("data") == {"data.a": "delete-replace", "data.b": "add-replace"}

    mutable = stack.preview(deployment(namespace, data={"a": "2"}), enable_config_map_mutable=True)
    assert (mutable.ops("data"), mutable.changes("data")) == (["update"], {"data.a": "update"})

    selected = stack.preview(deployment(namespace, selector="other"))
    assert selected.changes("calm")["spec.selector.matchLabels.app"] == "update-replace"
    moved = stack.preview(deployment(namespace, name="other"))
    assert moved.changes("data") == {"metadata.name": "update-replace"}
    assert cluster.get(Ref("apps/v1", "Deployment", namespace, "calm")) == before, "a preview changes nothing"


def test_an_object_with_a_fixed_name_is_deleted_before_it_is_replaced(
    stack: Stack, cluster: Cluster, namespace: str
) -> None:
    def program(value: str) -> Program:
        def declare(options: pulumi.ResourceOptions) -> None:
            k8s.core.v1.ConfigMap(
                "fixed", metadata={"name": "fixed", "namespace": namespace}, data={"a": value}, opts=options
            )
            k8s.core.v1.ConfigMap("free", metadata={"namespace": namespace}, data={"a": value}, opts=options)

        return declare

    assert stack.up(program("1")).ok
    free = stack.state()["free"]["id"]
    replaced = stack.up(program("2"))
    assert replaced.ok, replaced.text
    assert replaced.ops("fixed")[0] == "delete-replaced", replaced.ops("fixed")
    assert replaced.ops("free")[0] == "create-replacement", replaced.ops("free")
    live = cluster.get(Ref("v1", "ConfigMap", namespace, "fixed"))
    assert live is not None
    assert live["data"] == {"a": "2"}
    assert stack.state()["free"]["id"] != free
    assert cluster.get(Ref("v1", "ConfigMap", namespace, free.partition("/")[2])) is None


def test_a_refresh_finds_exactly_what_others_changed_and_an_update_repairs_it(
    stack: Stack, cluster: Cluster, namespace: str
) -> None:
    def program(options: pulumi.ResourceOptions) -> None:
        for name in ("touched", "added-to", "deleted"):
            k8s.core.v1.ConfigMap(name, metadata={"name": name, "namespace": namespace}, data={"a": "1"}, opts=options)

    assert stack.up(program).ok
    cluster.patch(Ref("v1", "ConfigMap", namespace, "touched"), {"data": {"a": "2"}}, manager="kubectl")
    cluster.patch(Ref("v1", "ConfigMap", namespace, "added-to"), {"data": {"b": "2"}}, manager="kubectl")
    cluster.delete(Ref("v1", "ConfigMap", namespace, "deleted"))
    assert stack.preview(program).steps == {}, "a preview compares with the state"

    found = stack.refresh()
    assert found.ok, found.text
    assert "added-to" not in found.steps, "a field that the program never set is nobody's drift"
    assert set(found.changes("touched")) == {"data.a"}
    assert "deleted" not in stack.state()

    repaired = stack.up(program, enable_config_map_mutable=True)
    assert repaired.ok, repaired.text
    assert (repaired.ops("touched"), repaired.ops("deleted")) == (["update"], ["create"])
    live = cluster.get(Ref("v1", "ConfigMap", namespace, "touched"))
    assert live is not None
    assert live["data"] == {"a": "1"}
    assert cluster.get(Ref("v1", "ConfigMap", namespace, "deleted")) is not None


def test_ignored_changes_leave_a_field_to_its_owner(stack: Stack, cluster: Cluster, namespace: str) -> None:
    def program(replicas: int, label: str) -> Program:
        def declare(options: pulumi.ResourceOptions) -> None:
            ignore = pulumi.ResourceOptions(ignore_changes=["spec.replicas"])
            k8s.apps.v1.Deployment(
                "scaled",
                metadata={"name": "scaled", "namespace": namespace, "labels": {"l": label}},
                spec={
                    "replicas": replicas,
                    "selector": {"matchLabels": {"app": "scaled"}},
                    "template": {
                        "metadata": {"labels": {"app": "scaled"}},
                        "spec": {"containers": [{"name": "main", "image": "none"}]},
                    },
                },
                opts=pulumi.ResourceOptions.merge(options, ignore),
            )

        return declare

    assert stack.up(program(1, "1")).ok
    scaled = Ref("apps/v1", "Deployment", namespace, "scaled")
    cluster.patch(scaled, {"spec": {"replicas": 3}}, manager="autoscaler")
    changed = stack.up(program(2, "2"))
    assert changed.ok, changed.text
    assert changed.changes("scaled") == {"metadata.labels.l": "update"}
    live = cluster.get(scaled)
    assert live is not None
    assert (live["spec"]["replicas"], live["metadata"]["labels"]["l"]) == (3, "2")
