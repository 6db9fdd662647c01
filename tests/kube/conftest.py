"""One API server for all tests of kube that need the truth."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kube.cluster import Cluster
from tests.kube.apiserver import running


@pytest.fixture(scope="session")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("kube"), "kube-tests") as path:
        yield path


@pytest.fixture(scope="session")
def cluster(kubeconfig: str) -> Cluster:
    return Cluster.connect(kubeconfig)
