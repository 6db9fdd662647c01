"""A state is tied to a cluster once something of it is there, and nothing irreplaceable goes unnamed."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from stacks import runner, session, target
from stacks.errors import EngineError, UserError
from stacks.progress import Board
from stacks.runner import Runner
from stacks.settings import Settings
from stacks.target import Target
from stacks.workdir import WorkDir

NOTHING = {
    "resources": [
        {"type": "pulumi:pulumi:Stack", "urn": "u::s"},
        {"type": "pulumi:providers:kubernetes", "urn": "u::p"},
        {"type": "random:index/randomPassword:RandomPassword", "urn": "u::r"},
        {"type": "pulumi-python:dynamic/aiga:SealingKey", "urn": "u::k"},
    ]
}
NAMESPACE = {"type": "kubernetes:core/v1:Namespace", "urn": "u::n"}
VOLUME = {"type": "kubernetes:core/v1:PersistentVolumeClaim", "urn": "u::v"}


@dataclass
class Engine:
    """An engine whose state is as the test says, and which may fail."""

    state: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    error: Exception | None = None
    ran: list[str] = field(default_factory=list)

    def deployment(self) -> dict[str, Any]:
        return self.state

    def run(self, operation: str, **_: Any) -> Board:
        self.ran.append(operation)
        self.state = self.after
        if self.error:
            raise self.error
        return Board(0)

    def outputs(self) -> dict[str, Any]:
        return {}


@dataclass
class Bench:
    """A runner whose engine and cluster are the test's, and what it printed."""

    work: WorkDir
    engine: Engine
    identity: str = "first"
    printed: io.StringIO = field(default_factory=io.StringIO)

    @property
    def runner(self) -> Runner:
        console = Console(file=self.printed, width=200)
        return Runner(self.work.stack, project=self.work.project, home=self.work.home, console=console)

    @property
    def target(self) -> Target:
        nowhere: Any = None
        return Target(Path("/k"), "ctx", "https://x", "v1.36.3", self.identity, nowhere)

    @property
    def tied(self) -> bool:
        return self.work.record.exists()


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    (tmp_path / "Pulumi.yaml").write_text("name: aiga\nruntime: python\n")
    (tmp_path / "Pulumi.one.yaml").write_text("config: {aiga:provider: on-prem}\n")
    made = Bench(WorkDir("one", tmp_path, tmp_path / ".aiga"), Engine())

    def prepare(work: WorkDir, decided: Settings, *_: Any, **__: Any) -> Any:
        nowhere: Any = None
        engine: Any = made.engine
        return session.Session(work, decided, made.target, nowhere, engine)

    monkeypatch.setattr(session, "prepare", prepare)
    monkeypatch.setattr(runner, "sweep", lambda *_: [])
    return made


@contextmanager
def at_a_terminal(monkeypatch: pytest.MonkeyPatch, answer: str) -> Iterator[list[str]]:
    asked: list[str] = []

    def give(_: Console, prompt: str) -> str:
        asked.append(prompt)
        return answer

    with monkeypatch.context() as patched:
        patched.setattr("sys.stdin.isatty", lambda: True, raising=False)
        patched.setattr(Console, "input", give)
        yield asked


def test_a_first_up_that_fails_before_anything_is_there_ties_the_state_to_no_cluster(bench: Bench) -> None:
    bench.engine.after, bench.engine.error = NOTHING, EngineError("no quota")
    with pytest.raises(EngineError, match="no quota"):
        bench.runner.up()
    assert not bench.tied
    bench.identity, bench.engine.error = "second", None
    bench.engine.after = {"resources": [NAMESPACE]}
    bench.runner.up()
    assert bench.tied
    bench.identity = "third"
    with pytest.raises(UserError, match="its state describes another cluster"):
        bench.runner.up()


@pytest.mark.parametrize(
    "after", [{"resources": [NAMESPACE]}, {"pending_operations": [{"type": "creating"}]}], ids=["made", "killed"]
)
def test_what_may_be_there_ties_the_state_though_up_failed(bench: Bench, after: dict[str, Any]) -> None:
    bench.engine.after, bench.engine.error = after, EngineError("broken")
    with pytest.raises(EngineError):
        bench.runner.up()
    assert bench.tied


def test_a_tie_of_a_killed_up_that_made_nothing_binds_nobody(bench: Bench) -> None:
    bench.work.folder.mkdir(parents=True)
    target.record(bench.work, bench.target)
    bench.identity, bench.engine.state = "second", NOTHING
    bench.engine.after = {"resources": [NAMESPACE]}
    bench.runner.up()
    assert target.same_as_before(bench.work, bench.target)


def test_only_up_makes_a_stack_the_one_that_is_meant_without_a_name(bench: Bench) -> None:
    last = bench.work.folder.parent / "last-stack"
    bench.runner.preview()
    assert not last.exists()
    bench.engine.after = {"resources": [NAMESPACE]}
    bench.runner.up()
    assert last.read_text() == "one"


DEPLOYED = {"resources": [*NOTHING["resources"], NAMESPACE, VOLUME]}


def test_down_names_what_goes_for_good_before_it_goes(bench: Bench) -> None:
    bench.engine.state = DEPLOYED
    bench.runner.down()
    printed = bench.printed.getvalue()
    assert "what goes for good:\n  the sealing key: " in printed
    assert "`make backup-key FILE=sealing-keys.yaml STACK=one` keeps a copy" in printed
    assert "  volumes: " in printed
    assert bench.engine.ran == ["destroy"]


@pytest.mark.parametrize(("answer", "ran"), [("", []), ("n", []), ("y", ["destroy"])])
def test_at_a_terminal_down_asks_first(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, answer: str, ran: list[str]
) -> None:
    bench.engine.state = DEPLOYED
    with at_a_terminal(monkeypatch, answer) as asked:
        if ran:
            bench.runner.down()
        else:
            with pytest.raises(UserError, match="nothing was taken down"):
                bench.runner.down()
    assert asked == ["take it down? [y/N] "]
    assert bench.engine.ran == ran
    assert not bench.work.interrupted.exists()


def test_who_is_sure_or_loses_nothing_is_not_asked(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    with at_a_terminal(monkeypatch, "n") as asked:
        bench.engine.state = DEPLOYED
        bench.runner.down(sure=True)
        bench.engine.state = {"resources": [NAMESPACE]}
        bench.runner.down()
        bench.work.committed.write_text("config: {aiga:provider: sim}\n")
        bench.engine.state = DEPLOYED
        bench.runner.down(keep_cluster=True)
    assert asked == []
    assert bench.engine.ran == ["destroy"] * 3
