"""Errors that pass are tried again for a while, then explained once; refusals are left alone."""

from __future__ import annotations

import asyncio

import pulumi
import pytest

from components import retry
from components.retry import ATTEMPTS, CAUSES, PAUSES, Cause

URN = (
    "urn:pulumi:prod::aiga::aiga:platform:Platform$aiga:platform:Knative$kubernetes:eventing.knative.dev/v1:Broker"
    "::knative-broker-knative-eventing-default"
)
WEBHOOK, SERVER, BUSY, KIND, DELETING, RACE = CAUSES
REAL = [
    (
        'Internal error occurred: failed calling webhook "validation.istio.io": failed to call webhook: '
        'Post "https://istiod.istio-system.svc:443/validate": dial tcp 10.96.7.1:443: connect: connection refused',
        WEBHOOK,
    ),
    ('Internal error occurred: failed calling webhook "x": Post "https://a.b.svc": context deadline exceeded', WEBHOOK),
    ("conversion webhook for sources.knative.dev/v1, Kind=PingSource failed: Post: service unavailable", WEBHOOK),
    ('no endpoints available for service "eventing-webhook"', WEBHOOK),
    ("configured Kubernetes cluster is unreachable: unable to load schema information from the API server", SERVER),
    ('Get "https://127.0.0.1:6443/api/v1": dial tcp 127.0.0.1:6443: connect: connection refused', SERVER),
    ("read tcp 10.0.0.1:5->10.0.0.2:6443: read: connection reset by peer", SERVER),
    ('Patch "https://127.0.0.1:6443/apis/apps/v1": EOF', SERVER),
    ("unexpected EOF", SERVER),
    ("net/http: TLS handshake timeout", SERVER),
    ("dial tcp 10.0.0.1:6443: i/o timeout", SERVER),
    ("dial tcp 10.0.0.1:6443: connect: no route to host", SERVER),
    ("http2: client connection lost", SERVER),
    ("http2: server sent GOAWAY and closed the connection; LastStreamID=1, ErrCode=NO_ERROR", SERVER),
    ("net/http: request canceled (Client.Timeout exceeded while awaiting headers)", SERVER),
    ("HTTPSConnectionPool(host='127.0.0.1', port=6443): Max retries exceeded with url: /api", SERVER),
    ("etcdserver: leader changed", BUSY),
    ("etcdserver: request timed out", BUSY),
    ("the server is currently unable to handle the request (post brokers.eventing.knative.dev)", BUSY),
    ("the server was unable to return a response in the time allotted, but may still be processing it", BUSY),
    ("Too many requests, please try again later.", BUSY),
    ('no matches for kind "Broker" in version "eventing.knative.dev/v1"', KIND),
    ("the server could not find the requested resource", KIND),
    (
        'namespaces "x" is forbidden: unable to create new content in namespace x because it is being terminated',
        DELETING,
    ),
    ('object is being deleted: deployments.apps "istiod" already exists', DELETING),
    (
        'Operation cannot be fulfilled on brokers.eventing.knative.dev "default": the object has been modified; please '
        "apply your changes to the latest version and try again",
        RACE,
    ),
    ('pods "p" is forbidden: status unknown for quota: platform, resources: limits.memory,pods', RACE),
]
FINAL = [
    'admission webhook "validation.webhook.eventing.knative.dev" denied the request: missing field(s): spec.config',
    'admission webhook "policy.example.org" denied the request: upstream says connection refused',
    'Deployment.apps "x" is invalid: spec.template.spec.containers[0].image: Required value',
    'SeldonDeployment "x" is invalid: "" must validate one and only one schema (oneOf). Found none valid',
    ".spec.typeof: field not declared in schema",
    'Apply failed with 1 conflict: conflict with "clusterrole-aggregation-controller": .rules',
    'secrets is forbidden: User "dev" cannot create resource "secrets" in API group "" in the namespace "argo"',
    'pods "p" is forbidden: exceeded quota: platform, requested: pods=1, used: pods=20, limited: pods=20',
    "Unauthorized",
    'deployments.apps "x" already exists',
    (
        "resource argo/argo-server was successfully created, but the Kubernetes API server reported that it failed to "
        'fully initialize or become live: Readiness probe failed: Get "https://10.1.0.7:2746/": connection refused'
    ),
    "'istio-ingressgateway' timed out waiting to be Ready: FailedCreate: failed calling webhook \"object.sidecar\"",
    "node has taint node.kubernetes.io/unreachable",
]


@pytest.mark.parametrize(("error", "cause"), REAL, ids=[error[:50] for error, _ in REAL])
def test_what_passes_by_itself_is_known_by_its_text(error: str, cause: Cause) -> None:
    assert retry.cause(f"1 error occurred:\n\t* {error}") == cause


@pytest.mark.parametrize("error", FINAL, ids=[error[:50] for error in FINAL])
def test_a_refusal_or_a_wait_in_vain_is_final(error: str) -> None:
    assert retry.cause(f"1 error occurred:\n\t* {error}") is None


@pytest.mark.parametrize(
    ("urn", "layer"),
    [
        (URN, "Knative"),
        (
            "urn:pulumi:s::aiga::aiga:platform:Platform$aiga:platform:Nats$kubernetes:core/v1:Service::nats-service",
            "Nats",
        ),
        ("urn:pulumi:s::aiga::aiga:platform:Platform$pulumi:providers:kubernetes::cluster", "Platform"),
        ("urn:pulumi:s::aiga::kubernetes:core/v1:Namespace::n", "the stack"),
        (
            "urn:pulumi:s::aiga::aiga:platform:Platform$aiga:platform:Flux$kubernetes:x/v1:Y::name-with-aiga:platform:Z",
            "Flux",
        ),
    ],
)
def test_the_layer_is_the_nearest_component_in_the_urn(urn: str, layer: str) -> None:
    assert retry.layer(urn) == layer


class Messages:
    def __init__(self) -> None:
        self.errors: list[str] = []
        self.pauses: list[float] = []


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Messages:
    """What is logged and how long is slept; nothing sleeps in truth."""
    messages = Messages()

    async def sleep(seconds: float) -> None:
        messages.pauses.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    monkeypatch.setattr(pulumi.log, "error", messages.errors.append)
    return messages


def decided(errors: list[str]) -> bool:
    name = URN.rpartition("::")[2]
    arguments = pulumi.ErrorHookArgs(URN, "", name, "kubernetes:x", failed_operation="create", errors=errors)
    return asyncio.run(retry.decide(arguments))


def test_it_is_tried_again_with_longer_and_longer_pauses_then_explained_once(seen: Messages) -> None:
    outcomes = [decided(["connection refused"] * failures) for failures in range(1, ATTEMPTS + 1)]
    assert outcomes == [True] * (ATTEMPTS - 1) + [False]
    assert seen.pauses == sorted(seen.pauses) == list(PAUSES)
    assert 60 <= sum(seen.pauses) <= 120, "long enough for a webhook to be down for 40 s"
    (message,) = seen.errors
    for part in ("Knative", "knative-broker-knative-eventing-default", "create", "8 times", SERVER.what, SERVER.remedy):
        assert part in message
    assert "\n" not in message


def test_a_final_error_is_not_tried_again_and_left_to_the_engine_to_report(seen: Messages) -> None:
    assert decided(["admission webhook denied the request"]) is False
    assert (seen.pauses, seen.errors) == ([], [])


def test_the_newest_error_decides(seen: Messages) -> None:
    assert decided(["spec is invalid", "connection refused"]) is False
    assert decided(["connection refused", "spec is invalid"]) is True


def test_no_error_at_all_is_no_reason_to_try_again(seen: Messages) -> None:
    assert decided([]) is False


def test_every_cause_says_what_to_do() -> None:
    for cause in CAUSES:
        assert cause.remedy
        assert not cause.what.endswith(".")


LOST_ANSWER = ['services "nats" already exists', "read tcp: connection reset by peer"]


def test_an_object_made_by_a_try_whose_answer_was_lost_is_known_as_such() -> None:
    assert retry.lost(LOST_ANSWER)
    assert not retry.lost(LOST_ANSWER[:1]), "somebody else's object"
    assert not retry.lost([])
    assert retry.half_done(f"Service nats: {retry.LOST} (…)")
    assert retry.half_done("dial tcp 127.0.0.1:6443: connection refused")
    assert not retry.half_done("admission denied the request")
