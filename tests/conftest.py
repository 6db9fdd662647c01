"""How tests are shared out to processes."""

from __future__ import annotations

import pytest

SPREAD = {"test_kills"}
"""Modules whose tests need nothing of each other, and take long: each may run anywhere."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keeps the tests of one module together: they share a simulator, or go on where the one before left off."""
    for item in items:
        if item.path.stem not in SPREAD:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
