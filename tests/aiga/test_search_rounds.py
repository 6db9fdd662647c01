"""`aiga search suggest|trial|rank` beside `aiga run`: the same search of the same run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fault_projects import eventually, stored
from runner_projects import Made, kill, made, tag

SEARCHING = """
apiVersion: aiga.dev/v1
name: line
sources: {rows: {kind: files, path: rows.txt}}
train:
  run: steps:train
  in: [rows]
  out: {model: model.json}
  parameters: {hold: ""}
  search:
    method: random
    trials: 4
    objective: {metric: score}
    space: {rate: {float: [0.2, 0.4]}}
"""
TRAIN = """
import json
import time
from pathlib import Path

def train(rows, model, rate, hold):
    if Path(hold).is_file() and int(Path(hold).read_text()) <= len(list(Path(hold).parent.glob("begun-*"))):
        time.sleep(60)
    if hold:
        Path(hold).with_name(f"begun-{rate}").touch()
    print(json.dumps({"score": rate}))
    model.write_text(json.dumps({"rate": rate, "rows": rows.read_text()}))
"""


@pytest.fixture
def line(tmp_path: Path) -> Made:
    line = made(tmp_path, SEARCHING.replace('hold: ""', f'hold: "{tmp_path}/hold"'), TRAIN)
    line.write("rows.txt", "1 2 3")
    return line


def killed_after(line: Made, trials: int) -> str:
    """A run that was killed when so many trials were complete; its tag."""
    hold = line.folder.parent / "hold"
    hold.write_text(str(trials))
    process = line.start("run")
    eventually(lambda: bool(list(line.home.glob(f"work/line/*/train/trials/{trials:04d}/process.json"))))
    kill(process, 0)
    hold.unlink()
    return next((line.home / "store" / "line" / "runs").iterdir()).name


def said(line: Made, *words: str) -> Any:
    return json.loads(line.aiga("search", *words).splitlines()[-1])


def tried(line: Made, run: str) -> list[dict[str, Any]]:
    """All rounds that are left of a search; what its trials ended with."""
    told = []
    while trials := said(line, "suggest", "--run", run):
        told += [said(line, "trial", "--run", run, "--trial", json.dumps(trial)) for trial in trials]
    return told


def test_the_commands_go_on_with_the_search_that_a_run_began(line: Made) -> None:
    run = killed_after(line, 2)
    assert len(tried(line, run)) == 2, "two trials were complete, and are not made again"
    ranked = said(line, "rank", "--run", run)
    assert len(ranked) == 4
    model = json.loads((stored(line, run, "train") / "model.json").read_text())
    assert model["rate"] == max(row["parameters"]["rate"] for row in ranked)


def test_a_trial_is_given_the_sources_that_the_run_read(line: Made) -> None:
    run = killed_after(line, 0)
    line.write("rows.txt", "other rows")
    tried(line, run)
    said(line, "rank", "--run", run)
    assert json.loads((stored(line, run, "train") / "model.json").read_text())["rows"] == "1 2 3"


def test_a_trial_gets_the_parameters_of_the_runs_command_line(line: Made) -> None:
    line.change("steps.py", '"rows": rows.read_text()', '"rows": rows.read_text(), "more": more')
    line.change("steps.py", "rate, hold", "rate, more, hold")
    line.change("project.yaml", "parameters: {", "parameters: {more: 1, ")
    hold = line.folder.parent / "hold"
    hold.write_text("0")
    process = line.start("run", "-p", "more=2")
    eventually(lambda: bool(list(line.home.glob("work/line/*/train/trials/0000/process.json"))))
    kill(process, 0)
    hold.unlink()
    run = next((line.home / "store" / "line" / "runs").iterdir()).name
    tried(line, run)
    said(line, "rank", "--run", run)
    assert json.loads((stored(line, run, "train") / "model.json").read_text())["more"] == 2


def test_a_run_whose_training_is_done_is_left_as_it_is(line: Made) -> None:
    run = tag(line.aiga("run"))
    model = stored(line, run, "train") / "model.json"
    before = {p: p.read_bytes() for p in stored(line, run).rglob("*") if p.is_file()}
    trial = json.dumps({"number": 0, "slot": 0, "parameters": {"rate": 0.4}})
    for words in (("suggest",), ("trial", "--trial", trial), ("rank",)):
        assert "its training is done" in line.aiga("search", *words, "--run", run, code=2)
    assert {p: p.read_bytes() for p in stored(line, run).rglob("*") if p.is_file()} == before
    assert model in before
    again = tag(line.aiga("run"))
    assert "its training is done" in line.aiga("search", "rank", "--run", again, code=2), "it reused that of the other"


def test_a_run_that_is_at_work_is_left_alone(line: Made) -> None:
    (line.folder.parent / "hold").write_text("0")
    process = line.start("run")
    eventually(lambda: bool(list(line.home.glob("work/line/*/train/trials/0000/process.json"))))
    run = next((line.home / "store" / "line" / "runs").iterdir()).name
    assert f"as process {process.pid}" in line.aiga("search", "suggest", "--run", run, code=2)
    kill(process, 0)


REPORTS = """
import json

def train(rows, model, rate, hold):
    for step in range(1, 4):
        print(json.dumps({"step": step, "score": rate * step}), flush=True)
        if rate < 0.3 and step == 1:
            import time; time.sleep(20)
    model.write_text("x")
"""


def test_trials_that_look_hopeless_are_pruned(line: Made) -> None:
    run = killed_after(line, 0)
    line.write("steps.py", REPORTS)
    prune = "    prune: {method: median, startup: 1, warmup: 0}\n    space: {rate: {choice: [0.4, 0.2]}}\n"
    line.change("project.yaml", "    space: {rate: {float: [0.2, 0.4]}}\n", prune)
    line.change("project.yaml", "method: random", "method: grid")
    for journal in stored(line, run, "train").rglob("journal/*"):
        journal.unlink()  # the search is another one now
    states = [told["state"] for told in tried(line, run)]
    assert states == ["complete", "pruned"]
    ranked = said(line, "rank", "--run", run)
    assert [row["state"] for row in ranked] == states
