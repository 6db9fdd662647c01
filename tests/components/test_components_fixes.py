"""Each fix mends what it is for, leaves the rest, and never touches what it was given."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from components import fixes
from components.fixes import Fix, Manifest

RESOURCES = {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}}


def workload(name: str = "w", kind: str = "Deployment", replicas: int | None = 1, **spec: Any) -> Manifest:
    """A workload whose one container is called like it."""
    body: dict[str, Any] = {
        "selector": {"matchLabels": {"app": name}},
        "template": {
            "metadata": {"labels": {"app": name, "tier": "back"}},
            "spec": {"containers": [{"name": name, "image": f"example.org/{name}:1"}], **spec},
        },
    }
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "n"},
        "spec": body if replicas is None else {"replicas": replicas, **body},
    }


def scaler(target: str, least: int) -> Manifest:
    spec = {"minReplicas": least, "scaleTargetRef": {"name": target}}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": f"{target}-hpa", "namespace": "n"},
        "spec": spec,
    }


def budget(labels: dict[str, str], namespace: str = "n") -> Manifest:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "b", "namespace": namespace},
        "spec": {"minAvailable": "80%", "selector": {"matchLabels": labels}},
    }


def role(name: str, **more: Any) -> Manifest:
    kind = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole"}
    return {**kind, "metadata": {"name": name}, "rules": [], **more}


def plain(kind: str, name: str, api_version: str = "v1", namespace: str | None = "n") -> Manifest:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


def container(o: Manifest, index: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = fixes.pod_spec(o)["containers"][index]
    return found


def ids(objects: list[Manifest]) -> list[str]:
    return [f"{o['kind']}/{o['metadata']['name']}" for o in objects]


@pytest.mark.parametrize(
    "fix",
    [
        fixes.aggregated_roles,
        fixes.first_of_each,
        fixes.released({"example.org/cmd": "example.org/x:v1"}),
        fixes.secured,
        fixes.sized({"w": {"replicas": 4, "resources": RESOURCES}}),
        fixes.limited(RESOURCES),
        fixes.without_token("w"),
        fixes.spread,
        fixes.service_not_awaited,
        fixes.budgeted,
        fixes.drop(kinds={"Service"}),
    ],
)
def test_what_is_given_stays_as_it_is(fix: Fix) -> None:
    service = {**plain("Service", "s"), "spec": {"type": "ClusterIP"}}
    given = [workload(replicas=2), workload(replicas=2), role("r", aggregationRule={}), service]
    container(given[0])["image"] = "ko://example.org/cmd"
    before = copy.deepcopy(given)
    mended = fixes.apply(given, fix)
    assert given == before
    assert mended != before, "the fix had something to mend"


def test_fixes_are_applied_in_order() -> None:
    objects = fixes.apply([workload(replicas=1)], fixes.sized({"w": {"replicas": 2}}), fixes.budgeted)
    assert ids(objects) == ["Deployment/w", "PodDisruptionBudget/w"]


def test_objects_are_dropped_by_kind_and_by_name() -> None:
    given = [plain("Namespace", "x"), plain("ConfigMap", "x"), plain("ConfigMap", "y"), plain("Secret", "y")]
    assert ids(fixes.apply(given, fixes.drop(kinds={"Namespace"}, names={"ConfigMap/y"}))) == [
        "ConfigMap/x",
        "Secret/y",
    ]


def test_only_aggregated_roles_lose_their_rules() -> None:
    rules = [{"verbs": ["get"], "resources": ["pods"], "apiGroups": [""]}]
    aggregated, own = fixes.apply(
        [role("aggregated", aggregationRule={"clusterRoleSelectors": []}), {**role("own"), "rules": rules}],
        fixes.aggregated_roles,
    )
    assert "rules" not in aggregated, "the aggregation controller owns them: applying `[]` again is a conflict"
    assert own["rules"] == rules


def test_of_repetitions_the_first_stays() -> None:
    given = [
        {**plain("CustomResourceDefinition", "a", "apiextensions.k8s.io/v1", None), "spec": 1},
        {**plain("CustomResourceDefinition", "a", "apiextensions.k8s.io/v1", None), "spec": 2},
    ]
    (kept,) = fixes.apply(given, fixes.first_of_each)
    assert kept["spec"] == 1


def test_objects_that_differ_in_group_or_namespace_are_no_repetitions() -> None:
    given = [
        plain("Service", "s"),
        plain("Service", "s", namespace="other"),
        plain("Service", "s", "serving.knative.dev/v1"),
        plain("ConfigMap", "s"),
    ]
    assert fixes.apply(given, fixes.first_of_each) == given


def test_an_older_version_of_the_same_object_is_a_repetition() -> None:
    given = [plain("CronJob", "c", "batch/v1"), plain("CronJob", "c", "batch/v1beta1")]
    assert len(fixes.apply(given, fixes.first_of_each)) == 1


def test_go_packages_become_the_images_a_release_publishes() -> None:
    given = workload(initContainers=[{"name": "i", "image": "ko://knative.dev/eventing-natss/cmd/init"}])
    container(given)["image"] = "ko://knative.dev/eventing-natss/cmd/webhook"
    container(given)["env"] = [
        {"name": "DISPATCHER_IMAGE", "value": "ko://knative.dev/eventing-natss/cmd/jetstream/dispatcher"},
        {"name": "PLAIN", "value": "kept"},
        {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ]
    base = "gcr.io/knative-releases/knative.dev/eventing-natss/cmd"
    parts = ("init", "webhook", "jetstream/dispatcher")
    published = {f"knative.dev/eventing-natss/cmd/{part}": f"{base}/{part}:v1.22.0" for part in parts}
    (mended,) = fixes.apply([given], fixes.released(published))
    assert container(mended)["image"] == f"{base}/webhook:v1.22.0"
    assert fixes.pod_spec(mended)["initContainers"][0]["image"] == f"{base}/init:v1.22.0"
    assert [e.get("value") for e in container(mended)["env"]] == [f"{base}/jetstream/dispatcher:v1.22.0", "kept", None]


def test_images_of_a_release_stay_by_digest() -> None:
    given = workload()
    container(given)["image"] = "gcr.io/knative-releases/webhook@sha256:abc"
    assert fixes.apply([given], fixes.released({"webhook": "example.org/webhook:v1"})) == [given]


def test_a_container_without_security_context_gets_the_restricted_one() -> None:
    given = workload(initContainers=[{"name": "i", "image": "i:1"}])
    (mended,) = fixes.apply([given], fixes.secured)
    assert container(mended)["securityContext"] == fixes.RESTRICTED
    assert fixes.pod_spec(mended)["initContainers"][0]["securityContext"] == fixes.RESTRICTED


def test_what_a_container_says_of_its_security_itself_stays() -> None:
    given = workload()
    container(given)["securityContext"] = {"readOnlyRootFilesystem": False, "runAsUser": 7}
    (mended,) = fixes.apply([given], fixes.secured)
    own = container(mended)["securityContext"]
    assert own == {**fixes.RESTRICTED, "readOnlyRootFilesystem": False, "runAsUser": 7}


def test_sizes_reach_the_named_workload_and_its_first_container_alone() -> None:
    given = [workload("a"), workload("b")]
    fixes.pod_spec(given[0])["containers"].append({"name": "side", "image": "s:1", "resources": {"limits": {}}})
    a, b = fixes.apply(given, fixes.sized({"a": {"replicas": 0, "resources": RESOURCES}}))
    assert a["spec"]["replicas"] == 0
    assert container(a)["resources"] == RESOURCES
    assert container(a, 1)["resources"] == {"limits": {}}
    assert b == given[1]


def test_requests_and_limits_fill_only_what_is_not_stated() -> None:
    given = workload(initContainers=[{"name": "i", "image": "i:1", "resources": None}])
    container(given)["resources"] = {"requests": {"cpu": "1"}, "limits": {"cpu": "2"}}
    (mended,) = fixes.apply([given], fixes.limited(RESOURCES))
    assert container(mended)["resources"] == {
        "requests": {"cpu": "1", "memory": "32Mi"},
        "limits": {"cpu": "2", "memory": "128Mi"},
    }
    assert fixes.pod_spec(mended)["initContainers"][0]["resources"] == RESOURCES


def test_tokens_are_kept_from_the_named_workloads_alone() -> None:
    a, b = fixes.apply([workload("a"), workload("b")], fixes.without_token("a"))
    assert fixes.pod_spec(a)["automountServiceAccountToken"] is False
    assert "automountServiceAccountToken" not in fixes.pod_spec(b)


@pytest.mark.parametrize(
    ("given", "spreads"),
    [
        ([workload(replicas=2)], True),
        ([workload(replicas=1)], False),
        ([workload(replicas=None)], False),
        ([workload(replicas=None), scaler("w", 2)], True),
        ([workload(replicas=None), scaler("w", 1)], False),
        ([workload(replicas=None, kind="DaemonSet")], False),
        ([workload(replicas=2, affinity={"podAntiAffinity": {}})], False),
        ([workload(replicas=2, topologySpreadConstraints=[{"maxSkew": 3}])], False),
    ],
    ids=["two", "one", "unsaid", "scaled", "scaled-from-one", "daemonset", "affinity", "own"],
)
def test_replicated_pods_are_spread_unless_the_chart_does(given: list[Manifest], spreads: bool) -> None:
    mended = fixes.apply(given, fixes.spread)
    assert (mended != given) is spreads
    if spreads:
        (constraint,) = fixes.pod_spec(mended[0])["topologySpreadConstraints"]
        assert constraint["topologyKey"] == "kubernetes.io/hostname"
        assert constraint["labelSelector"] == given[0]["spec"]["selector"]


@pytest.mark.parametrize(
    ("others", "added"),
    [
        ([], 1),
        ([budget({"app": "w"})], 0),
        ([budget({"app": "w", "tier": "back"})], 0),
        ([budget({"app": "w"}, namespace="other")], 1),
        ([budget({"app": "w", "tier": "front"})], 1),
    ],
    ids=["none", "own", "narrower", "another-namespace", "another-workload"],
)
def test_a_replicated_workload_has_exactly_one_budget(others: list[Manifest], added: int) -> None:
    mended = fixes.apply([workload(replicas=2), *others], fixes.budgeted)
    budgets = [o for o in mended if o["kind"] == "PodDisruptionBudget"]
    assert len(budgets) == len(others) + added


def test_a_budget_lets_one_pod_go_even_an_unhealthy_one() -> None:
    *_, made = fixes.apply([workload(replicas=2)], fixes.budgeted)
    assert made["metadata"] == {"name": "w", "namespace": "n"}
    assert made["spec"] == {
        "maxUnavailable": 1,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": {"app": "w"}},
    }


def test_a_single_pod_has_no_budget_because_it_could_never_be_evicted() -> None:
    assert len(fixes.apply([workload(replicas=1), workload("s", replicas=0)], fixes.budgeted)) == 2


def test_an_autoscaled_workload_has_a_budget() -> None:
    assert len(fixes.apply([workload(replicas=None), scaler("w", 2)], fixes.budgeted)) == 3


@pytest.mark.parametrize(("kind", "awaited"), [("ClusterIP", False), (None, False), ("LoadBalancer", True)])
def test_only_load_balancers_are_waited_for(kind: str | None, awaited: bool) -> None:
    service = {**plain("Service", "s"), "spec": {"type": kind} if kind else {}}
    service["metadata"]["annotations"] = {"own": "kept"}
    (mended,) = fixes.apply([service], fixes.service_not_awaited)
    annotations = mended["metadata"]["annotations"]
    assert annotations["own"] == "kept"
    assert ("pulumi.com/skipAwait" not in annotations) is awaited
