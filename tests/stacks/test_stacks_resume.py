"""What a kill left is found, and a process that still lives is never disturbed."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stacks import processes, resume
from stacks.errors import UserError
from stacks.workdir import WorkDir

SLEEPS = "import time; time.sleep(60)"
Starts = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WorkDir:
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    (tmp_path / "Pulumi.yaml").write_text("name: aiga\nruntime: python\n")
    (tmp_path / "Pulumi.one.yaml").write_text("config: {}\n")
    made = WorkDir("one", tmp_path, tmp_path / ".aiga")
    made.folder.mkdir(parents=True)
    return made


@pytest.fixture
def start() -> Iterator[Starts]:
    """Start a process whose command line holds the given words, as an engine's or a plugin's does."""
    started: list[subprocess.Popen[bytes]] = []

    def run(*words: str, **environment: str) -> subprocess.Popen[bytes]:
        child = subprocess.Popen([sys.executable, "-c", SLEEPS, *words], env={**os.environ, **environment})
        started.append(child)
        return child

    yield run
    for child in started:
        child.kill()
        child.wait()


def lock(work: WorkDir, pid: int, host: str | None = None) -> Path:
    assert work.file_backend is not None
    folder = work.file_backend / "locks" / "organization" / "aiga" / work.stack
    folder.mkdir(parents=True, exist_ok=True)
    held = {
        "pid": pid,
        "username": "ann",
        "hostname": host or socket.gethostname(),
        "timestamp": "2026-11-23T10:00:00Z",
    }
    file = folder / f"{pid}.json"
    file.write_text(json.dumps(held))
    return file


def checkpoint(work: WorkDir, **latest: Any) -> None:
    assert work.state_file is not None
    work.state_file.parent.mkdir(parents=True, exist_ok=True)
    work.state_file.write_text(json.dumps({"version": 3, "checkpoint": {"latest": latest}}))


def dead_pid() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def quiet(_: str) -> None:
    """Say nothing."""


def test_without_a_trace_nothing_was_killed(work: WorkDir) -> None:
    assert resume.reasons(work) == []
    checkpoint(work, resources=[])
    assert resume.reasons(work) == []


def test_a_lock_of_a_dead_process_shows_a_kill(work: WorkDir) -> None:
    pid = dead_pid()
    lock(work, pid)
    resume.refuse_living(work, quiet)
    assert resume.reasons(work) == [f"the lock of process {pid}, which is dead"]


def test_a_lock_of_a_living_engine_is_refused(work: WorkDir, start: Starts) -> None:
    engine = start("pulumi", "up")
    lock(work, engine.pid)
    with pytest.raises(UserError, match=rf"stack one: process {engine.pid} of ann .*since 2026-11-23T10:00:00 \(wait"):
        resume.refuse_living(work, quiet)
    assert resume.reasons(work) == []


def test_a_process_that_took_over_the_number_is_not_the_engine(work: WorkDir, start: Starts) -> None:
    other = start("something", "else")
    lock(work, other.pid)
    resume.refuse_living(work, quiet)
    assert resume.reasons(work) == [f"the lock of process {other.pid}, which is dead"]


def test_a_zombie_is_dead(work: WorkDir) -> None:
    child = subprocess.Popen([sys.executable, "-c", "", "pulumi", "up"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    lock(work, child.pid)
    assert resume.reasons(work) == [f"the lock of process {child.pid}, which is dead"]
    child.wait()


def test_an_engine_without_its_runner_is_waited_for(
    work: WorkDir, start: Starts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resume, "_ORPHAN_ENDS_WITHIN", 0.2)
    engine = start("pulumi", "up", "--exec-kind", "auto")
    lock(work, engine.pid)
    said: list[str] = []
    with pytest.raises(UserError, match="wait until it ends"):
        resume.refuse_living(work, said.append)
    assert said == [f"waiting for process {engine.pid}: an engine whose runner was killed"]


def test_a_lock_of_another_machine_is_for_a_person_to_judge(work: WorkDir) -> None:
    lock(work, dead_pid(), host="elsewhere")
    with pytest.raises(UserError, match=r"on elsewhere .*make resume STACK=one"):
        resume.refuse_living(work, quiet)
    assert resume.reasons(work) == []


def test_a_half_written_lock_is_a_dead_one(work: WorkDir) -> None:
    lock(work, 1).write_text('{"pid": 12')
    assert resume.reasons(work) == ["the lock of process 0, which is dead"]


def test_operations_that_never_ended_show_a_kill(work: WorkDir) -> None:
    checkpoint(work, resources=[], pending_operations=[{"type": "creating"}])
    assert resume.reasons(work) == ["1 operations that never ended"]


def test_a_note_left_behind_shows_a_kill(work: WorkDir) -> None:
    work.interrupted.write_text("make up")
    assert resume.reasons(work) == ["`make up` did not end"]


def test_what_was_written_only_in_part_is_mended(work: WorkDir) -> None:
    checkpoint(work, resources=[{"urn": "a"}])
    assert work.state_file is not None
    assert resume.mend_state(work) == []
    copy = work.state_file.with_name("one.json.bak")
    copy.write_text(work.state_file.read_text())
    work.state_file.write_text('{"version": 3, "checkp')
    attributes = work.state_file.with_name("one.json.attrs")
    attributes.write_text("")
    of_another_stack = work.state_file.with_name("two.json.attrs")
    of_another_stack.write_text("")
    assert resume.mend_state(work) == [
        "one.json.attrs had been cut off and is dropped",
        "one.json had been cut off and is the copy of one step before",
    ]
    assert work.state()["resources"] == [{"urn": "a"}]
    assert not attributes.exists()
    assert of_another_stack.exists()


def test_a_state_without_a_sound_copy_is_left_for_a_person(work: WorkDir) -> None:
    checkpoint(work, resources=[])
    assert work.state_file is not None
    work.state_file.write_text("")
    with pytest.raises(UserError, match=r"one.json: is damaged, and so is one.json.bak \(put the newest"):
        resume.mend_state(work)


def test_the_state_has_no_files_beside_it_that_a_kill_can_cut_off(work: WorkDir) -> None:
    assert work.backend.endswith("?metadata=skip")
    assert work.file_backend == work.folder / "state" / ".pulumi"


def test_plugins_of_this_stack_are_ended_and_no_others(work: WorkDir, start: Starts) -> None:
    mark = {resume.MARK: str(work.folder)}
    dynamic = start("-m", "pulumi.dynamic", **mark)
    standin = start("simulator/provider/start.py", "kubernetes", **mark)
    of_another_stack = start("-m", "pulumi.dynamic", **{resume.MARK: f"{work.folder}-two"})
    of_the_user = start("an editor", **mark)
    assert processes.find(dynamic.pid) is not None
    assert sorted(resume.end_leftovers(work)) == sorted([dynamic.pid, standin.pid])
    assert dynamic.wait(timeout=10) != 0
    assert standin.wait(timeout=10) != 0
    assert of_another_stack.poll() is None
    assert of_the_user.poll() is None


def test_two_commands_on_one_stack_are_refused(work: WorkDir) -> None:
    with (
        work.alone(),
        pytest.raises(UserError, match=rf"stack one: process {os.getpid()} is at work on it"),
        WorkDir("one", work.project, work.home).alone(),
    ):
        pytest.fail("both hold the stack")
    with work.alone():
        pass
