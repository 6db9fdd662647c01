"""One simulator and one engine for all tests of the plugins; which plugins serve them is printed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import tools
from kube.cluster import Cluster
from simulator import Running
from simulator.provider import Plugins, bin_dir, serving
from simulator.testing import fresh
from tests.provider.provider_world import Stack, World


@pytest.fixture(scope="session")
def plugins() -> Plugins:
    """Which plugins the tests go through."""
    return serving(_pulumi_home())


@pytest.fixture(scope="session")
def sim() -> Iterator[Running]:
    with fresh() as running:
        yield running


@pytest.fixture(scope="session")
def cluster(sim: Running) -> Cluster:
    return Cluster.connect(str(sim.kubeconfig), sim.context)


@pytest.fixture(scope="session")
def path(plugins: Plugins) -> str:
    """PATH with the engine on it, and the stand-in plugins where they serve."""
    first = [str(tools.ensure(["pulumi"])["pulumi"].parent)]
    if plugins == "standin":
        first.insert(0, str(bin_dir()))
    return os.pathsep.join([*first, os.environ["PATH"]])


@pytest.fixture(scope="session")
def world(sim: Running, path: str, plugins: Plugins, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("backend")
    home = _pulumi_home() if plugins == "official" else tmp_path_factory.mktemp("pulumi")
    environment = {
        "PATH": path,
        "PULUMI_HOME": str(home),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "GOGC": "400",
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", path)  # the Automation API looks for the engine here
        yield World(folder, sim, environment)


@pytest.fixture
def stack(world: World, request: pytest.FixtureRequest) -> Stack:
    """A stack named after the test; what it leaves behind goes with the simulator."""
    return world.stack(request.node.name.replace("[", "-").replace("]", "")[:90])


@pytest.fixture(scope="session")
def namespace(cluster: Cluster) -> str:
    """A namespace that nobody deletes: that alone would take five seconds a test."""
    cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "trial"}}, manager="tests")
    return "trial"


def pytest_configure(config: pytest.Config) -> None:
    # a program that fails leaves a coroutine behind, which complains when it is collected
    ignored = "ignore:Exception ignored in.*coroutine object run_:pytest.PytestUnraisableExceptionWarning"
    config.addinivalue_line("filterwarnings", ignored)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if any("tests/provider/" in report.nodeid for report in terminalreporter.getreports("passed")):
        terminalreporter.write_line(f"kubernetes and random plugins: {serving(_pulumi_home())}")


def _pulumi_home() -> Path:
    return Path(os.environ.get("PULUMI_HOME") or "~/.pulumi").expanduser()
