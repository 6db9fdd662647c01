"""Values are merged as helm merges them, and a chart becomes plain objects, once for the same inputs."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import tools
from components import chart, upstream
from components.context import Context
from components.upstream import Entry, Lock, Upstream
from kube import charts

TEMPLATES = {
    "map.yaml": """
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-map, annotations: }
data: {who: {{ .Values.who | quote }}, kube: {{ .Capabilities.KubeVersion.Version | quote }}}
""",
    "role.yaml": """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: all}
---
apiVersion: v1
kind: Secret
metadata: {name: elsewhere, namespace: other}
""",
    "monitor.yaml": """
{{- if .Capabilities.APIVersions.Has "monitoring.coreos.com/v1" }}
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: seen}
{{- end }}
""",
    "hook.yaml": """
apiVersion: batch/v1
kind: Job
metadata: {name: hook, annotations: {helm.sh/hook: pre-install}}
""",
}
CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.org}
"""
maps = st.recursive(
    st.none() | st.integers() | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
).filter(lambda value: isinstance(value, dict))


@pytest.fixture(autouse=True)
def _helm(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    helm = tools.ensure(["helm"])["helm"]
    monkeypatch.setenv("PATH", f"{helm.parent}{os.pathsep}{os.environ['PATH']}")
    chart._helm_version.cache_clear()
    yield
    chart._helm_version.cache_clear()


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    """A stack whose lock knows one vendored chart, `thing`, and whose caches are the test's own."""
    folder = tmp_path / "vendor" / "charts" / "thing-1.0.0"
    (folder / "templates").mkdir(parents=True)
    (folder / "crds").mkdir()
    (folder / "Chart.yaml").write_text("apiVersion: v2\nname: thing\nversion: 1.0.0\n")
    (folder / "values.yaml").write_text("who: nobody\n")
    (folder / "crds" / "crd.yaml").write_text(CRD)
    for name, text in TEMPLATES.items():
        (folder / "templates" / name).write_text(text)
    entry = Entry("chart", "thing", "1.0.0", ("https://example.invalid",), None, "MIT")
    monkeypatch.setattr(upstream, "lock", lambda: Lock({"thing": entry}, {}, {}))
    monkeypatch.setattr(upstream, "ROOT", tmp_path)
    return Context(stack="test", profile="laptop", upstream=Upstream(mode="vendor", vendor=tmp_path / "vendor"))


def rendered(context: Context, **values: Any) -> dict[str, dict[str, Any]]:
    objects = chart.render(context, "thing", release="r", namespace="n", values=values)
    return {f"{o['kind']}/{o['metadata']['name']}": o for o in objects}


def cached(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / ".aiga" / "cache" / "render").iterdir())


def helm(tmp_path: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts a helm of the test's own first on PATH."""
    fake = tmp_path / "fake"
    fake.mkdir(exist_ok=True)
    (fake / "helm").write_text(f"#!/bin/sh\n{script}\n")
    (fake / "helm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake}{os.pathsep}{os.environ['PATH']}")
    chart._helm_version.cache_clear()


def test_a_chart_becomes_objects_with_crds_and_without_hooks(context: Context) -> None:
    found = rendered(context, who="me")
    assert set(found) == {
        "CustomResourceDefinition/things.example.org",
        "ConfigMap/r-map",
        "ClusterRole/all",
        "Secret/elsewhere",
        "ServiceMonitor/seen",
    }
    assert found["ConfigMap/r-map"]["data"] == {"who": "me", "kube": "v1.36.3"}


def test_only_namespaced_objects_without_a_namespace_get_the_releases(context: Context) -> None:
    found = rendered(context)
    assert found["ConfigMap/r-map"]["metadata"] == {"name": "r-map", "namespace": "n"}, "empty annotations are dropped"
    assert found["Secret/elsewhere"]["metadata"]["namespace"] == "other"
    assert "namespace" not in found["ClusterRole/all"]["metadata"]
    assert "namespace" not in found["CustomResourceDefinition/things.example.org"]["metadata"]


def test_with_namespace_leaves_what_it_was_given_alone() -> None:
    given = [{"kind": "ConfigMap", "metadata": {"name": "a", "labels": None}}]
    assert chart.with_namespace(given, "n") == [{"kind": "ConfigMap", "metadata": {"name": "a", "namespace": "n"}}]
    assert given == [{"kind": "ConfigMap", "metadata": {"name": "a", "labels": None}}]


def test_the_same_inputs_are_rendered_once(context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = rendered(context, who="me")
    version = chart._helm_version()
    helm(tmp_path, f'[ "$1" = version ] && echo "{version}" && exit; echo "Error: not again" >&2; exit 1', monkeypatch)
    assert rendered(context, who="me") == first
    with pytest.raises(pulumi.RunError, match="not again"):
        rendered(context, who="you")


@pytest.mark.parametrize("change", ["values", "chart", "kubernetes", "helm", "release"])
def test_whatever_shapes_the_result_makes_another_rendering(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    rendered(context, who="me")
    if change == "values":
        rendered(context, who="you")
    elif change == "kubernetes":
        newer = dataclasses.replace(context, kubernetes_version="1.37.0")
        assert rendered(newer, who="me")["ConfigMap/r-map"]["data"]["kube"] == "v1.37.0"
    elif change == "chart":
        vendor = tmp_path / "vendor"
        (vendor / "charts" / "thing-1.0.0" / "values.yaml").write_text("who: somebody\n")
        (vendor / "digests.yaml").unlink()
        rendered(dataclasses.replace(context, upstream=dataclasses.replace(context.upstream)), who="me")
    elif change == "helm":
        monkeypatch.setattr(chart, "_helm_version", lambda: "v3.99.0")
        rendered(context, who="me")
        monkeypatch.undo()
    else:
        chart.render(context, "thing", release="other", namespace="n", values={"who": "me"})
    assert len(cached(tmp_path)) == 2


def test_two_that_render_at_once_do_not_trip_over_each_other(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, others = Path.write_text, []

    def written(path: Path, text: str) -> int:
        """Writes, and lets another process do the whole of the same before we go on."""
        count = write(path, text)
        if path.parent.name == "render" and not others:
            with monkeypatch.context() as other:
                other.setattr(os, "getpid", lambda: 1)
                others.append("started")
                others.append(rendered(context))
        return count

    monkeypatch.setattr(Path, "write_text", written)
    ours = rendered(context)
    assert others == ["started", ours]
    assert [name.endswith(".json") for name in cached(tmp_path)] == [True]


def test_helms_own_error_is_in_the_message(context: Context, tmp_path: Path) -> None:
    templates = tmp_path / "vendor" / "charts" / "thing-1.0.0" / "templates"
    (templates / "bad.yaml").write_text('{{ fail "who is required" }}')
    with pytest.raises(pulumi.RunError) as error:
        rendered(context)
    assert "chart thing-1.0.0" in str(error.value)
    assert "who is required" in str(error.value)
    assert not (tmp_path / ".aiga").exists(), "a failure is not remembered"


def test_a_chart_for_a_newer_kubernetes_is_refused_with_the_reason(context: Context, tmp_path: Path) -> None:
    file = tmp_path / "vendor" / "charts" / "thing-1.0.0" / "Chart.yaml"
    file.write_text(file.read_text() + 'kubeVersion: ">=1.99.0-0"\n')
    with pytest.raises(pulumi.RunError, match=r"requires kubeVersion: >=1\.99\.0-0"):
        rendered(context)


def test_helm_that_is_not_on_path_is_said(context: Context, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(pulumi.RunError, match="helm is not on PATH"):
        rendered(context)


def test_helm_that_does_not_run_is_said(context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helm(tmp_path, "echo 'cannot execute' >&2; exit 126", monkeypatch)
    with pytest.raises(pulumi.RunError, match="cannot execute"):
        rendered(context)


def test_maps_are_merged_and_anything_else_is_replaced() -> None:
    low = {"a": {"b": 1, "c": [1, 2]}, "d": {"e": 1}, "f": 1}
    high = {"a": {"c": [3]}, "d": None, "f": {"g": 1}}
    assert charts.merged(low, high) == {"a": {"b": 1, "c": [3]}, "d": None, "f": {"g": 1}}


@given(maps, maps, maps)
def test_merging_in_steps_is_merging_at_once(a: dict[str, Any], b: dict[str, Any], c: dict[str, Any]) -> None:
    assert charts.merged(a, b, c) == charts.merged(charts.merged(a, b), c)
    assert charts.merged(a, a) == a == charts.merged(a) == charts.merged({}, a)


@pytest.fixture
def own_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sections = {
        "all": {"from": "all", "a": 1},
        "laptop": {"from": "laptop", "l": 1},
        "team": {"from": "team", "t": 1},
        "prod": {"from": "prod", "p": 1},
    }
    (tmp_path / "thing.yaml").write_text(yaml.safe_dump(sections))
    monkeypatch.setattr(chart, "VALUES", tmp_path)


@pytest.mark.parametrize(
    ("profile", "values"),
    [
        ("laptop", {"from": "laptop", "a": 1, "l": 1}),
        ("team", {"from": "team", "a": 1, "l": 1, "t": 1}),
        ("prod", {"from": "prod", "a": 1, "p": 1}),
    ],
)
def test_team_is_laptop_with_more_room_and_prod_stands_by_itself(own_values: None, profile: Any, values: Any) -> None:
    assert chart.values("thing", profile) == values
    assert chart.values("thing", profile, {"a": 2}, {"a": 3})["a"] == 3, "the layer's own come last"


@pytest.mark.parametrize("file", sorted(chart.VALUES.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_file_of_values_has_the_sections_and_belongs_to_something_installed(file: Path) -> None:
    sections = yaml.safe_load(file.read_text())
    if file.stem == "namespaces":
        assert list(sections) == ["laptop", "team", "prod"]
        return
    assert list(sections) == ["all", "laptop", "team", "prod"]
    assert file.stem in {*upstream.lock().charts, *upstream.lock().manifests}
    assert "mlops" not in file.read_text(), "a namespace of the trial these values come from"
    for entry in upstream.lock().charts.values():
        assert f"tag: {entry.version}" not in file.read_text(), "versions stand in upstream.lock.yaml alone"
