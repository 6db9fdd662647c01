"""Seldon Core stays at its last open-source release, whatever the lock is made to say."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pulumi
import pytest

from components import seldon
from components.upstream import lock
from stacks.recording import record


@pytest.mark.parametrize("version", ["1.17.1", "1.17.9", "1.16.0", "1.9.0", "0.5.1", "1.17.1-rc1"])
def test_the_last_open_source_release_and_older_ones_are_taken(version: str) -> None:
    seldon.check_licence(version)


@pytest.mark.parametrize("version", ["1.18.0", "1.18.2", "1.20.0", "1.100.0", "2.0.0", "2.9.1", "10.0.0"])
def test_a_later_one_is_refused_with_key_version_rule_and_remedy(version: str) -> None:
    with pytest.raises(pulumi.RunError) as error:
        seldon.check_licence(version)
    for part in (
        "upstream.lock.yaml: charts.seldon-core-operator.version",
        version,
        "Business Source License",
        "1.17.1",
    ):
        assert part in str(error.value)


def test_the_lock_is_at_the_last_open_source_release() -> None:
    seldon.check_licence(lock().charts[seldon.CHART].version)
    operator = {name: lock().images[name].ref for name in ("seldon-operator", "seldon-executor", "seldon-rclone")}
    assert all(ref.endswith(":1.17.1") for ref in operator.values()), operator


def test_only_tritons_image_needs_to_be_acknowledged() -> None:
    servers = {name: server for name, server in seldon._servers().items() if server}
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


PROGRAM = """
from components.context import Context
from components.seldon import Seldon, SeldonArgs
from components.upstream import Upstream

context = Context(stack="s", profile="laptop", upstream=Upstream())
args = SeldonArgs(models_gateway="a/b", request_log="http://b", store_endpoint="http://s", account=None, after=[])
Seldon("seldon", context, args)
"""


def test_the_layer_itself_refuses_before_anything_is_rendered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    later = dataclasses.replace(lock().charts[seldon.CHART], version="1.18.0")
    changed = dataclasses.replace(lock(), charts={**lock().charts, seldon.CHART: later})
    monkeypatch.setattr(seldon, "lock", lambda: changed)
    monkeypatch.setattr(
        seldon.chart, "render", lambda *_, **__: pytest.fail("rendered before the licence was looked at")
    )
    (tmp_path / "program.py").write_text(PROGRAM)
    with pytest.raises(pulumi.RunError, match="Business Source License"):
        record({}, "s", tmp_path / "program.py")
