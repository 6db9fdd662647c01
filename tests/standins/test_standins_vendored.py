"""What `vendor/` holds is used, what it lacks is stood in for, and its CRDs are taken out of it whole or not at all."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path

import pytest
import yaml

from kube.yaml import load_all
from simulator.standins import __main__ as command
from simulator.standins import build, completed, label, missing, render
from simulator.standins.crds import Known
from simulator.standins.table import table, tables

NATS, KNATIVE = table("nats"), table("knative-eventing")
STEMS = {t.stem for t in tables()}


@pytest.fixture
def home(tmp_path: Path, opened: Path) -> Path:
    """A folder of generated files that has the stand-ins already."""
    shutil.copytree(opened, tmp_path / "home" / "standins")
    return tmp_path / "home"


@pytest.fixture
def vendor(tmp_path: Path, opened: Path) -> Path:
    """A folder with every entry; stand-ins play the real ones."""
    return shutil.copytree(opened, tmp_path / "vendor")


def entries(folder: Path) -> set[str]:
    return {p.name.removesuffix(".yaml").removesuffix(".tgz") for kind in ("charts", "manifests")
            for p in (folder / kind).iterdir()}  # fmt: skip


def archived(chart: Path) -> None:
    """The form in which `make vendor` fetches a chart."""
    with tarfile.open(chart.with_name(f"{chart.name}.tgz"), "w:gz") as archive:
        archive.add(chart, chart.name.rpartition("-")[0])
    shutil.rmtree(chart)


@pytest.mark.parametrize("there", [(), ("charts",), ("charts", "manifests")], ids=["nothing", "charts", "both"])
def test_empty_folders_in_vendor_are_no_charts(home: Path, tmp_path: Path, there: tuple[str, ...]) -> None:
    vendor = tmp_path / "vendor"
    for name in there:
        (vendor / name).mkdir(parents=True)
    assert {t.stem for t in missing(vendor)} == STEMS
    assert completed(home, vendor) == home / "standins"


def test_a_vendor_that_has_everything_is_used_as_it_is(home: Path, vendor: Path) -> None:
    assert missing(vendor) == []
    assert completed(home, vendor) == vendor


def test_what_a_part_of_vendor_has_is_used_and_the_rest_stood_in_for(home: Path, tmp_path: Path, opened: Path) -> None:
    vendor = tmp_path / "vendor"
    shutil.copytree(opened / "charts" / NATS.stem, vendor / "charts" / NATS.stem)
    (vendor / "digests.yaml").write_text(f"charts/{NATS.stem}: of-the-real-one\n")
    assert {t.stem for t in missing(vendor)} == STEMS - {NATS.stem}
    whole = completed(home, vendor)
    assert entries(whole) == STEMS
    assert (whole / "charts" / NATS.stem).resolve() == vendor / "charts" / NATS.stem
    assert (whole / "manifests" / f"{KNATIVE.stem}.yaml").resolve().is_relative_to(home / "standins")
    assert yaml.safe_load((whole / "digests.yaml").read_text()) == {f"charts/{NATS.stem}": "of-the-real-one"}, (
        "a real chart that changed since its first use is refused here too"
    )
    assert render.objects(whole, NATS, {})


def test_the_set_is_made_anew_when_more_has_been_fetched(home: Path, tmp_path: Path, opened: Path) -> None:
    vendor = tmp_path / "vendor"
    shutil.copytree(opened / "charts" / NATS.stem, vendor / "charts" / NATS.stem)
    whole = completed(home, vendor)
    (whole / "digests.yaml").write_text("charts/x: recorded since\n")
    completed(home, vendor)
    assert "recorded since" in (whole / "digests.yaml").read_text(), "nothing has changed"
    shutil.copytree(opened / "charts" / "base-1.30.3", vendor / "charts" / "base-1.30.3")
    completed(home, vendor)
    assert (whole / "charts" / "base-1.30.3").resolve().is_relative_to(vendor)


def test_a_label_says_what_is_real(tmp_path: Path, vendor: Path) -> None:
    assert label(vendor) == "real charts"
    (tmp_path / "empty" / "charts").mkdir(parents=True)
    assert label(tmp_path / "empty") == "stand-in charts"
    shutil.rmtree(vendor / "charts" / NATS.stem)
    (vendor / "manifests" / f"{KNATIVE.stem}.yaml").unlink()
    assert label(vendor) == f"real charts, stand-ins for {KNATIVE.stem}, {NATS.stem}"


def test_an_archive_is_a_chart_too(vendor: Path) -> None:
    archived(vendor / "charts" / NATS.stem)
    assert missing(vendor) == []
    assert {o["kind"] for o in render.objects(vendor, NATS, {})} >= {"StatefulSet", "Service"}


def test_the_definitions_of_vendor_make_true_stand_ins(
    vendor: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archived(vendor / "charts" / "base-1.30.3")
    assert command.main(["definitions", "--vendor", str(vendor)]) == 0
    assert "CRDs of 9 sources" in capsys.readouterr().out
    known = Known(vendor / "crds")
    for entry in tables():
        for group in entry.crds:
            assert set(group["kinds"]) == set(known.specs(group["source"], set(group["kinds"]))), entry.name
    made = build(tmp_path / "again", vendor / "crds")
    files = [*made.rglob("crds/*.json"), *made.rglob("crds/*.yaml")]
    found = [json.loads(file.read_text())["metadata"]["annotations"]["aiga.dev/schema"] for file in files]
    assert len(found) >= 50
    assert set(found) == {"true", "minimal"}, "minimal are those that upstream installs so"


def test_definitions_are_schemas_alone(vendor: Path) -> None:
    command.main(["definitions", "--vendor", str(vendor)])
    found = [o for file in (vendor / "crds").glob("*.yaml") for o in load_all(file.read_text())]
    assert {frozenset(o["metadata"]) for o in found} == {frozenset({"name"})}
    assert [o["metadata"]["name"] for o in found if "conversion" in o["spec"]] == []


def test_half_a_vendor_gives_no_definitions_and_says_what_it_lacks(
    vendor: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(vendor / "charts" / "base-1.30.3")
    assert command.main(["definitions", "--vendor", str(vendor)]) == 2
    assert f"{vendor} has no base-1.30.3 (`make vendor`)" in capsys.readouterr().err
    assert not (vendor / "crds").exists()


def test_a_chart_without_the_definitions_it_should_bring_is_refused(
    vendor: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (vendor / "charts" / "sealed-secrets-2.19.1" / "crds" / "sealedsecrets.bitnami.com.yaml").unlink()
    assert command.main(["definitions", "--vendor", str(vendor)]) == 2
    assert "no chart brings sealedsecrets.bitnami.com" in capsys.readouterr().err
    assert not (vendor / "crds").exists()
