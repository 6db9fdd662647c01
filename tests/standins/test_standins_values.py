"""A stand-in does what it is told: each value shows where the real chart would show it."""

from __future__ import annotations

import json
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import Rendered

from simulator.standins import StandinError

TABLE: dict[str, list[dict[str, Any]]] = yaml.safe_load((Path(__file__).parent / "values.yaml").read_text())
SHORT = {"container": "spec.template.spec.containers.0", "pod": "spec.template.spec"}


def named(row: dict[str, Any]) -> str:
    return f"{row['entry']} {json.dumps(row['values'])}"


def at(value: Any, place: str) -> Any:
    head, _, rest = place.partition(".")
    keys = f"{SHORT.get(head, head)}.{rest}".rstrip(".").split(".")
    return reduce(lambda part, key: part[int(key)] if isinstance(part, list) else (part or {}).get(key), keys, value)


@pytest.mark.parametrize("row", TABLE["shows"], ids=named)
def test_a_value_shows_in_the_object(row: dict[str, Any], rendered: Rendered) -> None:
    before = rendered(row["entry"]).get(row["object"])
    assert before is None or at(before, row["at"]) != row["is"], "it would show without being set: this proves nothing"
    assert at(rendered(row["entry"], more=row["values"])[row["object"]], row["at"]) == row["is"]


@pytest.mark.parametrize("row", TABLE["brings"], ids=named)
def test_a_value_brings_an_object(row: dict[str, Any], rendered: Rendered) -> None:
    assert row["object"] not in rendered(row["entry"]), "it is there without the value: this proves nothing"
    assert row["object"] in rendered(row["entry"], more=row["values"])


@pytest.mark.parametrize("row", TABLE["removes"], ids=named)
def test_a_value_removes_an_object(row: dict[str, Any], rendered: Rendered) -> None:
    assert row["object"] in rendered(row["entry"]), "it is not there without the value: this proves nothing"
    assert row["object"] not in rendered(row["entry"], more=row["values"])


def test_the_monitor_of_argo_workflows_needs_its_kind_to_be_known(
    rendered: Rendered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monitor = "ServiceMonitor/argo/argo-workflows-workflow-controller"
    more = {"controller": {"serviceMonitor": {"enabled": True}}}
    assert monitor in rendered("argo-workflows", more=more)
    monkeypatch.setattr("kube.charts.API_VERSIONS", ("policy/v1",))
    assert monitor not in rendered("argo-workflows", more=more), "upstream drops it, without a word, when offline"


def test_seldon_with_cert_manager_has_its_webhook_service_and_issuer(rendered: Rendered) -> None:
    more = {"certManager": {"enabled": True}, "managerCreateResources": False}
    ours = rendered("seldon-core-operator", more=more)
    assert {
        "Issuer/seldon-system/seldon-selfsigned-issuer",
        "Certificate/seldon-system/seldon-serving-cert",
        "Service/seldon-system/seldon-webhook-service",
        "ValidatingWebhookConfiguration/-/seldon-validating-webhook-configuration-seldon-system",
    } <= set(ours)
    (webhook,) = ours["ValidatingWebhookConfiguration/-/seldon-validating-webhook-configuration-seldon-system"][
        "webhooks"
    ]
    assert webhook["failurePolicy"] == "Fail"
    assert "Secret/seldon-system/seldon-webhook-server-cert" not in ours, "cert-manager would make it"


def test_rustfs_refuses_to_render_without_credentials(rendered: Rendered) -> None:
    with pytest.raises(StandinError, match=r"secret\.existingSecret"):
        rendered("rustfs", more={"secret": {"existingSecret": ""}})


def test_variables_are_text_whatever_the_value(rendered: Rendered) -> None:
    """The API server refuses a number or a boolean there."""
    for name in ("argo-events", "argo-workflows", "seldon-core-operator", "kube-prometheus-stack", "nats"):
        for key, o in rendered(name, "prod", {"webhook": {"enabled": True}} if name == "argo-events" else None).items():
            if o["kind"] in ("Deployment", "StatefulSet", "DaemonSet"):
                for container in o["spec"]["template"]["spec"]["containers"]:
                    for variable in container.get("env") or []:
                        assert isinstance(variable.get("value", ""), str), f"{key}: {variable}"
