"""End to end, on a cluster where containers run: prediction, event, metric, alert, webhook.

Each check uses what the one before it left, so they run in order and stop at the first that fails (`-x`).
"""

from __future__ import annotations

import json
import uuid
from typing import Any
from urllib.parse import quote

import pytest
from e2e_world import DOMAIN, Answer, apply, forwarded, https, kubectl, plain, secret, until

pytestmark = pytest.mark.usefixtures("project")
MODEL = "/seldon/project-e2e/iris/v2/models/model/infer"
SETOSA, VIRGINICA = [5.1, 3.5, 1.4, 0.2], [6.3, 3.3, 6.0, 2.5]


def predict() -> Answer:
    data = [*SETOSA, *VIRGINICA]
    inputs = [{"name": "predict", "shape": [2, 4], "datatype": "FP32", "data": data}]
    return https(DOMAIN, MODEL, {"inputs": inputs})


def received() -> list[dict[str, Any]]:
    lines = kubectl("logs", "deployment/receiver", "--namespace=project-e2e", "--tail=-1").splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def test_a_prediction_comes_back_through_the_ingress() -> None:
    apply("deployment")
    apply("receiver")
    ready = ("wait", "seldondeployment/iris", "--namespace=project-e2e", "--for=condition=Ready", "--timeout=600s")
    until(lambda: kubectl(*ready, seconds=620), "SeldonDeployment iris is Ready", 650)
    answer = until(lambda: _good(predict()), "the gateway answers with 200", 180)
    assert answer.json()["outputs"][0]["data"] == [0, 2], answer.text


def _good(answer: Answer) -> Answer:
    assert answer.status == 200, f"{answer.status} {answer.text[:200]}"
    return answer


def test_an_event_reaches_the_receiver_and_only_the_one_it_asked_for() -> None:
    for trigger in ("sent", "requests"):
        kubectl("wait", f"trigger/{trigger}", "--namespace=project-e2e", "--for=condition=Ready", "--timeout=180s",
                seconds=200)  # fmt: skip
    job = f"e2e-{uuid.uuid4().hex[:8]}"
    apply("sender", job=job)
    until(lambda: [e for e in received() if e["id"] == f"{job}-wanted"], "the event that a Trigger filters for", 120)
    types = {event["type"] for event in received()}
    assert "dev.aiga.e2e.unwanted" not in types, "an event arrived that no Trigger asks for"


def test_a_prediction_is_an_event_too() -> None:
    _good(predict())
    found = until(lambda: [e for e in received() if e["path"] == "/requests"], "the request as a CloudEvent", 120)
    assert found[0]["type"] == "io.seldon.serving.inference.request"
    assert "inputs" in found[0]["body"], found[0]


def test_the_prediction_is_counted_in_prometheus() -> None:
    query = quote('sum(seldon_api_executor_server_requests_seconds_count{deployment_name="iris"})')
    with forwarded("monitoring", "kps-prometheus", 9090) as prometheus:
        samples = until(
            lambda: plain(prometheus, f"/api/v1/query?query={query}")["data"]["result"],
            "Prometheus has the executor's count",
            300,
        )
        assert float(samples[0]["value"][1]) >= 1
        until(lambda: _all_reached(prometheus), "Prometheus reaches every target that it finds", 180)


def _all_reached(prometheus: str) -> bool:
    down = plain(prometheus, f"/api/v1/query?query={quote('up == 0')}")["data"]["result"]
    assert not down, f"not reached: {[sample['metric'] for sample in down]}"
    return True


def test_an_alert_fires_to_alertmanager() -> None:
    apply("alert")
    wanted = quote('alertname="EndToEndPredictionServed"')
    with forwarded("monitoring", "kps-alertmanager", 9093) as alertmanager:
        found = until(lambda: plain(alertmanager, f"/api/v2/alerts?filter={wanted}"), "the alert is there", 300)
    assert found[0]["status"]["state"] == "active", found[0]


def test_the_webhook_starts_a_workflow_for_who_has_the_token() -> None:
    apply("sensor")
    kubectl("wait", "sensor/e2e", "--namespace=argo-events", "--for=condition=Deployed", "--timeout=180s", seconds=200)
    kubectl("rollout", "status", "deployment", "--namespace=argo-events", "--selector=sensor-name=e2e",
            "--timeout=180s", seconds=200)  # fmt: skip
    host, tag = f"hooks.{DOMAIN}", f"tag-{uuid.uuid4().hex[:8]}"
    until(lambda: https(host, "/retrain", {"tag": "refused"}).status == 401, "without the token it says 401", 120)
    assert https(host, "/retrain", {"tag": "refused"}, token="wrong").status == 401
    answer = https(host, "/retrain", {"tag": tag}, token=secret("argo-events", "webhook-token", "token"))
    assert answer.status == 200, answer
    workflow = until(lambda: _workflows(tag), "the workflow is there", 120)[0]
    name = workflow["metadata"]["name"]
    phase = until(lambda: _phase(name), f"workflow {name} has ended", 300)
    assert phase == "Succeeded", kubectl("get", "workflow", name, "--namespace=argo", "--output=yaml")
    assert not _workflows("refused"), "a caller without the token started a workflow"


def _workflows(tag: str) -> list[dict[str, Any]]:
    listed = kubectl("get", "workflows", "--namespace=argo", "--selector=events.argoproj.io/sensor=e2e", "-o", "json")
    return [w for w in json.loads(listed)["items"] if w["spec"]["arguments"]["parameters"][0]["value"] == tag]


def _phase(name: str) -> str | None:
    found: dict[str, Any] = json.loads(kubectl("get", "workflow", name, "--namespace=argo", "--output=json"))
    phase: str | None = found.get("status", {}).get("phase")
    return phase if phase in ("Succeeded", "Failed", "Error") else None
