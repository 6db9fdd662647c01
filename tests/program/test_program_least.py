"""Who may do what: each account no more than its program uses, in every shape of the platform."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from program_wiring import SHAPES, Wiring, wired

READING = {"get", "list", "watch"}


@pytest.fixture(scope="module", params=SHAPES, ids="-".join)
def wiring(request: pytest.FixtureRequest) -> Wiring:
    return wired(*request.param)


def grants(wiring: Wiring, namespace: str, account: str) -> Iterator[tuple[str | None, str, str]]:
    """Everything an account may do: the namespace it is bound in (None for all), `group/resource` and verb."""
    for binding in wiring.of("RoleBinding", "ClusterRoleBinding"):
        if not any((s.get("namespace"), s["name"]) == (namespace, account) for s in binding["subjects"]):
            continue
        where, role = binding["metadata"].get("namespace"), binding["roleRef"]
        found = wiring.find(role["kind"], where if role["kind"] == "Role" else None, role["name"])
        assert found is not None, f"{role['kind']} {role['name']}: not the stack's, so nobody here knows what it grants"
        for rule in found["rules"]:
            for group in rule["apiGroups"]:
                for resource in rule["resources"]:
                    yield from ((where, f"{group}/{resource}", verb) for verb in rule["verbs"])


def account_of(wiring: Wiring, kind: str, namespace: str, name: str) -> str:
    workload = wiring.find(kind, namespace, name)
    assert workload is not None
    found: str = workload["spec"]["template"]["spec"]["serviceAccountName"]
    return found


def test_the_events_controller_keeps_to_its_namespace(wiring: Wiring) -> None:
    name = "argo-events-controller-manager"
    allowed = set(grants(wiring, "argo-events", account_of(wiring, "Deployment", "argo-events", name)))
    assert ("argo-events", "/secrets", "create") in allowed
    assert {where for where, _, _ in allowed} == {"argo-events"}, "it writes Secrets and pods: not all over the cluster"
    controller = wiring.find("Deployment", "argo-events", name)
    assert controller is not None
    (container,) = controller["spec"]["template"]["spec"]["containers"]
    assert "--namespaced" in container["args"], "else it watches every namespace, which it may not"


def test_event_sources_and_their_bus_lie_where_the_controller_looks(wiring: Wiring) -> None:
    found = wiring.of("EventBus", "EventSource", "Sensor")
    assert len(found) >= 2
    assert {o["metadata"]["namespace"] for o in found} == {"argo-events"}


def test_argos_server_reads_no_secret_and_writes_no_workflow(wiring: Wiring) -> None:
    account = account_of(wiring, "Deployment", "argo", "argo-workflows-server")
    allowed = {(resource, verb) for _, resource, verb in grants(wiring, "argo", account)}
    assert {("argoproj.io/workflows", verb) for verb in READING} <= allowed, "it keeps a copy to answer from"
    assert [grant for grant in allowed if grant[0] == "/secrets"] == []
    assert {grant for grant in allowed if grant[1] not in READING} == {("/events", "create"), ("/events", "patch")}


def test_the_account_in_the_table_opens_argos_page_for_reading_alone(wiring: Wiring) -> None:
    told = wiring.recording.outputs["services"]["argo"]["credential"]
    command, _, account = told.rpartition(" ")
    assert command.endswith("kubectl -n argo create token")
    found = wiring.find("ServiceAccount", "argo", account)
    assert found is not None
    assert found["automountServiceAccountToken"] is False
    allowed = set(grants(wiring, "argo", account))
    assert (None, "argoproj.io/workflows", "list") in allowed, "the page opens with the workflows of all namespaces"
    assert ("argo", "/pods/log", "get") in allowed
    assert {verb for _, _, verb in allowed} == READING
    assert [resource for _, resource, _ in allowed if resource == "/secrets"] == []


def test_the_webhooks_pod_has_an_account_of_its_own_and_no_token(wiring: Wiring) -> None:
    (source,) = wiring.of("EventSource")
    template: dict[str, Any] = source["spec"]["template"]
    found = wiring.find("ServiceAccount", "argo-events", template.get("serviceAccountName", "default"))
    assert found is not None, "the default account's token goes into every pod that names no other"
    assert found["automountServiceAccountToken"] is False
