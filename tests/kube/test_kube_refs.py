"""Keys are kept in the state of deployed stacks: readable, reversible, and the same for every version of a kind."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube.errors import Invalid
from kube.order import CONFIGURATION, CUSTOM, DEFINITIONS, NAMESPACES, SERVICES, WEBHOOKS, WORKLOADS, wave
from kube.refs import BUILTIN_GROUPS, Ref

KEYS = [
    (Ref("v1", "ConfigMap", "p0", "a"), "ConfigMap/p0/a"),
    (Ref("apps/v1", "Deployment", "p0", "web"), "Deployment/p0/web"),
    (Ref("v1", "Service", "p0", "web"), "Service/p0/web"),
    (Ref("serving.knative.dev/v1", "Service", "p0", "web"), "Service.serving.knative.dev/p0/web"),
    (Ref("v1", "Namespace", None, "p0"), "Namespace/-/p0"),
    (Ref("rbac.authorization.k8s.io/v1", "ClusterRole", None, "system:node"), "ClusterRole/-/system:node"),
]


@pytest.mark.parametrize(("ref", "key"), KEYS)
def test_keys_are_short_for_builtin_kinds_and_carry_the_group_of_others(ref: Ref, key: str) -> None:
    assert ref.key == key


@pytest.mark.parametrize(("ref", "key"), KEYS)
def test_a_key_leads_back_to_the_object_without_a_cluster(ref: Ref, key: str) -> None:
    parsed = Ref.parse(key)
    assert (parsed.group, parsed.kind, parsed.namespace, parsed.name) == (ref.group, ref.kind, ref.namespace, ref.name)
    assert parsed.key == key


def test_the_version_is_not_part_of_the_key_so_a_newer_one_prunes_nothing() -> None:
    assert Ref("autoscaling/v1", "HorizontalPodAutoscaler", "p", "a").key == "HorizontalPodAutoscaler/p/a"
    assert Ref.parse("HorizontalPodAutoscaler/p/a").version is None


NAMES = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?", fullmatch=True)
REFS = st.builds(
    Ref,
    st.sampled_from(["v1", "apps/v1", "batch/v1", "argoproj.io/v1alpha1", "eventing.knative.dev/v1"]),
    st.sampled_from(["Service", "Deployment", "Job", "Broker", "ConfigMap"]),
    st.none() | NAMES,
    NAMES,
)


@given(REFS, REFS)
def test_two_objects_never_share_a_key(one: Ref, two: Ref) -> None:
    same = (one.group, one.kind, one.namespace, one.name) == (two.group, two.kind, two.namespace, two.name)
    core = {"v1"} & {one.api_version, two.api_version} and one.kind in BUILTIN_GROUPS
    assert (one.key == two.key) == same or core


@pytest.mark.parametrize("key", ["", "ConfigMap", "ConfigMap/a", "ConfigMap//a", "/a/b"])
def test_what_is_not_a_key_is_refused(key: str) -> None:
    with pytest.raises(Invalid, match="is not the name of an object"):
        Ref.parse(key)


@pytest.mark.parametrize(
    ("obj", "missing"),
    [
        ({}, "no apiVersion, no kind, no metadata.name"),
        ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "a-"}}, "no metadata.name"),
    ],
)
def test_what_is_not_an_object_is_refused_with_what_it_lacks(obj: dict[str, object], missing: str) -> None:
    with pytest.raises(Invalid, match=missing):
        Ref.of(obj)


@pytest.mark.parametrize(
    ("api_version", "kind", "expected"),
    [
        ("v1", "Namespace", NAMESPACES),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition", DEFINITIONS),
        ("v1", "ServiceAccount", CONFIGURATION),
        ("networking.k8s.io/v1", "NetworkPolicy", CONFIGURATION),
        ("admissionregistration.k8s.io/v1", "MutatingAdmissionPolicy", CONFIGURATION),
        ("v1", "Service", SERVICES),
        ("apps/v1", "Deployment", WORKLOADS),
        ("serving.knative.dev/v1", "Service", CUSTOM),
        ("monitoring.coreos.com/v1", "PrometheusRule", CUSTOM),
        ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", WEBHOOKS),
    ],
)
def test_objects_go_in_after_what_they_need(api_version: str, kind: str, expected: int) -> None:
    assert wave(Ref(api_version, kind, None, "a")) == expected
