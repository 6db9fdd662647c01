"""Each namespace is held to the strictest level its pods can meet, and says why where that is not `restricted`."""

from __future__ import annotations

from typing import get_args

import pytest
import yaml

from components import footprint, namespaces
from components.context import Profile
from components.namespaces import QUOTAS, SPACES, Space, limits, manifest, quota, spaces
from components.network import policies

LAYERS = {space.layer for space in SPACES}
PROFILES = get_args(Profile)


def levels(**given: object) -> dict[str, str]:
    found = spaces(LAYERS, **{"minor": 36, "channel_broker": True, **given})  # type: ignore[arg-type]
    return {space.name: space.level for space in found}


def test_from_1_36_all_but_the_node_exporter_are_restricted() -> None:
    for minor in (36, 37, 40):
        for channel in (True, False):
            own = levels(minor=minor, channel_broker=channel)
            assert own.pop("node-exporter") == "privileged"
            assert set(own.values()) == {"restricted"}


@pytest.mark.parametrize(("channel", "pods"), [(True, "dispatcher"), (False, "filters")])
def test_before_1_36_events_are_baseline_because_no_policy_secures_the_pods_of_eventing_natss(
    channel: bool, pods: str
) -> None:
    for minor in (34, 35):
        found = spaces(LAYERS, minor=minor, channel_broker=channel)
        (relaxed,) = (space for space in found if space.level == "baseline")
        assert relaxed.name == "knative-eventing"
        assert pods in relaxed.reason
        assert "1.36" in relaxed.reason


def test_every_exception_has_its_reason_and_carries_it() -> None:
    for minor in (35, 36):
        for space in spaces(LAYERS, minor=minor, channel_broker=True):
            assert bool(space.reason) == (space.level != "restricted"), space.name
            annotations = manifest(space)["metadata"]["annotations"]
            assert annotations == ({"aiga.dev/pod-security-exception": space.reason} if space.reason else {})


def test_the_level_is_enforced_and_everybody_is_warned_of_the_strictest() -> None:
    labels = manifest(Space("n", "l", "baseline", "because"))["metadata"]["labels"]
    assert labels == {
        "pod-security.kubernetes.io/enforce": "baseline",
        "pod-security.kubernetes.io/enforce-version": "latest",
        "pod-security.kubernetes.io/warn": "restricted",
    }


@pytest.mark.parametrize("layer", sorted(LAYERS))
def test_a_layer_that_is_off_has_no_namespace(layer: str) -> None:
    on = {space.name for space in spaces({layer}, minor=36, channel_broker=True)}
    off = {space.name for space in spaces(LAYERS - {layer}, minor=36, channel_broker=True)}
    assert on
    assert on | off == {space.name for space in SPACES}
    assert on & off == set()


def test_names_are_unique_and_kube_system_is_left_alone() -> None:
    names = [space.name for space in SPACES]
    assert len(names) == len(set(names)) == 11
    assert not {"kube-system", "default"} & set(names)


@pytest.mark.parametrize("profile", PROFILES)
def test_every_namespace_has_a_quota_on_requests_memory_limits_and_pods(profile: Profile) -> None:
    for space in SPACES:
        made = quota(space.name, profile)
        assert made["metadata"]["namespace"] == space.name
        hard = made["spec"]["hard"]
        assert set(hard) == {"requests.cpu", "requests.memory", "limits.memory", "pods"}
        assert all(isinstance(value, str) for value in hard.values())
        assert footprint.size(hard["limits.memory"]) >= footprint.size(hard["requests.memory"])
    assert set(namespaces.quotas(profile)) == {space.name for space in SPACES}, "a quota for nothing is a mistake"


def test_a_larger_profile_never_has_a_smaller_quota() -> None:
    tables = yaml.safe_load(QUOTAS.read_text())
    for smaller, larger in (("laptop", "team"), ("team", "prod")):
        for name, size in tables[smaller].items():
            other = tables[larger][name]
            assert footprint.cores(size["cpu"]) <= footprint.cores(other["cpu"])
            assert footprint.size(size["memory"]) <= footprint.size(other["memory"])
            assert footprint.size(size["memoryLimit"]) <= footprint.size(other["memoryLimit"])
            assert size["pods"] <= other["pods"]


def test_a_container_that_states_nothing_gets_what_the_quota_asks_for() -> None:
    (item,) = limits("n")["spec"]["limits"]
    assert item["type"] == "Container"
    assert set(item["defaultRequest"]) == {"cpu", "memory"}, "a quota on requests refuses pods without"
    assert set(item["default"]) == {"memory"}, "a CPU limit would throttle"
    assert footprint.size(item["default"]["memory"]) >= footprint.size(item["defaultRequest"]["memory"])


def test_every_namespace_has_its_policies() -> None:
    names = [space.name for space in SPACES]
    for name in names:
        assert [p["metadata"]["name"] for p in policies(name, names)] == ["default-deny", "flows"]
