"""The notation of the tables: what it becomes as a Helm template, and what helm makes of that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kube.yaml import dump, load_all
from simulator.standins import expand, render, short, template
from simulator.standins.expressions import expression, inline, whole
from simulator.standins.table import Table

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def chart(tmp_path: Path) -> Any:
    """Renders the data of one ConfigMap, written in the notation, with values."""

    def rendered(data: dict[str, Any], values: dict[str, Any], **entry: Any) -> list[dict[str, Any]]:
        table = Table(
            name="small",
            version="1.0.0",
            release="spaces/mine",
            objects=[{"kind": "ConfigMap", "name": "it", "data": data, **entry}],
        )
        root = tmp_path / "charts" / "small-1.0.0"
        (root / "templates").mkdir(parents=True, exist_ok=True)
        (root / "Chart.yaml").write_text(dump([{"apiVersion": "v2", "name": "small", "version": "1.0.0"}]))
        helpers = (ROOT / "simulator" / "standins" / "standin.tpl").read_text()
        (root / "templates" / "_standin.tpl").write_text(helpers)
        (root / "templates" / "objects.yaml").write_text(template.text(expand.objects(table)))
        return render.objects(tmp_path, table, values)

    return rendered


@pytest.mark.parametrize(
    ("data", "values", "expected"),
    [
        ({"a": "${x.y}"}, {"x": {"y": "1"}}, {"a": "1"}),
        ({"a": "${x.y}", "b": "c"}, {}, {"b": "c"}),
        ({"a": "${x.y.z}", "b": "c"}, {"x": None}, {"b": "c"}),
        ({"a": "${x-y.z}"}, {"x-y": {"z": "1"}}, {"a": "1"}),
        ({"a": "<${x}|${@release}>"}, {"x": 'q"uote'}, {"a": '<q"uote|mine>'}),
        ({"a": "100% ${x}"}, {"x": "sure"}, {"a": "100% sure"}),
        ({"a": '${x | default "d"}'}, {}, {"a": "d"}),
        ({"a": '${= printf "%s!" $.Values.x}'}, {"x": "oh"}, {"a": "oh!"}),
        ({"a": "true", "b": "no", "c": "1e3", "d": "{{ x }}"[:1]}, {}, {"a": "true", "b": "no", "c": "1e3", "d": "{"}),
        ({"a": {"$when": "x", "$value": "1"}, "b": "2"}, {}, {"b": "2"}),
        ({"a": {"$when": "x", "$value": "1"}}, {"x": True}, {"a": "1"}),
        ({"$merge": "x", "a": "1", "b": "2"}, {"x": {"b": "3", "c": "4"}}, {"a": "1", "b": "3", "c": "4"}),
        ({"$merge": "x", "a": "1"}, {}, {"a": "1"}),
    ],
)
def test_references_conditions_and_merges(
    chart: Any, data: dict[str, Any], values: dict[str, Any], expected: dict[str, Any]
) -> None:
    (config,) = chart(data, values)
    assert config["data"] == expected


def test_a_value_of_any_type_takes_the_place_of_its_reference(chart: Any) -> None:
    tree = {"list": [1, {"a": "b"}], "zero": 0, "off": False, "empty": {}}
    (config,) = chart({name: f"${{x.{name}}}" for name in tree}, {"x": tree})
    assert config["data"] == tree


def test_a_text_of_json_or_yaml_is_written_from_its_structure(chart: Any) -> None:
    structure = {"items": ["${x}", {"$when": "nothing", "$value": "no"}, "${*more}"], "name": "${@namespace}"}
    (config,) = chart({"j": {"$json": structure}, "y": {"$yaml": structure}}, {"x": 1, "more": [2, 3]})
    for text in config["data"].values():
        assert load_all(text) == [{"items": [1, 2, 3], "name": "spaces"}]


def test_an_object_is_made_for_each_of_a_list(chart: Any) -> None:
    made = chart({"a": "${@item}"}, {"all": ["x", "y"]}, namespace="${@item}", each="all")
    assert [(o["metadata"]["namespace"], o["data"]["a"]) for o in made] == [("x", "x"), ("y", "y")]


def test_an_object_is_left_out_when_its_condition_fails(chart: Any) -> None:
    assert chart({"a": "b"}, {"on": False}, when="on") == []
    assert len(chart({"a": "b"}, {"on": True}, when="on")) == 1


@pytest.mark.parametrize(
    ("source", "go"),
    [
        ("a.b", "(($.Values.a).b)"),
        ("a-b.c", '(((get ($.Values | default dict) "a-b")).c)'),
        ("@release", "$.Release.Name"),
        ("= len .x", "(len .x)"),
        ("a | int", "(($.Values.a) | int)"),
    ],
)
def test_expressions(source: str, go: str) -> None:
    assert expression(source) == go


def test_only_a_single_reference_is_whole() -> None:
    assert whole("${a}") == "($.Values.a)"
    assert whole("${a}${b}") is None
    assert inline("${a}${b}") == '{{ printf "%v%v" ($.Values.a) ($.Values.b) | toJson }}'


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("get,list core/pods", {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}),
        ("get a.b/c/status", {"apiGroups": ["a.b"], "resources": ["c/status"], "verbs": ["get"]}),
        ("get url /metrics", {"nonResourceURLs": ["/metrics"], "verbs": ["get"]}),
    ],
)
def test_rules(rule: str, expected: dict[str, Any]) -> None:
    assert short.rules([rule]) == [expected]


def test_ports_volumes_probes_and_variables() -> None:
    assert short.service_ports(["http:80:8080/TCP", ":53:dns/UDP"]) == [
        {"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"},
        {"port": 53, "targetPort": "dns", "protocol": "UDP"},
    ]
    assert short.volumes({"a": "empty", "b": "claim:c", "d": {"$when": "x", "$value": "secret:s"}}) == [
        {"name": "a", "emptyDir": {}},
        {"name": "b", "persistentVolumeClaim": {"claimName": "c"}},
        {"$when": "x", "name": "d", "secret": {"secretName": "s"}},
    ]
    assert short.probe("https:/@8443") == {"httpGet": {"path": "/", "port": 8443, "scheme": "HTTPS"}}
    assert short.environment({"A": "secret:s/k", "B": "${x.y}"}) == [
        {"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        {"name": "B", "value": "${x.y | toString}"},
    ]
