"""`aiga run --watch`: when it runs again, and what it outlives."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from fault_projects import eventually
from runner_projects import Made, made
from sources_world import Web, serving

from aiga.errors import AigaError, TransientError, UserError
from aiga.runner import watch as watching
from aiga.runner.watch import Watched
from aiga.sources.version import Version
from aiga.spec import Project

START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Looked:
    """A watch over time that passes only while it waits; each look may find something else."""

    looks: list[str | AigaError | Project]
    """At each look: why a source changed, what goes wrong, or the project as its file is then."""
    schedule: dict[str, str] = field(default_factory=dict)
    seen: list[dict[str, Any]] = field(default_factory=list)
    """What each run saw of the sources; all of it when left out."""
    runs: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    now: datetime = START

    def __post_init__(self) -> None:
        self.project = project(self.schedule)
        self.stop = threading.Event()
        self.stop.wait = self.wait  # type: ignore[method-assign]  # time passes by waiting alone

    def wait(self, timeout: float | None = None) -> bool:
        self.now += timedelta(seconds=timeout or 0)
        if not self.looks:
            self.stop.set()
        return self.stop.is_set()

    def load(self) -> Watched:
        if self.runs and self.looks and isinstance(self.looks[0], Project):
            self.project = self.looks.pop(0)  # type: ignore[assignment]  # it was seen to be one
        return Watched(self.project, self)  # type: ignore[arg-type]  # reads as a reader does

    def read(self, name: str, source: Any) -> None:
        self.changed(source, None)

    def changed(self, source: Any, last: Version | None) -> str | None:
        found = self.looks.pop(0) if self.looks else ""
        if isinstance(found, AigaError):
            raise found
        assert isinstance(found, str)
        return found or None

    def again(self, watched: Watched, reason: str) -> dict[str, Any]:
        self.runs.append(reason)
        if len(self.runs) == 5:
            self.stop.set()
        evidence = {"name": "rows", "digest": "x", "file": "rows", "kind": "files", "origin": {}, "rows": None}
        return self.seen.pop(0) if self.seen else dict.fromkeys(watched.project.sources, evidence)

    def watched(self) -> Looked:
        watching.watch(self.load, self.again, stop=self.stop, say=self.said.append, clock=lambda: self.now)
        return self


def project(schedule: dict[str, str], *sources: str) -> Project:
    read = {name: {"kind": "files", "path": name} for name in sources or ("rows",)}
    return Project.model_validate({"apiVersion": "aiga.dev/v1", "name": "line", "sources": read, "schedule": schedule})


def test_trouble_at_a_look_is_told_once_and_outlived() -> None:
    away = [TransientError("the server is away") for _ in range(3)]
    found = Looked([*away, "", TransientError("the server is away"), "source rows: other content"]).watched()
    assert found.runs == ["it begins", "source rows: other content"]
    assert found.said.count("watch: the server is away") == 2, "once each time that it went away"


def test_an_edit_of_the_schedule_is_seen() -> None:
    hourly, quick = project({"watch": "12h"}), project({"watch": "12h", "retrain": "*/5 * * * *"})
    found = Looked([hourly, quick, ""], {"watch": "12h"}).watched()
    assert found.runs[:2] == ["it begins", "schedule.retrain: */5 * * * *"]
    assert found.now < START + timedelta(hours=13)


def test_a_source_that_is_new_in_the_file_is_run_with() -> None:
    found = Looked([project({}, "rows", "more"), ""]).watched()
    assert found.runs == ["it begins", "source more: can be read"]


def test_a_source_that_could_not_be_read_is_waited_for_without_a_run() -> None:
    gone = [UserError("rows: there is no such file") for _ in range(3)]
    found = Looked([*gone, "", ""], seen=[{}]).watched()
    assert found.runs == ["it begins", "source rows: can be read"]
    assert found.said.count("watch: rows: there is no such file") == 1


WATCHED = """
apiVersion: aiga.dev/v1
name: line
sources:
  rows: {kind: files, path: rows.csv, expect: {columns: {n: {type: integer, min: 0}}}}
etl:
- {name: total, run: "steps:total", in: {numbers: rows}, returns: {sum: integer}}
schedule: {watch: 200ms}
"""
TOTAL = """
def total(numbers):
    return {"sum": sum(int(n) for n in numbers.read_text().split()[1:])}
"""


@dataclass
class Watching:
    """A project that is watched, with all that is printed."""

    line: Made
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.process = self.line.start("run", "--watch")
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(self.process.stdout)

    def records(self) -> list[dict[str, Any]]:
        found = sorted((self.line.home / "store" / "line" / "runs").glob("*/run.yaml"))
        return [yaml.safe_load(each.read_text()) for each in found]

    def until(self, holds: Callable[[], bool]) -> None:
        eventually(lambda: self.process.poll() is not None or holds())
        assert self.process.poll() is None

    def ended(self, count: int) -> None:
        self.until(lambda: len(self.records()) == count and self.records()[-1]["state"] != "running")

    def stop(self) -> list[str]:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)
        self._reader.join()
        print("".join(self.lines))
        return self.lines


def test_a_watch_outlives_bad_data_and_a_file_that_is_half_edited(tmp_path: Path) -> None:
    line = made(tmp_path, WATCHED, TOTAL)
    line.write("rows.csv", "n\n1\n2\n")
    watched = Watching(line)
    try:
        watched.ended(1)
        line.write("rows.csv", "n\n1\n-2\n")
        watched.ended(2)
        line.write("project.yaml", WATCHED + "  retrain: [half")
        time.sleep(1.5)
        assert len(watched.records()) == 2, "bad data is run with once, and half a file is not run"
        line.write("project.yaml", WATCHED)
        line.write("rows.csv", "n\n1\n3\n")
        watched.ended(3)
    finally:
        lines = watched.stop()
    assert [each["state"] for each in watched.records()] == ["succeeded", "failed", "succeeded"]
    assert all(each["sources"]["rows"]["digest"] for each in watched.records())
    assert sum("project.yaml:" in each for each in lines) == 1
    assert watched.process.returncode == 130


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as server:
        yield server


def test_a_watch_outlives_a_server_that_is_away(tmp_path: Path, web: Web) -> None:
    web.content["/rows.csv"] = b"n\n1\n"
    line = made(
        tmp_path, WATCHED.replace("kind: files, path: rows.csv", f'kind: http, url: "{web.url}/rows.csv"'), TOTAL
    )
    watched = Watching(line)
    try:
        watched.ended(1)
        web.first = [503] * 40
        eventually(lambda: len(web.first) < 20)
        web.first = []
        web.content["/rows.csv"] = b"n\n1\n2\n"
        watched.ended(2)
    finally:
        lines = watched.stop()
    assert sum("the server answered 503" in each for each in lines) == 1
