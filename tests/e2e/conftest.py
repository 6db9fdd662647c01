"""The end-to-end checks run in order, on a cluster where containers run: `pytest tests/e2e/check_platform.py`."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from e2e_world import apply, kubectl, manifest, read, until

PARTS = ("sensor", "alert", "receiver", "deployment", "model", "project")
"""Everything that `project` leaves behind, newest first."""


@pytest.fixture(scope="session")
def project(request: pytest.FixtureRequest) -> Iterator[None]:
    """A project's namespace with its Broker, a model in the store, and the Secret by which servers load it.

    After a failure everything stays where it is, to be looked at.
    """
    apply("project")
    kubectl("wait", "broker/default", "--namespace=project-e2e", "--for=condition=Ready", "--timeout=180s", seconds=200)
    copied = read("secret", "seldon-system", "seldon-rclone-secret")
    copied["metadata"] = {"name": "seldon-rclone-secret", "namespace": "project-e2e"}
    kubectl("apply", "--server-side", "--filename=-", stdin=json.dumps(copied))
    apply("model")
    kubectl("wait", "job/e2e-model", "--namespace=storage", "--for=condition=Complete", "--timeout=600s", seconds=620)
    yield
    if request.session.testsfailed:
        return
    for part in PARTS:
        kubectl("delete", "--ignore-not-found", "--wait=false", "--filename=-", stdin=manifest(part))
    gone = ("get", "namespace", "project-e2e", "--ignore-not-found", "--output=name")
    until(lambda: not kubectl(*gone), "namespace project-e2e is gone", 180)
