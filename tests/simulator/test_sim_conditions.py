"""The status of custom resources, worked out without a cluster."""

from __future__ import annotations

from typing import Any

from simulator.conditions import wanted
from simulator.kinds import BY_CRD, KINDS

TRIGGER = BY_CRD["triggers.eventing.knative.dev"]


def trigger(**status: Any) -> dict[str, Any]:
    metadata = {"name": "retrain", "namespace": "iris", "generation": 3}
    spec = {"broker": "main", "subscriber": {"ref": {"name": "controller"}, "uri": "/events"}}
    return {"kind": "Trigger", "metadata": metadata, "spec": spec, "status": status}


def test_sets_every_condition_the_generation_and_the_rest() -> None:
    status = wanted(TRIGGER, trigger())
    assert status is not None
    assert [each["type"] for each in status["conditions"]] == list(TRIGGER.conditions)
    assert {each["status"] for each in status["conditions"]} == {"True"}
    assert {each["reason"] for each in status["conditions"]} == {"Simulated"}, "a reader sees that nobody did the work"
    assert status["observedGeneration"] == 3
    assert status["subscriberUri"] == "http://controller.iris.svc.cluster.local/events"


def test_leaves_alone_what_is_as_it_should_be() -> None:
    status = wanted(TRIGGER, trigger())
    assert status is not None
    assert wanted(TRIGGER, trigger(**status, annotations={"someone": "else's"})) is None


def test_a_new_generation_is_observed_and_keeps_the_times() -> None:
    first = wanted(TRIGGER, trigger())
    assert first is not None
    for condition in first["conditions"]:
        condition["lastTransitionTime"] = "2020-01-01T00:00:00Z"
    changed = trigger(**first)
    changed["metadata"]["generation"] = 4
    second = wanted(TRIGGER, changed)
    assert second is not None
    assert second["observedGeneration"] == 4
    assert {each["lastTransitionTime"] for each in second["conditions"]} == {"2020-01-01T00:00:00Z"}


def test_what_is_missing_is_named_and_the_summary_false() -> None:
    missing = TRIGGER.needs(trigger())
    assert missing == [("brokers.eventing.knative.dev", "iris", "main")]
    status = wanted(TRIGGER, trigger(), missing)
    assert status is not None
    assert status["conditions"][-1] | {"lastTransitionTime": ""} == {
        "type": "Ready",
        "status": "False",
        "reason": "Missing",
        "message": "there is no brokers iris/main",
        "lastTransitionTime": "",
    }


def test_the_table_names_each_crd_once() -> None:
    assert len(BY_CRD) == len(KINDS)
