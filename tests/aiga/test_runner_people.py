"""A run that waits for a person: who may decide, from where, for how long, and what the evidence says of it."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from runner_projects import AIGA, PROJECT, Made, made

from aiga.runner.people import whoami

QUESTION = "Type yes, no or later."


class Terminal:
    """`aiga run` at a terminal."""

    def __init__(self, project: Made) -> None:
        self.screen, inside = os.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", AIGA, "run"],
            cwd=project.folder,
            env={**project.environment, "TERM": "xterm"},
            stdin=inside,
            stdout=inside,
            stderr=inside,
            start_new_session=True,
        )
        os.close(inside)
        self.shown = ""

    def read(self, seconds: float) -> str:
        """What comes within some seconds."""
        until, before = time.monotonic() + seconds, len(self.shown)
        while (left := until - time.monotonic()) > 0 and select.select([self.screen], [], [], left)[0]:
            try:
                self.shown += os.read(self.screen, 65536).decode(errors="replace")
            except OSError:  # it has ended
                break
        return self.shown[before:]

    def until(self, text: str) -> None:
        deadline = time.monotonic() + 60
        while text not in self.shown:
            self.read(0.2)
            assert time.monotonic() < deadline and self.process.poll() is None, self.shown

    def type(self, text: str) -> None:
        os.write(self.screen, text.encode())

    def ended(self) -> int:
        deadline = time.monotonic() + 60
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.shown
            self.read(0.2)
        self.read(0.2)
        return self.process.returncode


@pytest.fixture
def line(tmp_path: Path) -> Made:
    return made(tmp_path)


@contextlib.contextmanager
def terminal(project: Made, approve: str) -> Iterator[Terminal]:
    project.write("project.yaml", f"{PROJECT}approve: {approve}\n")
    own = Terminal(project)
    try:
        own.until(QUESTION)
        yield own
    finally:
        own.process.kill()
        own.process.wait()
        os.close(own.screen)


def run_of(project: Made) -> str:
    return next((project.home / "store" / "line" / "runs").iterdir()).name


def evidence(project: Made, version: int = 1) -> Path:
    return project.home / "store" / "line" / "models" / str(version) / "model.yaml"


@contextlib.contextmanager
def waiting(project: Made, approve: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A run without a terminal that waits for approval."""
    project.write("project.yaml", f"{PROJECT}approve: {approve}\n")
    process = project.start("run")
    runs = project.home / "store" / "line" / "runs"
    deadline = time.monotonic() + 60
    while not any("state: waiting" in p.read_text() for p in runs.glob("*/run.yaml")):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.1)
    try:
        yield run_of(project), process
    finally:
        process.kill()
        process.communicate()


def test_an_answer_at_the_terminal_releases_the_model_and_is_signed(line: Made) -> None:
    with terminal(line, "{timeout: 60s}") as own:
        own.type("maybe\n")
        own.until("must be yes, no or later")
        own.type("yes\n")
        assert own.ended() == 0, own.shown
        assert "line@1 is in production" in own.shown
    told = yaml.safe_load(evidence(line).read_text())
    assert told["approver"] == whoami() and told["signature"]
    assert re.search(rf"^1\s+production\b.*{whoami()}", line.aiga("models"), re.MULTILINE)
    evidence(line).write_text(evidence(line).read_text().replace(f"approver: {whoami()}", "approver: mallory"))
    assert "was changed after it was signed" in line.aiga("promote", "1", code=2), "the name is part of what is signed"


def test_at_a_terminal_the_time_is_up_all_the_same(line: Made) -> None:
    with terminal(line, "{timeout: 3s, onTimeout: reject}") as own:
        assert own.ended() == 3
        assert "nobody decided within 3s" in own.shown


def test_at_a_terminal_somebody_elsewhere_may_decide_and_the_question_is_left_alone_until_then(line: Made) -> None:
    with terminal(line, "{timeout: 60s}") as own:
        own.read(0.3)
        assert own.read(1.5) == "", "no table is drawn over what is typed"
        line.aiga("approve", run_of(line), "--reject", "--why", "too slow")
        assert own.ended() == 3
        assert "rejected it: too slow" in own.shown


def test_later_leaves_the_run_waiting_for_others(line: Made) -> None:
    with terminal(line, "{timeout: 60s}") as own:
        own.type("later\n")
        own.read(1.5)
        assert own.process.poll() is None
        line.aiga("approve", run_of(line))
        assert own.ended() == 0


def test_who_may_not_decide_is_refused_and_the_run_still_waits(line: Made) -> None:
    with waiting(line, "{who: [somebody-else], timeout: 8s, onTimeout: approve}") as (run, process):
        for name in (whoami(), "somebody-else"):
            told = line.aiga("approve", run, code=2, LOGNAME=name, USER=name)
            assert f"{whoami()} may not decide: approve.who is somebody-else" in told
        assert not (line.home / "store" / "line" / "runs" / run / "approve" / "decision.yaml").exists()
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, output
    assert yaml.safe_load(evidence(line).read_text())["approver"] is None, "nobody approved it"


def test_only_a_run_that_waits_can_be_approved(line: Made) -> None:
    line.aiga("run")
    told = line.aiga("approve", run_of(line), code=2)
    assert "is succeeded, and waits for no approval" in told
    assert not list(line.home.glob("store/line/runs/*/approve/*")), "nothing was decided"
    assert "no such run" in line.aiga("approve", "20200101t000000-abcdef", code=2)


def test_a_decision_for_a_run_that_was_stopped_counts_when_it_goes_on(line: Made) -> None:
    with waiting(line, "{timeout: 60s}") as (run, process):
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        line.aiga("approve", run, "--why", "seen")
        assert "line@1 is in production" in line.aiga("run")
    assert yaml.safe_load(evidence(line).read_text())["approver"] == whoami()
