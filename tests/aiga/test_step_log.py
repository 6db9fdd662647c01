"""`aiga.log` and `aiga.output`: what they take, and that what is logged is there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy
import pytest
from step_world import ROOT, World, eventually, records

import aiga
from aiga.errors import TransientError, UserError
from aiga.names import LOG
from aiga.step.log import NAME
from aiga.step.records import read


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(LOG, str(tmp_path / "metrics.jsonl"))
    return tmp_path / "metrics.jsonl"


def test_numbers_of_all_kinds_are_taken(log: Path) -> None:
    aiga.log(step=numpy.int64(3), a=1, b=numpy.float32(0.5), c=numpy.array([2]), d=Decimal("1.5"), **{"val/f1": 0.25})
    (line,) = read(log)
    assert line is not None and line.step == 3
    assert line.metrics == {"a": 1, "b": 0.5, "c": 2, "d": 1.5, "val/f1": 0.25}


def test_the_epoch_orders_records_when_no_step_does(log: Path) -> None:
    aiga.log(loss=1, epoch=4)
    aiga.log(step=9, loss=1, epoch=4)
    assert [(line.step, dict(line.metrics)) for line in read(log) if line] == [
        (4, {"loss": 1}),
        (9, {"loss": 1, "epoch": 4}),
    ]


@pytest.mark.parametrize(
    ("metrics", "says"),
    [
        ({"a b": 1}, "aiga.log: metric 'a b': a name must begin with a letter"),
        ({"x" * 101: 1}, "at most 100"),
        ({"loss": "0.3"}, "aiga.log: metric loss: must be a number, got '0.3' (str)"),
        ({"loss": None}, "must be a number, got 'None' (NoneType)"),
        ({"done": True}, "must be a number, got 'True' (bool)"),
        ({"loss": numpy.zeros(3)}, "must be a number, got '[0. 0. 0.]' (ndarray)"),
        ({"loss": 1j}, "must be a number"),
        ({"step": float("nan"), "loss": 1}, "aiga.log: step: must be finite"),
    ],
)
@pytest.mark.parametrize("within_a_run", [True, False])
def test_what_is_no_metric_is_refused_within_a_run_and_outside(
    log: Path, monkeypatch: pytest.MonkeyPatch, metrics: dict[str, Any], says: str, within_a_run: bool
) -> None:
    if not within_a_run:
        monkeypatch.delenv(LOG)
    with pytest.raises(UserError) as raised:
        aiga.log(**metrics)
    assert says in str(raised.value)


def test_all_mistakes_of_a_call_are_told_at_once() -> None:
    with pytest.raises(UserError) as raised:
        aiga.log(**{"a b": 1, "c": "x"})
    assert len(str(raised.value).splitlines()) == 2
    with pytest.raises(UserError, match=r"aiga.output: a: must be a number, a boolean or a text"):
        aiga.output(a=[1])


def test_outside_of_a_run_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(LOG, raising=False)
    monkeypatch.chdir(tmp_path)
    aiga.log(loss=0.5)
    aiga.output(threshold=0.5)
    assert list(tmp_path.iterdir()) == [] and capsys.readouterr() == ("", "")


def test_lines_of_threads_and_forked_processes_are_whole(log: Path) -> None:
    def write(thread: int) -> None:
        for n in range(200):
            aiga.log(step=n, **{f"metric_{thread}_{each}": each for each in range(20)})

    children = []
    for child in range(2):
        pid = os.fork()
        if pid == 0:
            write(100 + child)
            os._exit(0)
        children.append(pid)
    threads = [threading.Thread(target=write, args=(each,)) for each in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for pid in children:
        os.waitpid(pid, 0)
    lines = list(read(log))
    assert len(lines) == 6 * 200 and None not in lines


def test_what_was_logged_before_a_kill_9_is_in_the_log(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.code("""
        import aiga, time
        def step(checkpoint):
            n = 0
            while True:
                aiga.log(step=n, loss=0.5)
                (checkpoint / "last").write_text(str(n))
                n += 1
    """)
    order = world.order()
    process = world.start(order)
    log = order.work / "metrics.jsonl"
    eventually(lambda: log.exists() and log.stat().st_size > 5000, "nothing was logged")
    process.kill()
    process.communicate()
    said = (order.checkpoint / "last").read_text()
    assert len(records(order)) >= int(said or 0) + 1


def test_a_log_that_cannot_be_written_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LOG, "/dev/full")
    with pytest.raises(TransientError, match="/dev/full: cannot be written: No space left on device"):
        aiga.log(loss=1)
    monkeypatch.setenv(LOG, "/nothing/here")
    with pytest.raises(TransientError, match="cannot be opened"):
        aiga.output(a=1)


def test_importing_aiga_and_running_a_step_import_nothing_that_a_project_may_lack() -> None:
    code = "import json, sys, aiga, aiga.step.run, aiga.step.__main__; print(json.dumps(sorted(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    printed = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    ours = {name for name in json.loads(printed.stdout) if name.split(".")[0] not in sys.stdlib_module_names}
    ours -= {name for name in ours if name.startswith(("__", "_distutils_hack", "_virtualenv"))}
    assert {name for name in ours if not name.startswith("aiga")} == set()
    assert not any(name.startswith("aiga.spec") for name in ours), "the models need pydantic"


def test_a_metric_is_called_here_as_in_the_project_file() -> None:
    from aiga.spec.base import MetricName

    assert f"^{NAME.pattern}$" == MetricName.__metadata__[0].pattern  # type: ignore[attr-defined]
