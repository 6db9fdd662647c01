"""Building the folder of stand-ins: the same bytes, whole or not at all, and only when something changed."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
import yaml

from kube import charts
from simulator.standins import LOCK, StandinError, build, output, true_definitions

ROOT = Path(__file__).resolve().parents[2]
DEFINITION = """apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: sealedsecrets.bitnami.com
spec:
  group: bitnami.com
  names: {kind: SealedSecret, plural: sealedsecrets}
  scope: Namespaced
  versions: [{name: v1alpha1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, description: ONE}}}]
"""


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_two_builds_have_the_same_bytes(standins: Path, tmp_path: Path) -> None:
    again = build(tmp_path / "again", true_definitions())
    assert contents(again) == contents(standins)


def test_a_build_of_the_same_inputs_is_used_again(tmp_path: Path) -> None:
    out = build(tmp_path / "out", None)
    before = out.stat().st_ino
    assert build(out, None).stat().st_ino == before, "rebuilt although nothing changed"


def test_a_changed_definition_is_built_anew(tmp_path: Path) -> None:
    crds = tmp_path / "crds"
    crds.mkdir()
    file = crds / "sealed-secrets-1.yaml"
    file.write_text(DEFINITION)
    out = build(tmp_path / "out", crds)
    chart = out / "charts" / "sealed-secrets-2.19.1" / "crds" / "sealedsecrets.bitnami.com.yaml"
    assert "ONE" in chart.read_text()
    file.write_text(DEFINITION.replace("ONE", "TWO"))
    assert "TWO" in (build(out, crds) / chart.relative_to(out)).read_text()


def test_a_build_that_fails_leaves_the_former_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = build(tmp_path / "out", None)
    before = contents(out)

    def half(folder: Path, crds: Path | None) -> None:
        (folder / "charts").mkdir(parents=True)
        raise KeyboardInterrupt

    (out / ".inputs.sha256").write_text("of older inputs")
    with monkeypatch.context() as patch:
        patch.setattr(output, "write", half)
        with pytest.raises(KeyboardInterrupt):
            build(out, None)
    assert contents(out) == {**before, ".inputs.sha256": b"of older inputs"}
    assert contents(build(out, None)) == before, "what the failed build left behind got in the way"


def test_a_build_killed_between_its_renames_is_made_good(tmp_path: Path) -> None:
    out = build(tmp_path / "out", None)
    before = contents(out)
    out.rename(tmp_path / "out.old")
    assert contents(build(out, None)) == before
    assert not (tmp_path / "out.old").exists()


def test_builders_at_the_same_time_end_with_one_whole_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    builders = [threading.Thread(target=build, args=(out, None)) for _ in range(4)]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join()
    assert contents(out) == contents(build(tmp_path / "alone", None))


def test_building_takes_less_than_three_seconds_of_a_processor(tmp_path: Path) -> None:
    started = time.thread_time()
    build(tmp_path / "out", true_definitions())
    assert time.thread_time() - started < 3


def test_a_folder_of_definitions_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StandinError, match=r"no such folder of custom resource definitions \(unset AIGA_CRDS"):
        build(tmp_path / "out", tmp_path / "nowhere")
    assert not (tmp_path / "out").exists()


def test_a_wrong_name_in_the_environment_is_not_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIGA_CRDS", str(tmp_path / "nowhere"))
    with pytest.raises(StandinError, match="nowhere"):
        build(tmp_path / "out", true_definitions())


def test_the_lock_has_the_digest_of_every_entry(standins: Path) -> None:
    lock = yaml.safe_load((standins / LOCK).read_text())
    found = {p.name: charts.tree_digest(p) for p in (standins / "charts").iterdir()}
    manifests = {p.stem: charts.file_digest(p) for p in (standins / "manifests").iterdir()}
    assert lock == {**found, **manifests}


def test_a_digest_changes_with_any_file(tmp_path: Path) -> None:
    chart = build(tmp_path / "out", None) / "charts" / "nats-2.14.2"
    before = charts.tree_digest(chart)
    values = chart / "values.yaml"
    values.write_text(values.read_text() + "\n")
    assert charts.tree_digest(chart) != before


def test_every_upstream_entry_has_a_standin_of_its_version(standins: Path) -> None:
    upstream = yaml.safe_load((ROOT / "components" / "upstream.lock.yaml").read_text())
    entries = {
        f"{name}-{entry['version']}" for part in ("charts", "manifests") for name, entry in upstream[part].items()
    }
    assert entries == set(yaml.safe_load((standins / LOCK).read_text()))
