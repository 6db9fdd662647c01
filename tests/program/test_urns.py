"""The names of everything the program registers: renaming a resource replaces it on every running stack."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from program_world import recorded

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


@pytest.mark.parametrize("stack", ["dev", "prod", "sim"])
def test_urns_are_the_golden_ones(stack: str) -> None:
    urns = "".join(f"{r.urn}\n" for r in sorted(recorded(stack).resources, key=lambda r: r.urn))
    golden = GOLDEN / f"urns.{stack}.txt"
    if os.environ.get("AIGA_GOLDEN") == "write":
        golden.write_text(urns)
    assert golden.is_file(), "no golden file (make golden)"
    assert urns.splitlines() == golden.read_text().splitlines(), (
        "resources were added, removed or renamed: read the difference, then `make golden`"
    )


@pytest.mark.parametrize("stack", ["dev", "prod", "sim"])
def test_no_urn_is_registered_twice(stack: str) -> None:
    urns = [r.urn for r in recorded(stack).resources]
    assert len(urns) == len(set(urns)), sorted({u for u in urns if urns.count(u) > 1})
