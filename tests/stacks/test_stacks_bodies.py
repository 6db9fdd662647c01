"""Bodies of objects that no state refers to are pruned, and none that one may still need."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stacks import bodies
from stacks.workdir import WorkDir

OLD, MINE, OTHERS = ("a" * 32, "b" * 32, "c" * 32)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIGA_HOME", str(tmp_path))
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    (tmp_path / "Pulumi.yaml").write_text("name: aiga\nruntime: python\n")
    folder = tmp_path / ".aiga" / "objects"
    folder.mkdir(parents=True)
    for name in (OLD, MINE, OTHERS):
        (folder / name).write_text("{}")
    return tmp_path


def stack(home: Path, name: str, digest: str) -> WorkDir:
    (home / f"Pulumi.{name}.yaml").write_text("config: {}\n")
    work = WorkDir(name, home, home / ".aiga")
    with work.alone():
        pass
    assert work.state_file is not None
    work.state_file.parent.mkdir(parents=True)
    held = {"resources": [{"outputs": {"objects": {"CustomResourceDefinition//x": f"sha256:{digest} (edited)"}}}]}
    work.state_file.write_text(json.dumps({"checkpoint": {"latest": held}}))
    return work


def left(home: Path) -> set[str]:
    return {file.name for file in (home / ".aiga" / "objects").iterdir()}


def test_what_no_state_refers_to_goes(home: Path) -> None:
    mine, _ = stack(home, "one", MINE), stack(home, "two", OTHERS)
    with mine.alone():
        assert bodies.prune(mine) == 1
    assert left(home) == {MINE, OTHERS}


def test_nothing_goes_while_another_stack_is_at_work(home: Path) -> None:
    mine, other = stack(home, "one", MINE), stack(home, "two", OTHERS)
    with other.alone():
        assert bodies.prune(mine) == 0
    assert left(home) == {OLD, MINE, OTHERS}


def test_nothing_goes_where_a_state_cannot_be_read_here(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, _ = stack(home, "one", MINE), stack(home, "two", OTHERS)
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://bucket")
    assert bodies.prune(mine) == 0
    monkeypatch.delenv("PULUMI_BACKEND_URL")
    (home / "Pulumi.two.yaml").unlink()
    assert bodies.prune(mine) == 0
    assert left(home) == {OLD, MINE, OTHERS}


def test_the_bodies_of_another_folder_are_left_alone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = stack(home, "one", MINE)
    monkeypatch.setenv("AIGA_HOME", str(home / "elsewhere"))
    assert bodies.prune(mine) == 0
    assert left(home) == {OLD, MINE, OTHERS}
