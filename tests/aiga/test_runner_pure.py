"""The runner's decisions: what depends on what, what changed, in which order things are done."""

from __future__ import annotations

import io
import os
import subprocess
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from aiga.runner import code, fingerprint, layout, schedule, snapshot
from aiga.runner.fingerprint import Fingerprint
from aiga.runner.place import Place
from aiga.runner.screen import Screen
from aiga.runner.snapshot import Source
from aiga.spec import Project, load
from aiga.store import open_store


def test_tags_sort_by_time() -> None:
    tags = [layout.new_tag(datetime(2026, month, 1, 12, tzinfo=UTC)) for month in (2, 10, 11)]
    assert tags == sorted(tags)
    assert all(layout.TAG.fullmatch(tag) for tag in tags)


NOTHING = Project.model_validate({"apiVersion": "aiga.dev/v1", "name": "line"})


@pytest.fixture
def project(tmp_path: Path) -> Path:
    tmp_path = tmp_path / "project"
    (tmp_path / "lib").mkdir(parents=True)
    (tmp_path / "lib" / "__init__.py").write_text("")
    (tmp_path / "lib" / "deep.py").write_text("from .other import x\n")
    (tmp_path / "lib" / "other.py").write_text("import json\nx = 1\n")
    (tmp_path / "a.py").write_text("from lib.deep import x\nimport os\n")
    (tmp_path / "b.py").write_text("import lib\n")
    (tmp_path / "c.py").write_text("from lib import other\nimport a\n")
    (tmp_path / "run.sh").write_text("echo\n")
    (tmp_path / "data.bin").write_bytes(b"0" * 10)
    return tmp_path


@pytest.mark.parametrize(
    ("call", "files"),
    [
        ("a:f", ["a.py", "lib/__init__.py", "lib/deep.py", "lib/other.py"]),
        ("b:f", ["b.py", "lib/__init__.py"]),
        ("c:f", ["a.py", "c.py", "lib/__init__.py", "lib/deep.py", "lib/other.py"]),
        ("python b.py --fast", ["b.py", "lib/__init__.py"]),
        ("./run.sh", ["run.sh"]),
        (
            "make all",
            ["a.py", "b.py", "c.py", "data.bin", "lib/__init__.py", "lib/deep.py", "lib/other.py", "run.sh"],
        ),
    ],
)
def test_a_step_depends_on_the_files_that_it_leads_to(project: Path, call: str, files: list[str]) -> None:
    assert [f.relative_to(project).as_posix() for f in code.of_step(NOTHING, project, call)] == files


def kept(project: Path, file: str = "{apiVersion: aiga.dev/v1, name: line}") -> Source:
    (project / "project.yaml").write_text(file)
    return Source.of(load(project).project, project)


SOURCES = """
apiVersion: aiga.dev/v1
name: line
sources: {rows: {kind: files, path: rows.csv}, parts: {kind: files, path: "parts/*.csv"}}
etl: [{name: own, run: "./tool big.bin {inputs.rows}", in: [rows]}]
"""


def git(project: Path, *words: str) -> None:
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *words], cwd=project, check=True)


@pytest.mark.parametrize("tracked", [False, True], ids=["without Git", "with Git"])
def test_the_source_is_everything_but_data_and_what_is_ignored(
    project: Path, tracked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code, "LARGEST", 50)
    own = {name for name in kept(project).files if name != "project.yaml"}
    for name in ("train.R", "Makefile", "page.j2", "params.ini", "a note.ipynb", "table.csv", "tool"):
        (project / name).write_text("x")
    for name in ("rows.csv", "parts/1.csv", ".venv/lib.py", "env/pyvenv.cfg", "env/lib.py", "out/.store/x", "out/y"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("x")
    (project / "big.bin").write_bytes(bytes(60))
    (project / "large.txt").write_bytes(bytes(60))
    if tracked:
        (project / ".gitignore").write_text(".venv\nignored.txt\n")
        (project / "ignored.txt").write_text("x")
        (project / "tracked.txt").write_bytes(bytes(60))
        git(project, "init", "-q")
        git(project, "add", "tracked.txt")
    found = kept(project, SOURCES)
    more = {"train.R", "Makefile", "page.j2", "params.ini", "a note.ipynb", "table.csv", "tool", "project.yaml"}
    expected = own | more | {"big.bin"} | ({".gitignore", "tracked.txt"} if tracked else set())
    assert set(found.files) == expected, "big.bin is named by a step"
    assert list(found.left_out) == ["large.txt"]


def test_a_name_that_no_store_can_hold_is_left_out_and_told(project: Path) -> None:
    (project / "two\nlines.txt").write_text("x")
    found = kept(project)
    assert "two\nlines.txt" not in found.files
    assert "cannot be one in a store" in found.left_out["two\nlines.txt"]


def test_source_is_had_back_as_it_was_and_scripts_can_be_run(project: Path, tmp_path: Path) -> None:
    (project / "run.sh").write_text("#!/bin/sh\necho\n")
    found = kept(project)
    there = Place("line", tmp_path / "home", open_store(str(tmp_path / "store")))
    found.keep(there)
    snapshot.restore(there, found.digest, tmp_path / "restored")
    assert Source.of(load(project).project, tmp_path / "restored").digest == found.digest
    assert os.access(tmp_path / "restored" / "run.sh", os.X_OK)


def test_modules_that_import_each_other_are_followed_once(project: Path) -> None:
    (project / "a.py").write_text("import b\n")
    (project / "b.py").write_text("import a\n")
    assert [f.name for f in code.of_step(NOTHING, project, "a:f")] == ["a.py", "b.py"]


def printed(**parts: str) -> Fingerprint:
    return Fingerprint({key.replace("_", " "): value for key, value in parts.items()})


@pytest.mark.parametrize(
    ("now", "last", "reason"),
    [
        (printed(call="f"), None, "it never ran before"),
        (printed(parameter_rate="0.2"), printed(parameter_rate="0.1"), "parameter rate 0.1 → 0.2"),
        (printed(input_train="b"), printed(input_train="a"), "input train changed"),
        (printed(code_x="1"), printed(), "code x is new"),
        (printed(), printed(code_x="1"), "code x is gone"),
        (printed(call="f"), printed(call="f"), "its last result is not in the store"),
        (
            printed(a="2", b="2", c="2", d="2"),
            printed(a="1", b="1", c="1", d="1"),
            "a changed, b changed, c changed and 1 more",
        ),
    ],
)
def test_why_a_step_runs_is_told(now: Fingerprint, last: Fingerprint | None, reason: str) -> None:
    assert fingerprint.why(now, last) == reason


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=5)), st.text(max_size=5), st.text(max_size=5))
def test_any_change_of_a_part_changes_the_key(parts: dict[str, str], name: str, value: str) -> None:
    same = Fingerprint(dict(reversed(parts.items())))
    assert Fingerprint(parts).key == same.key
    assert (Fingerprint({**parts, name: value}).key == same.key) == (parts.get(name) == value)


def done_in(
    needs: dict[str, list[str]], failing: set[str] = frozenset(), parallel: int = 4
) -> tuple[list[str], schedule.Outcome]:  # type: ignore[assignment]  # frozen is a set too
    order: list[str] = []

    def do(task: str) -> None:
        order.append(task)
        if task in failing:
            raise ValueError(task)

    return order, schedule.run(needs, do, parallel=parallel, stop=threading.Event())


@given(st.integers(1, 12), st.data())
def test_every_task_is_done_once_and_after_what_it_needs(count: int, data: st.DataObject) -> None:
    names = [str(n) for n in range(count)]
    needs = {n: data.draw(st.lists(st.sampled_from(names[:i]), unique=True)) if i else [] for i, n in enumerate(names)}
    order, outcome = done_in(needs)
    assert sorted(order) == sorted(names)
    assert all(order.index(before) < order.index(task) for task in names for before in needs[task])
    assert set(outcome.done) == set(names)


def test_one_that_fails_stops_only_what_depends_on_it() -> None:
    needs = {"a": [], "b": ["a"], "c": ["b"], "d": [], "e": ["d"], "f": ["c", "e"]}
    order, outcome = done_in(needs, {"b"})
    assert set(order) == {"a", "b", "d", "e"}
    assert set(outcome.failed) == {"b"}
    assert outcome.skipped == {"c": "b", "f": "b"}


def test_tasks_that_need_nothing_of_each_other_are_done_side_by_side() -> None:
    together = threading.Barrier(3, timeout=10)
    outcome = schedule.run(
        dict.fromkeys("abc", ()), lambda _: together.wait() and None, parallel=3, stop=threading.Event()
    )
    assert sorted(outcome.done) == ["a", "b", "c"]


def test_an_interrupt_tells_the_tasks_to_stop() -> None:
    stop = threading.Event()

    def do(task: str) -> None:
        if task == "b":
            raise KeyboardInterrupt
        assert stop.wait(10)

    since = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        schedule.run({"a": [], "b": []}, do, parallel=2, stop=stop)
    assert time.monotonic() - since < 5


def test_a_transfer_is_told_now_and_then_and_below_the_table_of_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiga.runner.screen.SELDOM", 0.0)
    for terminal in (True, False):
        out = io.StringIO()
        screen = Screen(Console(file=out, force_terminal=terminal, width=100))
        with screen:
            advance = screen.transfer("model.onnx")
            advance(500_000_000, 1_000_000_000)
            time.sleep(0.3 if terminal else 0)
            advance(1_000_000_000, 1_000_000_000)
        assert "model.onnx: 500 of 1000 MB" in out.getvalue()
