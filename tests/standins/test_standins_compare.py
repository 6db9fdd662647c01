"""The comparison with the real charts sees what differs; here a changed copy of a stand-in plays the real chart."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import CASES

from simulator.standins.__main__ import main
from simulator.standins.compare import Comparison, compare
from simulator.standins.table import table

Changed = Callable[[str, str], Comparison]


@pytest.fixture
def changed(standins: Path, tmp_path: Path) -> Changed:
    """Compares NATS with a copy of itself in which one text stands for another."""

    def comparison(old: str, new: str) -> Comparison:
        shutil.copytree(standins / "charts" / "nats-2.14.2", tmp_path / "charts" / "nats-2.14.2")
        template = tmp_path / "charts" / "nats-2.14.2" / "templates" / "objects.yaml"
        assert old in template.read_text()
        template.write_text(template.read_text().replace(old, new))
        return compare(tmp_path, standins, (table("nats"), "laptop", CASES["laptop"]["nats"]))

    return comparison


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("containerPort: 4222", "containerPort: 4223", "containers.nats.ports.4222/TCP"),
        ("name: prom-exporter", "name: exporter", "containers.exporter"),
        ("podManagementPolicy: Parallel", "podManagementPolicy: OrderedReady", "podManagementPolicy"),
        ("terminationGracePeriodSeconds: 60", "terminationGracePeriodSeconds: 61", "pod.terminationGracePeriodSeconds"),
        ("port: prom-metrics", "port: metrics", "podMetricsEndpoints"),
    ],
)
def test_a_difference_is_reported_at_its_place(changed: Changed, old: str, new: str, place: str) -> None:
    found = changed(old, new)
    assert (found.missing, found.extra) == ([], [])
    assert any(f": {place}: upstream" in line for line in found.differing), found.differing


def test_an_object_of_another_kind_is_missing_here_and_one_too_many_there(changed: Changed) -> None:
    found = changed("kind: PodMonitor", "kind: ServiceMonitor")
    assert found.undeclared == ["ServiceMonitor/-/nats"]
    assert found.extra == ["PodMonitor/-/nats"]


def test_equal_charts_have_no_difference(changed: Changed) -> None:
    found = changed("kind: PodMonitor", "kind: PodMonitor")
    assert (found.missing, found.extra, found.differing) == ([], [], [])


def test_without_real_charts_the_command_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "--vendor", str(tmp_path)]) == 2
    assert "holds no real charts to compare with (`make vendor` fetches them)" in capsys.readouterr().err


def test_the_command_writes_the_standins(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "out")
    assert (tmp_path / "out" / "charts" / "nats-2.14.2" / "Chart.yaml").is_file()
