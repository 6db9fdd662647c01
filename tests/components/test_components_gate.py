"""A gate opens when webhooks are filled and answer, and says what to do when they never do."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, cast

import pytest

from components import gate
from components.gate import FIRST_PAUSE, LONGEST_PAUSE, REMEDY, Blank, blanks
from kube.cluster import Cluster
from kube.errors import AlreadyExists, Invalid, KubeError, Unreachable, WebhookDown
from kube.refs import Ref

RULES = [{"apiGroups": ["x"], "apiVersions": ["v1"], "resources": ["xs"], "operations": ["CREATE"]}]
BROKER = {"apiVersion": "eventing.knative.dev/v1", "kind": "Broker", "metadata": {"name": "probe", "namespace": "n"}}
CHANNEL = {**BROKER, "apiVersion": "messaging.knative.dev/v1alpha1", "kind": "NatsJetStreamChannel"}
BLANK = Blank(
    kind="MutatingWebhookConfiguration",
    configuration="webhook.example.org",
    webhook="webhook.example.org",
    fields=["rules", "caBundle"],
)


def configuration(*, name: str = "webhook.example.org", service: bool = True, **fields: Any) -> dict[str, Any]:
    bundle = {"caBundle": fields.pop("bundle")} if "bundle" in fields else {}
    where = {"service": {"name": "s", "namespace": "n"}} if service else {"url": "https://example.org"}
    return {
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [{"name": name, "clientConfig": {**where, **bundle}, **fields}],
    }


class Server:
    """Answers dry runs and reads, each time with the next of what was laid down; the last answer stays."""

    def __init__(self) -> None:
        self.answers: list[KubeError | None] = [None]
        self.live: list[dict[str, Any] | KubeError | None] = [None]
        self.asked: list[str] = []

    def create(self, o: Mapping[str, Any], *, manager: str, dry_run: bool) -> None:
        assert dry_run, "a probe is never stored"
        self.asked.append(o["kind"])
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer:
            raise answer

    def get(self, ref: Ref) -> dict[str, Any] | None:
        self.asked.append(f"{ref.kind} {ref.name}")
        answer = self.live.pop(0) if len(self.live) > 1 else self.live[0]
        if isinstance(answer, KubeError):
            raise answer
        return answer


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was slept between tries: nothing sleeps in truth, and the clock goes by what would have been slept."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    monkeypatch.setattr(time, "monotonic", lambda: sum(slept))
    return slept


@pytest.fixture
def passed(server: Server) -> Callable[..., None]:
    def go(*, filled: list[Blank] | None = None, probes: list[dict[str, Any]] | None = None) -> None:
        gate.pass_through(cast(Cluster, server), "knative", filled or [], probes or [], timeout=60)

    return go


def test_every_probe_is_asked_once_where_the_webhooks_answer(
    server: Server, passed: Callable[..., None], pauses: list[float]
) -> None:
    passed(probes=[BROKER, CHANNEL])
    assert server.asked == ["Broker", "NatsJetStreamChannel"]
    assert pauses == []


def test_a_webhook_that_is_late_is_asked_again_with_longer_and_longer_pauses(
    server: Server, passed: Callable[..., None], pauses: list[float]
) -> None:
    server.answers = [WebhookDown("no endpoints"), Unreachable("connection refused"), WebhookDown("x"), None]
    passed(probes=[BROKER])
    assert pauses == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]


def test_a_probe_that_is_there_already_was_answered(server: Server, passed: Callable[..., None]) -> None:
    server.answers = [AlreadyExists("Broker/n/probe")]
    passed(probes=[BROKER])
    assert server.asked == ["Broker"]


def test_it_gives_up_in_time_with_layer_object_reason_and_remedy(
    server: Server, passed: Callable[..., None], pauses: list[float]
) -> None:
    server.answers = [WebhookDown("Broker/n/probe: failed calling webhook: no endpoints available")]
    with pytest.raises(KubeError) as caught:
        passed(probes=[BROKER])
    message = str(caught.value)
    assert message.startswith("knative: ")
    for part in ("dry run of Broker", "Broker/n/probe", "no endpoints available", REMEDY, "make up"):
        assert part in message
    assert "\n" not in message
    assert max(pauses) == LONGEST_PAUSE
    assert 60 <= sum(pauses) <= 60 + LONGEST_PAUSE


def test_a_refusal_is_not_waited_out(server: Server, passed: Callable[..., None], pauses: list[float]) -> None:
    server.answers = [Invalid("Broker/n/probe: denied the request: missing field")]
    with pytest.raises(Invalid, match="missing field"):
        passed(probes=[BROKER])
    assert pauses == []


def test_nothing_is_probed_before_the_controller_has_filled_its_webhook(
    server: Server, passed: Callable[..., None]
) -> None:
    server.live = [
        None,
        Unreachable("connection refused"),
        configuration(),
        configuration(rules=RULES),
        configuration(bundle="Yg=="),
        configuration(rules=RULES, bundle="Yg=="),
    ]
    passed(filled=[BLANK], probes=[BROKER])
    assert server.asked == ["MutatingWebhookConfiguration webhook.example.org"] * 6 + ["Broker"]


@pytest.mark.parametrize(
    ("live", "lacking"),
    [
        (None, "rules and caBundle"),
        (configuration(), "rules and caBundle"),
        (configuration(rules=[], bundle=""), "rules and caBundle"),
        (configuration(rules=RULES), "caBundle"),
        (configuration(bundle="Yg=="), "rules"),
        (configuration(name="other.example.org", rules=RULES, bundle="Yg=="), "rules and caBundle"),
    ],
)
def test_a_webhook_that_is_never_filled_is_named_with_what_it_lacks(
    server: Server, passed: Callable[..., None], live: dict[str, Any] | None, lacking: str
) -> None:
    server.live = [live]
    with pytest.raises(KubeError) as caught:
        passed(filled=[BLANK], probes=[BROKER])
    assert str(caught.value) == (
        "knative: MutatingWebhookConfiguration/webhook.example.org: its controller has not filled"
        f" {lacking} of webhook.example.org ({REMEDY})"
    )
    assert "Broker" not in server.asked


def test_only_what_the_chart_left_blank_is_waited_for() -> None:
    given = [
        configuration(name="both.example.org"),
        configuration(name="bundle.example.org", rules=RULES),
        configuration(name="rules.example.org", rules=[], bundle="Yg=="),
        configuration(name="whole.example.org", rules=RULES, bundle="Yg=="),
        configuration(name="outside.example.org", service=False),
        {"kind": "MutatingWebhookConfiguration", "metadata": {"name": "empty"}},
    ]
    assert {b["webhook"]: b["fields"] for b in blanks(given)} == {
        "both.example.org": ["rules", "caBundle"],
        "bundle.example.org": ["caBundle"],
        "rules.example.org": ["rules"],
    }


def test_a_webhook_whose_rules_come_with_other_objects_is_ready_without() -> None:
    (blank,) = blanks([configuration(name="sinkbindings.webhook.sources.knative.dev")])
    assert blank["fields"] == ["caBundle"], "with no SinkBinding there, Knative writes no rules"
