"""A simulator and a folder of generated files for each group of tests."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_world import World

IN_ORDER = {"test_platform", "test_bad_input", "test_faults"}
"""Modules whose tests stay together: they go on where the one before left off, or share a simulator."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.engine)
            if item.path.stem in IN_ORDER:
                item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with tempfile.TemporaryDirectory(prefix="aiga-") as folder:
        made = World(Path(folder))
        yield made
        made.stop()
