"""`make footprint` works where nothing was fetched and nothing is installed, and says what it rendered."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from program_world import offline

from components import upstream
from components.upstream import Upstream
from simulator import standins
from stacks import footprint


@pytest.fixture(autouse=True)
def _restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the command does to the environment ends with the test; helm is not on PATH when it begins."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("AIGA_VENDOR", os.environ.get("AIGA_VENDOR", ""))


@pytest.fixture
def fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A vendor folder with every entry: stand-ins play the real ones."""
    made = standins.build(tmp_path / "made", standins.true_definitions())
    monkeypatch.setenv("AIGA_VENDOR", str(made))
    return made


@pytest.mark.parametrize(
    ("broker", "there"), [("channel", False), ("native", True)], ids=["never-fetched", "native-and-fetching-failed"]
)
def test_a_clean_clone_gets_the_table_of_every_profile(
    broker: str, there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    vendor = tmp_path / "vendor"
    if there:
        (vendor / "charts").mkdir(parents=True)
    monkeypatch.setenv("AIGA_VENDOR", str(vendor))
    footprint.main({"aiga:broker": broker})
    printed = capsys.readouterr().out
    assert printed.startswith("rendered from: stand-in charts (simulated; `make vendor` fetches the real ones)\n")
    for part in ("laptop: ", "team: ", "prod: ", "knative-eventing"):
        assert part in printed
    assert printed.count("│ sum ") == 3


def test_real_charts_are_not_called_simulated(
    fetched: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(footprint, "sums", lambda *_: {})
    footprint.main()
    assert capsys.readouterr().out.startswith("rendered from: real charts\n")
    assert Upstream().vendor == fetched


def test_one_chart_that_could_not_be_fetched_is_stood_in_for(
    fetched: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(fetched / "charts" / "nats-2.14.2")
    monkeypatch.setattr(footprint, "sums", lambda *_: {})
    footprint.main()
    assert "real charts, stand-ins for nats-2.14.2 (simulated" in capsys.readouterr().out
    found = Upstream(mode="vendor")
    paths = [found.locate(entry).path.resolve() for entry in upstream.lock().charts.values()]
    assert len([path for path in paths if path.is_relative_to(fetched)]) == len(paths) - 1


def test_tests_find_every_chart_after_a_fetch_that_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "charts").mkdir()
    monkeypatch.setenv("AIGA_VENDOR", str(tmp_path))
    offline.__wrapped__()
    found = Upstream(mode="vendor")
    for entry in [*upstream.lock().charts.values(), *upstream.lock().manifests.values()]:
        assert found.locate(entry).path.exists()
