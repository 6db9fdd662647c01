"""The parts of the kubernetes plugin that need neither engine nor cluster."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.provider import diff, immutable, inputs, kinds, marks, ownership, wire
from simulator.provider.diff import Change, Comparison, Kind
from simulator.provider.wire import UNKNOWN, Secret

TEXTS = st.text(max_size=8)
SCALARS = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(-1e6, 1e6) | TEXTS
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4))
OBJECTS = st.dictionaries(TEXTS, VALUES, max_size=5)


def changes(live: Any, new: Any, old: Any = None, *, canonical: bool = True, patterns: Any = ()) -> dict[str, Kind]:
    found = Comparison(patterns, live if old is None else old, canonical=canonical).run(live, new)
    return {diff.shown(change.path): change.kind for change in found}


@given(OBJECTS)
def test_properties_come_back_as_they_went(properties: dict[str, Any]) -> None:
    assert wire.decode(wire.encode(properties)) == properties


def test_secrets_and_unknowns_come_back_as_such() -> None:
    properties = {"a": Secret({"b": [Secret("c"), UNKNOWN]}), "d": UNKNOWN}
    back = wire.decode(wire.encode(properties))
    assert back["d"] is UNKNOWN
    assert isinstance(back["a"], Secret)
    assert wire.plain(back["a"])["b"][0] == "c"
    assert wire.holds(back, wire.Unknown)
    assert not wire.holds(back["a"].value["b"][0], wire.Unknown)


@given(OBJECTS)
def test_what_is_the_same_does_not_differ(obj: dict[str, Any]) -> None:
    assert changes(obj, copy.deepcopy(obj)) == {}


@given(OBJECTS, OBJECTS)
def test_nothing_drifts_that_did_not_change(given_inputs: dict[str, Any], live: dict[str, Any]) -> None:
    assert diff.drift(given_inputs, live, copy.deepcopy(live)) == given_inputs


@given(st.lists(st.text(min_size=1, max_size=6).filter(lambda text: "\\" not in text), min_size=1, max_size=4))
def test_a_path_can_be_read_back(steps: list[str]) -> None:
    assert diff.parsed(diff.shown(tuple(steps))) == tuple(steps)


@pytest.mark.parametrize(
    ("live", "new"),
    [
        ({"resources": {"limits": {"cpu": "1"}}}, {"resources": {"limits": {"cpu": "1000m"}}}),
        ({"resources": {"limits": {"memory": "1Gi"}}}, {"resources": {"limits": {"memory": "1024Mi"}}}),
        ({"hard": {"pods": "10"}}, {"hard": {"pods": 10}}),
        ({"sizeLimit": "500M"}, {"sizeLimit": "0.5G"}),
        ({}, {"hostNetwork": False}),
        ({}, {"args": [], "labels": {}, "none": None}),
        ({"clusterIP": "10.0.0.1"}, {"clusterIP": ""}),
        ({"rules": None}, {"rules": []}),
    ],
)
def test_another_spelling_is_no_change_of_a_builtin_kind(live: Any, new: Any) -> None:
    assert changes(live, new, old=new) == {}


def test_a_spelling_matters_where_the_server_keeps_it() -> None:
    assert changes({"limits": {"cpu": "1"}}, {"limits": {"cpu": "1000m"}}, canonical=False) == {
        "limits.cpu": Kind.UPDATE
    }
    assert changes({"version": "1"}, {"version": "1000m"}) == {"version": Kind.UPDATE}
    assert changes({"flag": 1}, {"flag": True}) == {"flag": Kind.UPDATE}


def test_an_empty_value_that_is_new_is_a_change() -> None:
    assert changes({}, {"automountServiceAccountToken": False}, old={}) == {"automountServiceAccountToken": Kind.ADD}


def test_lists_are_compared_place_by_place() -> None:
    assert changes({"a": [{"n": 1}, {"n": 2}, 3]}, {"a": [{"n": 1}, {"n": 4, "m": UNKNOWN}]}) == {
        "a[1].n": Kind.UPDATE,
        "a[1].m": Kind.ADD,
        "a[2]": Kind.DELETE,
    }


@pytest.mark.parametrize(
    ("kind", "path", "value", "replaces"),
    [
        ("apps/v1 Deployment", ("spec", "selector", "matchLabels", "a"), "x", True),
        ("apps/v1 Deployment", ("spec", "replicas"), 2, False),
        ("apps/v1 StatefulSet", ("spec",), {"serviceName": "x"}, True),
        ("v1 Pod", ("spec", "containers", 0, "image"), "x", True),
        ("v1 Pod", ("spec", "containers"), [{"image": "x"}], True),
        ("v1 Pod", ("spec", "activeDeadlineSeconds"), 1, False),
        ("v1 Secret", ("data", "a"), "x", True),
        ("v1 ConfigMap", ("binaryData",), None, True),
        ("v1 Service", ("spec", "clusterIP"), "x", True),
        ("rbac.authorization.k8s.io/v1 RoleBinding", ("roleRef", "name"), "x", True),
        ("example.com/v1 Deployment", ("spec", "selector"), "x", False),
        ("example.com/v1 Deployment", ("metadata", "name"), "x", True),
    ],
)
def test_a_change_of_what_is_immutable_replaces(
    kind: str, path: tuple[str | int, ...], value: Any, replaces: bool
) -> None:
    api_version, _, name = kind.partition(" ")
    obj = {"apiVersion": api_version, "kind": name}
    found = immutable.patterns(obj, patch=False, secrets_change=False, config_maps_change=False)
    assert any(immutable.touches(path, value, pattern) for pattern in found) is replaces


def test_an_immutable_config_map_is_replaced_whatever_the_provider_allows() -> None:
    obj = {"apiVersion": "v1", "kind": "ConfigMap", "immutable": True}
    found = immutable.patterns(obj, patch=False, secrets_change=True, config_maps_change=True)
    assert ("data",) in found


def test_string_data_is_kept_as_the_server_keeps_it() -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "data": {"a": "YQ==\n", "b": "Yg=="}, "stringData": {"b": "c"}}
    assert inputs.manifest(secret)["data"] == {"a": "YQ==", "b": "Yw=="}
    waiting = inputs.manifest({"apiVersion": "v1", "kind": "Secret", "stringData": {"a": UNKNOWN}})
    assert waiting["data"] == {"a": UNKNOWN}


def test_secrets_find_their_place_again() -> None:
    source = {"spec": {"a": Secret("x"), "b": [1, Secret(2)]}}
    hidden = inputs.hidden({"spec": {"a": "x", "b": [1, 2], "c": 3}}, source)
    assert hidden["spec"]["a"] == Secret("x")
    assert hidden["spec"]["b"] == Secret([1, 2])
    assert hidden["spec"]["c"] == 3
    assert inputs.hidden({"kind": "Secret", "data": {"a": "b"}}, {})["data"] == Secret({"a": "b"})


@pytest.mark.parametrize(
    ("token", "api_version", "kind"),
    [
        ("kubernetes:core/v1:ConfigMap", "v1", "ConfigMap"),
        ("kubernetes:apps/v1:Deployment", "apps/v1", "Deployment"),
        ("kubernetes:networking.istio.io/v1:Gateway", "networking.istio.io/v1", "Gateway"),
    ],
)
def test_a_type_token_names_a_kind(token: str, api_version: str, kind: str) -> None:
    found = kinds.Token.parse(token)
    assert (found.api_version, found.kind) == (api_version, kind)


@pytest.mark.parametrize("token", ["kubernetes:v1:ConfigMap", "kubernetes:helm.sh/v3:Release", "random:index:RandomId"])
def test_what_is_no_object_of_the_server_is_refused(token: str) -> None:
    with pytest.raises(ValueError):
        kinds.Token.parse(token)


def managed(**managers: Any) -> dict[str, Any]:
    entries = [
        {"manager": name.replace("_", "-"), "operation": operation, "apiVersion": "v1", "fieldsV1": fields}
        for name, (operation, fields) in managers.items()
    ]
    return {"metadata": {"resourceVersion": "7", "managedFields": entries}}


def test_fields_of_a_plain_create_go_to_the_resources_own_manager() -> None:
    live = managed(
        pulumi_kubernetes=("Update", {"f:data": {"f:a": {}}}),
        mine=("Apply", {"f:data": {"f:b": {}}}),
        other=("Update", {"f:data": {"f:c": {}}}),
    )
    patch = ownership.claim(live, "mine")
    assert patch is not None
    kept = {(entry["manager"], entry["operation"]): entry["fieldsV1"] for entry in patch[0]["value"]}
    assert kept == {("other", "Update"): {"f:data": {"f:c": {}}}, ("mine", "Apply"): {"f:data": {"f:a": {}, "f:b": {}}}}
    assert ownership.claim({"metadata": {"resourceVersion": "8", "managedFields": patch[0]["value"]}}, "mine") is None


def test_an_ignored_field_is_left_to_its_owner() -> None:
    live = managed(
        mine=("Apply", {"f:spec": {"f:size": {}}}), other=("Update", {"f:spec": {"f:replicas": {}, "f:size": {}}})
    )
    live["spec"] = {"replicas": 5, "size": 2}
    sent = ownership.without_ignored(
        {"spec": {"replicas": 1, "size": 1, "a": 1}}, live, "mine", [("spec", "replicas"), ("spec", "size")]
    )
    assert sent == {"spec": {"size": 2, "a": 1}}


def test_annotations_set_the_pace() -> None:
    obj = {"metadata": {"annotations": {marks.TIMEOUT: "7", marks.PROPAGATION: "Background"}}}
    assert (marks.timeout(obj, 0), marks.timeout(obj, 3), marks.timeout({}, 0)) == (7, 3, 600)
    assert (marks.propagation(obj), marks.propagation({})) == ("Background", "Foreground")


def test_a_name_is_the_same_for_the_same_seed() -> None:
    assert inputs.unique_name("web-", b"seed") == inputs.unique_name("web-", b"seed")
    assert inputs.unique_name("web-", b"") != inputs.unique_name("web-", b"")


def test_a_change_knows_its_path() -> None:
    assert diff.shown(Change(("metadata", "labels", "a.b/c", 0), Kind.ADD).path) == 'metadata.labels["a.b/c"][0]'
