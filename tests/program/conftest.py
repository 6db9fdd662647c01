"""The whole program, run once per stack against mocks: what it registers is what these tests look at."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from program_world import CLUSTER, offline, recorded

from stacks.recording import Recording, record


@pytest.fixture(scope="session", params=["dev", "prod", "sim"])
def recording(request: pytest.FixtureRequest) -> Recording:
    return recorded(request.param)


@pytest.fixture
def run() -> Callable[..., Recording]:
    """Runs the program for the simulator with some configuration of the test's own."""

    def go(**overrides: str) -> Recording:
        own = {f"aiga:{key}": value for key, value in overrides.items()}
        offline()
        return record({"aiga:provider": "sim", **CLUSTER, **own}, "test")

    return go
