"""Each refusal of an API server becomes one line that names object, reason and remedy, and says whether to retry."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kube import errors, waiting
from kube.errors import from_response


def status(code: int, reason: str, message: str, **details: Any) -> bytes:
    return json.dumps(
        {"kind": "Status", "code": code, "reason": reason, "message": message, "details": details}
    ).encode()


def cause(manager: str, field: str) -> dict[str, str]:
    return {"reason": "FieldManagerConflict", "message": f'conflict with "{manager}" using apps/v1', "field": field}


ANSWERS = [
    (404, status(404, "NotFound", 'configmaps "a" not found', name="a", kind="configmaps"), errors.NotFound, False),
    (
        404,
        status(404, "NotFound", 'namespaces "p" not found', name="p", kind="namespaces"),
        errors.NotFound,
        False,
    ),
    (404, b"404 page not found", errors.NoSuchKind, True),
    (404, status(404, "NotFound", "the server could not find the requested resource"), errors.NoSuchKind, True),
    (409, status(409, "AlreadyExists", 'configmaps "a" already exists'), errors.AlreadyExists, False),
    (409, status(409, "Conflict", "the object has been modified"), errors.Conflict, False),
    (409, status(409, "Conflict", "1 conflict", causes=[cause("kubectl", ".spec.replicas")]), errors.Conflict, False),
    (422, status(422, "Invalid", "spec.x: Required value"), errors.Invalid, False),
    (400, status(400, "BadRequest", 'admission webhook "w" denied the request: no'), errors.Invalid, False),
    (403, status(403, "Forbidden", "cannot create"), errors.Invalid, False),
    (401, status(401, "Unauthorized", "Unauthorized"), errors.Invalid, False),
    (
        403,
        status(403, "Forbidden", "being terminated", causes=[{"reason": "NamespaceTerminating"}]),
        errors.Busy,
        True,
    ),
    (500, status(500, "InternalError", 'failed calling webhook "w": EOF'), errors.WebhookDown, True),
    (500, status(500, "InternalError", "conversion webhook for x failed: EOF"), errors.WebhookDown, True),
    (500, status(500, "InternalError", "etcdserver: leader changed"), errors.Busy, True),
    (
        500,
        status(500, "", "failed to create typed patch object: .foo: field not declared in schema"),
        errors.Invalid,
        False,
    ),
    (500, status(500, "InternalError", "boom"), errors.KubeError, False),
    (429, status(429, "TooManyRequests", "slow down"), errors.Busy, True),
    (503, b"Service Unavailable", errors.Busy, True),
    (410, status(410, "Expired", "too old"), errors.Expired, False),
]


@pytest.mark.parametrize(("code", "body", "expected", "transient"), ANSWERS)
def test_answers_become_errors(code: int, body: bytes, expected: type[Exception], transient: bool) -> None:
    error = from_response(code, body, "ConfigMap/p/a")
    assert type(error) is expected
    assert isinstance(error, errors.Transient) is transient
    assert str(error).startswith("ConfigMap/p/a: ")
    assert "\n" not in str(error)


def test_a_conflict_names_managers_fields_and_remedy() -> None:
    causes = [cause("kubectl", ".data.a"), cause("flux", ".data.b")]
    error = from_response(409, status(409, "Conflict", "2 conflicts", causes=causes), "ConfigMap/p/a")
    assert isinstance(error, errors.Conflict)
    assert (error.managers, error.fields) == (["flux", "kubectl"], [".data.a", ".data.b"])
    assert ".data.a, .data.b belongs to field manager flux, kubectl" in str(error)
    assert "force" in str(error)


def test_long_answers_are_cut() -> None:
    error = from_response(422, status(422, "Invalid", "word\n" * 1000), "ConfigMap/p/a")
    assert len(str(error)) < 800


class Clock:
    """Time that passes only by sleeping."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(waiting, "time", clock)
    return clock


def test_transient_errors_are_tried_again_until_they_stop(clock: Clock) -> None:
    def call() -> str:
        if clock.now < 40:
            raise errors.Unreachable("gone")
        return "back"

    assert waiting.patiently(call, 60) == "back"
    assert clock.now < 50


def test_patience_is_bounded_and_says_so(clock: Clock) -> None:
    def call() -> str:
        raise errors.WebhookDown("webhook w does not answer")

    with pytest.raises(errors.WebhookDown, match=r"webhook w does not answer \(tried for 60 s\)"):
        waiting.patiently(call, 60)
    assert 50 < clock.now <= 60


def test_other_errors_are_not_tried_again(clock: Clock) -> None:
    def call() -> str:
        raise errors.Invalid("no")

    with pytest.raises(errors.Invalid):
        waiting.patiently(call, 60)
    assert clock.now == 0
