"""Mistakes at the command line's edge: one clear error, exit code not zero, nothing created."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from engine_world import STACK, World, everything

from simulator import cluster as simulation

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
    kubeconfig.write_text(
        (running.home / "kubeconfig").read_text().replace("https://127.0.0.1:", "https://127.0.0.1:1"[:-1])
    )
    output = running.run(
        "up", ok=False, provider="on-prem", kubeconfig="/nonexistent/kubeconfig", context=f"kwok-{STACK}"
    )
    assert "/nonexistent/kubeconfig" in output
    assert "Traceback" not in output
