"""Mistakes at the command line's edge: one clear error, exit code not zero, nothing created."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from engine_world import STACK, World, everything

from simulator import cluster as simulation
from stacks.workdir import ROOT, WorkDir

SILENT = "https://127.0.0.1:9"
"""Where nothing listens."""
MISTAKES = {
    "an unknown key": ({"layer.flux": "false"}, ["aiga:layer", "layers"]),
    "a wrong type": ({"layers.flux": "17"}, ["aiga:layers.flux", "17"]),
    "an unknown provider": ({"provider": "azure"}, ["aiga:provider", "azure", "k3d"]),
    "a layer off that another needs": ({"layers.nats": "false"}, ["aiga:layers.nats", "knative"]),
}


@pytest.fixture(scope="module")
def running(world: World) -> World:
    simulation.up(world.home, progress=lambda _: None)
    return world


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_and_nothing_is_created(running: World, mistake: str) -> None:
    config, named = MISTAKES[mistake]
    earlier = set(everything(running.cluster))
    output = running.run("up", ok=False, **config)
    assert "Traceback" not in output
    assert [word for word in named if word not in output] == []
    assert set(everything(running.cluster)) == earlier


def test_a_vendored_chart_that_changed_is_refused(
    running: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from simulator import standins

    made = standins.build(tmp_path / "made", None)
    chart = tmp_path / "vendor" / "charts" / "nats-2.14.2"
    shutil.copytree(made / "charts" / "nats-2.14.2", chart)
    monkeypatch.setenv("AIGA_VENDOR", str(tmp_path / "vendor"))
    only = {f"layers.{layer}": "false" for layer in ("istio", "knative", "argo", "seldon", "monitoring", "flux")}
    running.run("preview", **only)
    (chart / "values.yaml").write_text("{}\n")
    earlier = set(everything(running.cluster))
    output = running.run("up", ok=False, **only)
    assert "nats-2.14.2" in output
    assert "digest" in output
    assert "Traceback" not in output
    assert set(everything(running.cluster)) == earlier


def test_an_unreachable_cluster_is_one_error(running: World, tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    aimed = yaml.safe_load((running.home / "kubeconfig").read_text())
    for cluster in aimed["clusters"]:
        cluster["cluster"]["server"] = SILENT
    kubeconfig.write_text(yaml.safe_dump(aimed))
    context = aimed["current-context"]
    output = refused(running, provider="on-prem", kubeconfig=str(kubeconfig), context=context)
    for part in (f"cluster {context} ({kubeconfig}) cannot be reached", SILENT, "nothing was created"):
        assert part in output


def test_a_kubeconfig_that_is_not_there_is_one_error(running: World) -> None:
    missing = "/nonexistent/kubeconfig"
    assert missing in refused(running, provider="on-prem", kubeconfig=missing, context="any")


def refused(running: World, **config: str) -> str:
    """What `up` says, after which neither the simulator nor the state holds anything new."""
    earlier = set(everything(running.cluster)), registered(running)
    output = running.run("up", ok=False, **config)
    assert "Traceback" not in output
    assert (set(everything(running.cluster)), registered(running)) == earlier
    return output


def registered(running: World) -> list[str]:
    state = WorkDir(STACK, ROOT, running.home.parent).state() or {}
    return [r["urn"] for r in state.get("resources") or []]
