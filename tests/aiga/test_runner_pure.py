"""The runner's decisions: what depends on what, what changed, in which order things are done."""

from __future__ import annotations

import io
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from aiga.runner import code, fingerprint, layout, schedule
from aiga.runner.fingerprint import Fingerprint
from aiga.runner.screen import Screen


def test_tags_sort_by_time() -> None:
    tags = [layout.new_tag(datetime(2026, month, 1, 12, tzinfo=UTC)) for month in (2, 10, 11)]
    assert tags == sorted(tags)
    assert all(layout.TAG.fullmatch(tag) for tag in tags)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "lib").mkdir()
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
            ["a.py", "b.py", "c.py", "lib/__init__.py", "lib/deep.py", "lib/other.py", "run.sh"],
        ),
    ],
)
def test_a_step_depends_on_the_files_that_it_leads_to(project: Path, call: str, files: list[str]) -> None:
    assert [f.relative_to(project).as_posix() for f in code.of_step(project, call)] == files


def test_modules_that_import_each_other_are_followed_once(project: Path) -> None:
    (project / "a.py").write_text("import b\n")
    (project / "b.py").write_text("import a\n")
    assert [f.name for f in code.of_step(project, "a:f")] == ["a.py", "b.py"]


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
