"""Runs the whole program against mocks, once per stack, with charts that need no network."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import yaml

from simulator import standins
from stacks import footprint
from stacks.recording import Recording, record

ROOT = Path(__file__).resolve().parents[2]
CLUSTER = {"aiga:kubeconfig": "none", "aiga:context": "none"}


@cache
def crds() -> Path | None:
    """The folder of the true CRD schemas."""
    return standins.true_definitions()


@cache
def offline() -> None:
    """Lets the program find its charts with no network: those in vendor/, and stand-ins for the others."""
    footprint.charts()


def configuration(stack: str) -> dict[str, str]:
    """A committed stack file as the engine would pass it on."""
    raw = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in raw.items()}


@cache
def recorded(stack: str) -> Recording:
    offline()
    return record({**configuration(stack), **CLUSTER, "aiga:allowUnverified": "true"}, stack)
