"""Two API servers, and for each test a stack and a namespace of its own."""

from __future__ import annotations

import gc
import itertools
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pulumi import automation as auto
from pulumi.automation._stack import StackInitMode

from kube.cluster import Cluster
from kube.refs import Ref
from simulator.testing import fresh
from tests.objects.objects_world import QuickStack, World, engine_environment

_numbers = itertools.count()


@pytest.fixture(scope="session")
def kubeconfig() -> Iterator[str]:
    with fresh(nodes=1) as running:
        yield str(running.kubeconfig)


@pytest.fixture(scope="session")
def other_kubeconfig() -> Iterator[str]:
    with fresh(nodes=1) as running:
        yield str(running.kubeconfig)


@pytest.fixture(scope="session")
def cluster(kubeconfig: str) -> Cluster:
    return Cluster.connect(kubeconfig)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("objects")


@pytest.fixture
def stacks(home: Path, kubeconfig: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[], auto.Stack]:
    """Makes stacks of the project, configured for the first cluster."""
    environment = engine_environment(home)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    (home / "pulumi").mkdir(exist_ok=True)

    def make() -> auto.Stack:
        name = f"test{next(_numbers)}"
        folder = home / name
        folder.mkdir()
        workspace = auto.LocalWorkspace(
            work_dir=str(folder),
            program=lambda: None,
            env_vars={**environment, "AIGA_MARK": name},
            project_settings=auto.ProjectSettings(name="aiga", runtime="python"),
        )
        stack = QuickStack(name, workspace, StackInitMode.CREATE)
        stack.set_config("aiga:kubeconfig", auto.ConfigValue(kubeconfig))
        return stack

    return make


@pytest.fixture
def world(stacks: Callable[[], auto.Stack], cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    stack = stacks()
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": stack.name}}
    cluster.apply(space, manager="test")
    monkeypatch.setattr(logging.getLogger("grpc._server"), "disabled", True)  # its records would keep failed runs alive
    yield World(stack, cluster, stack.name)
    cluster.delete(Ref.of(space))
    gc.collect()  # what a failed run leaves, cleared later, breaks a compile() that happens to be under way
