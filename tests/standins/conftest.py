"""The stand-ins, built once, and what the real charts rendered to when the inventory was made."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from kube import charts
from simulator.standins import REMEDY, build, facts, render, true_definitions
from simulator.standins.table import table

HERE = Path(__file__).parent
CASES: dict[str, dict[str, dict[str, Any]]] = yaml.safe_load((HERE / "cases.yaml").read_text())
INVENTORY: dict[str, dict[str, dict[str, str]]] = yaml.safe_load((HERE / "inventory.yaml").read_text())

Objects = dict[str, dict[str, Any]]
Rendered = Callable[..., Objects]


@pytest.fixture(scope="session")
def true() -> Path:
    """The folder of true definitions."""
    folder = true_definitions()
    if folder is None:
        pytest.skip(REMEDY)
    return folder


@pytest.fixture(scope="session")
def standins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("built") / "standins", true_definitions())


@pytest.fixture(scope="session")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stand-ins of a machine that has no true definitions."""
    return build(tmp_path_factory.mktemp("opened") / "standins", None)


@pytest.fixture(scope="session")
def rendered(standins: Path) -> Rendered:
    """Objects by key of an entry, with the values of a case and more on top; from another folder when one is given."""

    known: dict[str, Objects] = {}

    def of(name: str, case: str = "laptop", more: dict[str, Any] | None = None, root: Path = standins) -> Objects:
        values = charts.merged(CASES.get(case, {}).get(name, {}), more or {})
        key = json.dumps([str(root), name, values, charts.API_VERSIONS], sort_keys=True)
        if key not in known:
            known[key] = {facts.key(o): o for o in render.objects(root, table(name), values)}
        return known[key]

    return of
