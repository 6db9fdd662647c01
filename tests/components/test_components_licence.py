"""Seldon Core stays at its last open-source release, whatever the lock is made to say."""

from __future__ import annotations

import pulumi
import pytest

from components import seldon
from components.upstream import lock


@pytest.mark.parametrize("version", ["1.17.1", "1.17.9", "1.16.0", "1.9.0", "0.5.1", "1.17.1-rc1"])
def test_the_last_open_source_release_and_older_ones_are_taken(version: str) -> None:
    seldon.check_licence(version)


@pytest.mark.parametrize("version", ["1.18.0", "1.18.2", "1.20.0", "1.100.0", "2.0.0", "2.9.1", "10.0.0"])
def test_a_later_one_is_refused_with_key_version_rule_and_remedy(version: str) -> None:
    with pytest.raises(pulumi.RunError) as error:
        seldon.check_licence(version)
    for part in ("upstream.lock.yaml: charts.seldon-core-operator.version", version, "Business Source License", "1.17.1"):
        assert part in str(error.value)


def test_the_lock_is_at_the_last_open_source_release() -> None:
    seldon.check_licence(lock().charts[seldon.CHART].version)
    operator = {name: lock().images[name].ref for name in ("seldon-operator", "seldon-executor", "seldon-rclone")}
    assert all(ref.endswith(":1.17.1") for ref in operator.values()), operator


def test_only_tritons_image_needs_to_be_acknowledged() -> None:
    servers = seldon._servers()
    assert set(servers) == {
        "MLFLOW_SERVER",
        "SKLEARN_SERVER",
        "XGBOOST_SERVER",
        "TENSORFLOW_SERVER",
        "TRITON_SERVER",
    }
    acknowledged = {image.repository for image in lock().images.values() if image.acknowledge}
    used = {p["image"] for server in servers.values() for p in server["protocols"].values()}
    assert used & acknowledged == {servers["TRITON_SERVER"]["protocols"]["v2"]["image"]}
