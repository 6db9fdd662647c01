"""Objects are registered whole, under names of their own, and each after what it needs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.fixes import Manifest
from components.install import BULKY, DASHBOARD, names, split
from stacks.recording import Recording, record

PROGRAM = """
import json
from pathlib import Path
import pulumi
from components.context import Context
from components.install import install
from components.upstream import Upstream

given = json.loads(Path({file!r}).read_text())
parent = pulumi.ComponentResource("aiga:platform:Layer", "layer")
early = pulumi.ComponentResource("aiga:platform:Early", "early")
context = Context(stack="s", profile="laptop", upstream=Upstream(), monitoring={monitoring}, protect={protect})
installed = install(context, "layer", given, parent=parent, after=[early])
pulumi.export("unfilled", installed.unfilled)
pulumi.export("last", [r.pulumi_resource_name for r in installed.last])
"""


def made(kind: str, name: str = "a", api_version: str = "v1", namespace: str | None = "n", **body: Any) -> Manifest:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **body}


CRD = made("CustomResourceDefinition", "a.example.org", "apiextensions.k8s.io/v1", None, spec={"group": "example.org"})
RULE = made("PrometheusRule", api_version="monitoring.coreos.com/v1", spec={"groups": []})
MONITOR = made("ServiceMonitor", api_version="monitoring.coreos.com/v1", spec={"endpoints": []})
BOARD = made("ConfigMap", "board", data={"a.json": "{}"}) | {
    "metadata": {"name": "board", "namespace": "n", "labels": {DASHBOARD: "1"}}
}
LARGE = made("ConfigMap", "large", data={"a": "x" * (BULKY // 2), "b": "x" * (BULKY // 2 + 1)})
SMALL = made("ConfigMap", "small", data={"a_snake": "1", "aCamel": "2", "a.json": '{"snake_key": 1}', "replicas": "3"})
ACCOUNT = made("ServiceAccount", automountServiceAccountToken=False, imagePullSecrets=[{"name": "pull"}])
ROLE = made("ClusterRole", "r:a", "rbac.authorization.k8s.io/v1", None, aggregationRule={"clusterRoleSelectors": []})
BINDING = made(
    "RoleBinding",
    api_version="rbac.authorization.k8s.io/v1",
    roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
    subjects=[{"kind": "ServiceAccount", "name": "a", "namespace": "n"}],
)
SECRET = made("Secret", type="kubernetes.io/tls", stringData={"tls.crt": "c"})
SERVICE = made("Service", spec={"ports": [{"port": 80, "targetPort": "http"}], "selector": {"app_name": "a"}})
SCALER = made(
    "HorizontalPodAutoscaler",
    api_version="autoscaling/v2",
    spec={"minReplicas": 1, "maxReplicas": 2, "scaleTargetRef": {"kind": "Deployment", "name": "a"}},
)
CONTAINER = {"name": "a", "image": "a:1", "env": [{"name": "SNAKE_CASE", "value": "camelCase"}]}
DEPLOYMENT = made(
    "Deployment",
    api_version="apps/v1",
    spec={
        "selector": {"matchLabels": {"app_name": "a"}},
        "template": {
            "metadata": {"labels": {"app_name": "a"}, "annotations": {"a.io/some_key": "v"}},
            "spec": {"containers": [CONTAINER], "nodeSelector": {"node_pool": "p"}},
        },
    },
)
JOB = made("Job", api_version="batch/v1", spec={"template": {"spec": {"containers": [CONTAINER]}}})
BROKER = made("Broker", api_version="eventing.knative.dev/v1", spec={"config": {"apiVersion": "v1"}, "a_b": {"cD": 1}})
POLICY = made("MutatingAdmissionPolicy", "p", "admissionregistration.k8s.io/v1", None, spec={"failurePolicy": "Fail"})
HOOK = made(
    "ValidatingWebhookConfiguration",
    "hook",
    "admissionregistration.k8s.io/v1",
    None,
    webhooks=[{"name": "h.example.org", "clientConfig": {"caBundle": "Yg=="}, "sideEffects": "None"}],
)
BLANK_HOOK = made(
    "MutatingWebhookConfiguration",
    "blank",
    "admissionregistration.k8s.io/v1",
    None,
    webhooks=[{"name": "b.example.org", "clientConfig": {"service": {"name": "a", "namespace": "n"}}}],
)
EVERYTHING = [
    HOOK,
    BROKER,
    DEPLOYMENT,
    CRD,
    RULE,
    BOARD,
    LARGE,
    SMALL,
    ACCOUNT,
    ROLE,
    BINDING,
    SECRET,
    SERVICE,
    SCALER,
    JOB,
]


@pytest.mark.parametrize(
    ("o", "place"),
    [
        (CRD, "crds"),
        (RULE, "bulk"),
        (BOARD, "bulk"),
        (LARGE, "bulk"),
        (made("ConfigMap", data={"a": "x" * BULKY}), "settings"),
        (made("ConfigMap"), "settings"),
        *((o, "settings") for o in (SMALL, ACCOUNT, ROLE, BINDING, SECRET, SERVICE, SCALER)),
        (made("NetworkPolicy", api_version="networking.k8s.io/v1"), "settings"),
        (made("PodDisruptionBudget", api_version="policy/v1"), "settings"),
        (DEPLOYMENT, "workloads"),
        (JOB, "workloads"),
        (made("DaemonSet", api_version="apps/v1"), "workloads"),
        (made("StatefulSet", api_version="apps/v1"), "workloads"),
        (BROKER, "custom"),
        (MONITOR, "custom"),
        (HOOK, "webhooks"),
        (made("MutatingWebhookConfiguration", api_version="admissionregistration.k8s.io/v1"), "webhooks"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value['kind']}-{value['metadata']['name']}",
)
def test_every_object_has_its_place(o: Manifest, place: str) -> None:
    parts = split([o])
    workloads, custom, webhooks = parts.later
    places = {
        "crds": parts.crds,
        "bulk": parts.bulk,
        "settings": parts.settings,
        "workloads": workloads,
        "custom": custom,
        "webhooks": webhooks,
    }
    assert {name: found for name, found in places.items() if found} == {place: [o]}


def test_a_name_says_layer_kind_namespace_and_object() -> None:
    objects = [DEPLOYMENT, made("ClusterRole", "system:Auth", "rbac.authorization.k8s.io/v1", None)]
    assert names("nats", objects) == ["nats-deployment-n-a", "nats-clusterrole-system-auth"]


def test_a_name_does_not_depend_on_the_others_of_the_layer() -> None:
    assert names("x", [SERVICE, DEPLOYMENT])[1] == names("x", [DEPLOYMENT])[0]


def test_those_that_would_share_a_name_are_told_apart_whatever_their_order() -> None:
    twins = [
        made("Role", "b-c", "rbac.authorization.k8s.io/v1", "a"),
        made("Role", "c", "rbac.authorization.k8s.io/v1", "a-b"),
    ]
    first, second = names("x", twins)
    assert first != second
    assert names("x", twins[::-1]) == [second, first]
    assert all(re.fullmatch(r"x-role-a-b-c-[0-9a-f]{8}", name) for name in (first, second))


words = st.text("abAB-:.", min_size=1, max_size=4)
identities = st.tuples(
    st.sampled_from(["v1", "apps/v1", "example.org/v1"]),
    st.sampled_from(["Role", "ClusterRole", "Service"]),
    st.none() | words,
    words,
)


@given(st.lists(identities, unique=True, max_size=12))
def test_distinct_objects_have_distinct_lower_case_names(found: list[tuple[str, str, str | None, str]]) -> None:
    objects = [made(kind, name, version, namespace) for version, kind, namespace, name in found]
    called = names("layer", objects)
    assert len(set(called)) == len(objects)
    assert all(name == name.lower() and ":" not in name for name in called)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a program that installs some objects as one layer."""
    monkeypatch.setenv("AIGA_HOME", str(tmp_path))

    def run(objects: list[Manifest], *, monitoring: bool = True, protect: bool = False) -> Recording:
        (tmp_path / "given.json").write_text(json.dumps(objects))
        program = tmp_path / "program.py"
        program.write_text(PROGRAM.format(file=str(tmp_path / "given.json"), monitoring=monitoring, protect=protect))
        return record({}, "s", program)

    return run


def before(recording: Recording, name: str) -> set[str]:
    """The names of everything that a resource waits for, directly or through others."""
    by_urn = {r.urn: r for r in recording.resources}
    (start,) = (r for r in recording.resources if r.name == name)
    found: set[str] = set()
    waiting = list(start.depends_on)
    while waiting:
        r = by_urn[waiting.pop()]
        if r.name not in found:
            found.add(r.name)
            waiting += r.depends_on
    return found


def test_what_is_registered_is_what_was_given_and_the_stacks_labels(installed: Any) -> None:
    recording = installed([*EVERYTHING, POLICY])
    by_name = {r.name: r.inputs for r in recording.resources}
    apart = [CRD, RULE, BOARD, LARGE]
    for o in [*EVERYTHING, POLICY]:
        if o in apart:
            continue
        (name,) = names("layer", [o])
        labels = {"app.kubernetes.io/part-of": "aiga", "aiga.dev/stack": "s"}
        own = o["metadata"] | {"labels": labels}
        if o is SERVICE:
            own["annotations"] = {"pulumi.com/skipAwait": "true"}
        if o is BROKER:
            own["annotations"] = {"pulumi.com/waitFor": "condition=Ready"}
        assert by_name[name] == {**o, "metadata": own}


def test_crds_come_first_then_settings_workloads_custom_resources_and_webhooks(installed: Any) -> None:
    recording = installed(EVERYTHING)
    called = {o["kind"]: name for o, name in zip(EVERYTHING, names("layer", EVERYTHING), strict=True)}
    settings = {called[kind] for kind in ("ServiceAccount", "ClusterRole", "RoleBinding", "Secret", "Service")}
    settings |= {"layer-configmap-n-small", "layer-bulk"}
    workloads = {called["Deployment"], called["Job"]}
    for name in settings:
        assert "layer-crds" in before(recording, name)
    for name in workloads:
        assert settings <= before(recording, name)
    assert settings | workloads <= before(recording, called["Broker"])
    assert settings | workloads | {called["Broker"]} <= before(recording, called["ValidatingWebhookConfiguration"])
    assert recording.outputs["last"] == [called["ValidatingWebhookConfiguration"]]


@pytest.mark.parametrize("objects", [[DEPLOYMENT], [SERVICE, DEPLOYMENT], [LARGE, SERVICE, DEPLOYMENT]])
def test_the_workload_waits_for_all_of_a_small_layer(installed: Any, objects: list[Manifest]) -> None:
    recording = installed(objects)
    rest = {r.name for r in recording.resources} & {"layer-service-n-a", "layer-bulk"}
    assert rest <= before(recording, "layer-deployment-n-a")


def test_without_monitoring_no_layer_brings_monitors_or_rules(installed: Any) -> None:
    recording = installed([RULE, MONITOR, SERVICE], monitoring=False)
    assert {r.name for r in recording.resources if r.custom} == {"layer-service-n-a"}


CLAIM = {"volumeClaimTemplate": {"spec": {}}}
DATA = [
    made("PersistentVolumeClaim", spec={"accessModes": ["ReadWriteOnce"]}),
    made("StatefulSet", "store", "apps/v1", spec={"volumeClaimTemplates": [{"metadata": {"name": "data"}}]}),
    made("Prometheus", "p", "monitoring.coreos.com/v1", spec={"storage": CLAIM}),
    made("Alertmanager", "a", "monitoring.coreos.com/v1", spec={"storage": CLAIM}),
]
NO_DATA = [
    SERVICE,
    DEPLOYMENT,
    made("StatefulSet", "idle", "apps/v1", spec={"volumeClaimTemplates": []}),
    made("Alertmanager", "idle", "monitoring.coreos.com/v1", spec={}),
    made("Prometheus", "idle", "monitoring.coreos.com/v1", spec={"storage": {"emptyDir": {}}}),
    made("Namespace", namespace=None),
]


def test_what_cannot_be_rebuilt_is_protected_where_the_stack_says_so(installed: Any) -> None:
    recording = installed([CRD, *DATA, *NO_DATA], protect=True)
    assert {r.name for r in recording.resources if r.protect} == {"layer-crds", *names("layer", DATA)}
    assert [r.name for r in installed([CRD, *DATA]).resources if r.protect] == []


def test_webhooks_that_a_chart_leaves_blank_are_what_a_gate_waits_for(installed: Any) -> None:
    recording = installed([BLANK_HOOK, SERVICE])
    assert recording.outputs["unfilled"] == [
        {
            "kind": "MutatingWebhookConfiguration",
            "configuration": "blank",
            "webhook": "b.example.org",
            "fields": ["rules", "caBundle"],
        }
    ]


def test_an_object_that_a_manifest_repeats_is_registered_once(installed: Any) -> None:
    assert [r.name for r in installed([SERVICE, SERVICE]).resources].count("layer-service-n-a") == 1
