"""Runs the whole program against mocks, once per stack, with charts that need no network."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path

import yaml

import tools
from simulator import standins
from stacks.recording import Recording, record

ROOT = Path(__file__).resolve().parents[2]
CLUSTER = {"aiga:kubeconfig": "none", "aiga:context": "none"}


@cache
def crds() -> Path | None:
    """The folder of the true CRD schemas: $AIGA_CRDS, the shared one beside the project, or vendor's."""
    places = [os.environ.get("AIGA_CRDS"), ROOT.parent / "shared" / "crds", ROOT / "vendor" / "crds"]
    return next((Path(place) for place in places if place and Path(place).is_dir()), None)


@cache
def offline() -> None:
    """Lets the program find its charts with no network: in vendor/, else the stand-ins as if they were vendored."""
    os.environ["PATH"] = f"{tools.ensure(['helm'])['helm'].parent}{os.pathsep}{os.environ['PATH']}"
    if not (ROOT / "vendor" / "charts").is_dir():
        os.environ["AIGA_VENDOR"] = str(standins.build(ROOT / ".aiga" / "standins", crds()))


def configuration(stack: str) -> dict[str, str]:
    """A committed stack file as the engine would pass it on."""
    raw = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in raw.items()}


@cache
def recorded(stack: str) -> Recording:
    offline()
    return record({**configuration(stack), **CLUSTER, "aiga:allowUnverified": "true"}, stack)
