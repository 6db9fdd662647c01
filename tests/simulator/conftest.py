"""One simulator for all tests that do not break it, and a namespace for each."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from kube.cluster import Cluster
from kube.refs import Ref
from simulator import Running
from simulator.testing import eventually, fresh

_numbers = itertools.count()


@pytest.fixture(scope="session")
def sim() -> Iterator[Running]:
    with fresh() as running:
        yield running


@pytest.fixture(scope="session")
def cluster(sim: Running) -> Cluster:
    return Cluster.connect(str(sim.kubeconfig))


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    name = f"try-{next(_numbers)}"
    cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, manager="test")
    account = Ref("v1", "ServiceAccount", name, "default")
    eventually(lambda: cluster.get(account), f"{account}: made by the controller")
    yield name
    cluster.delete(Ref("v1", "Namespace", None, name))
