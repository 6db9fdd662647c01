"""One API server for all tests of kube that need the truth."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kube.cluster import Cluster
from simulator import Running
from simulator.testing import fresh


@pytest.fixture(scope="session")
def sim() -> Iterator[Running]:
    with fresh(nodes=1) as running:
        yield running


@pytest.fixture(scope="session")
def kubeconfig(sim: Running) -> str:
    return str(sim.kubeconfig)


@pytest.fixture(scope="session")
def cluster(kubeconfig: str) -> Cluster:
    return Cluster.connect(kubeconfig)
