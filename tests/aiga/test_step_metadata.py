"""`metadata.yaml`: what it holds, and that digests and commits say what changed."""

from __future__ import annotations

import hashlib
import subprocess
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import yaml
from step_world import TAG, World

from aiga.errors import UserError
from aiga.step.digest import digest
from aiga.step.git import Asked, Commit
from aiga.step.host import packages
from aiga.step.metadata import Metadata
from aiga.step.order import Limits, Order


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def _git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *identity, *words], cwd=folder, capture_output=True, text=True, check=True).stdout


def _commit(folder: Path) -> Commit | None:
    return Asked(folder).answer()


def test_it_tells_where_when_and_of_what_the_step_was_made(world: World) -> None:
    world.code("def step(data, model): model.write_bytes(data.read_bytes())")
    _git(world.source, "init", "-q")
    _git(world.source, "add", ".")
    _git(world.source, "commit", "-qm", "first")
    ran = world.run(inputs={"data": world.data()}, outputs={"model": "m"}, trial=3)
    told = ran.metadata
    assert (told.project, told.tag, told.step, told.trial, told.call) == ("iris", TAG, "train", 3, "steps:step")
    content = "sha256:" + hashlib.sha256(b"1,2\n").hexdigest()
    assert told.inputs == {"data": content} and told.outputs == {"model": {"file": "m", "digest": content}}
    assert told.git is not None and told.git["commit"] == _git(world.source, "rev-parse", "HEAD").strip()
    assert told.packages["pyyaml"] == yaml.__version__ and told.python.startswith("CPython 3.")
    assert told.host["cpus"] >= 1 and told.host["memory"] > 10**8 and told.host["name"]
    took = datetime.fromisoformat(told.ended) - datetime.fromisoformat(told.started)
    assert took.total_seconds() == pytest.approx(told.seconds, abs=0.5)
    assert datetime.fromisoformat(told.started).utcoffset() == timedelta(0)
    assert told.usage["peak_memory"] > 10**6
    assert [file.name for file in ran.order.work.glob(".*")] == [], "nothing half written is left"


def test_a_digest_the_runner_knows_is_not_computed_again(world: World) -> None:
    world.code("def step(data): pass")
    assert world.run(inputs={"data": world.data()}, digests={"data": "sha256:known"}).metadata.inputs == {
        "data": "sha256:known"
    }


def test_a_folders_digest_is_that_of_its_sorted_names_and_contents(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "b").mkdir(parents=True)
    (folder / "b/x.txt").write_text("1")
    (folder / "a.txt").write_text("2")
    lines = "".join(
        f"{name}\0{hashlib.sha256(text).hexdigest()}\n" for name, text in (("a.txt", b"2"), ("b/x.txt", b"1"))
    )
    assert digest(folder) == "sha256:" + hashlib.sha256(lines.encode()).hexdigest()
    (folder / "b/x.txt").rename(folder / "b/y.txt")
    assert digest(folder) != "sha256:" + hashlib.sha256(lines.encode()).hexdigest(), "names count"


def test_a_dirty_folder_has_a_digest_of_what_differs(tmp_path: Path) -> None:
    assert _commit(tmp_path) is None, "no repository"
    _git(tmp_path, "init", "-q")
    assert _commit(tmp_path) is None, "no commit yet"
    (tmp_path / "a").write_text("1")
    (tmp_path / ".gitignore").write_text("ignored\n")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "-qm", "first")
    clean = _commit(tmp_path)
    assert clean is not None and clean.dirty is None
    (tmp_path / "ignored").write_text("")
    (tmp_path / ".aiga").mkdir()
    (tmp_path / ".aiga/run").write_text("")
    (tmp_path / "part/__pycache__").mkdir(parents=True)
    (tmp_path / "part/__pycache__/steps.pyc").write_text("")
    assert _commit(tmp_path) == clean, "what is generated does not count"
    (tmp_path / "a").write_text("2")
    changed = _commit(tmp_path)
    (tmp_path / "new").write_text("")
    added = _commit(tmp_path)
    assert changed is not None and added is not None
    assert len({clean.dirty, changed.dirty, added.dirty}) == 3 and changed.commit == clean.commit


def test_it_reads_back_what_it_wrote_and_refuses_what_is_none(world: World) -> None:
    world.code("def step(): raise ValueError('naïve – 数据\\x00\\x1b')")
    told = world.run().metadata
    file = world.folder / "copy.yaml"
    told.write(file)
    assert Metadata.read(file) == told
    assert told.error is not None and told.error.message == "naïve – 数据\x00\x1b"
    for text in ("[]", "a: [", "tag: x"):
        file.write_text(text)
        with pytest.raises(UserError, match=r"copy\.yaml: is no metadata"):
            Metadata.read(file)


def test_packages_are_those_that_importlib_finds() -> None:
    from importlib.metadata import version

    found = packages()
    for name in ("numpy", "scikit-learn", "pyyaml", "typing-extensions"):
        assert found[name] == version(name)


def test_an_order_is_read_as_it_was_written(tmp_path: Path) -> None:
    order = Order(
        project="iris",
        run=TAG,
        step="train",
        call="train:train",
        source=tmp_path,
        work=tmp_path / "work",
        checkpoint=tmp_path / "checkpoint",
        inputs={"data": tmp_path / "data.csv"},
        outputs={"model": "m"},
        returns={"t": "number"},
        parameters={"rate": 1.0, "n": 1, "good": True, "name": "1"},
        limits=Limits(cpu=0.5, memory=10, timeout=1.5),
        secrets=("TOKEN",),
    )
    order.write(tmp_path / "order.json")
    read = Order.read(tmp_path / "order.json")
    assert read == order
    assert [type(each) for each in read.parameters.values()] == [float, int, bool, str]
