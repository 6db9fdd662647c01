"""Whole runs after something changed, or while it does: what is run again, what is held to what, what is recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from fault_projects import eventually, one_step, stored
from runner_projects import PROJECT, SEARCH, Made, made, states, tag

SEARCHING = PROJECT.replace("  parameters: {rate: 0.25}\n", SEARCH.lstrip("\n"))
READING = """
apiVersion: aiga.dev/v1
name: line
sources: {raw: {kind: files, path: raw.csv}}
etl:
- {name: slow, run: "steps:slow", in: [raw], out: {first: first.txt}}
- {name: late, run: "steps:late", in: {raw: raw, first: first}, out: {second: second.txt}}
"""
WAITS = """
import time
from pathlib import Path

def slow(raw, first):
    Path("{0}/begun").touch()
    while not Path("{0}/go").exists():
        time.sleep(0.02)
    first.write_text("x")

def late(raw, first, second):
    second.write_text(raw.read_text())
"""


def metadata(project: Made, run: str, step: str) -> dict[str, Any]:
    return dict(yaml.safe_load((stored(project, run, step) / "metadata.yaml").read_text()))


@pytest.fixture
def reading(tmp_path: Path) -> Made:
    project = made(tmp_path, READING, WAITS.replace("{0}", str(tmp_path)))
    project.write("raw.csv", "a\n1\n")
    return project


def overwritten_in_mid_run(project: Made, *words: str) -> tuple[int, str]:
    process = project.start(*words or ("run",))
    eventually((project.folder.parent / "begun").exists)
    project.write("raw.csv", "a\n2\n")
    (project.folder.parent / "go").touch()
    output, _ = process.communicate(timeout=60)
    return process.returncode, output


def test_a_source_that_is_overwritten_in_mid_run_reaches_later_steps_as_it_was_read(reading: Made) -> None:
    code, output = overwritten_in_mid_run(reading)
    assert code == 0, output
    run = tag(output)
    assert (stored(reading, run, "late") / "second.txt").read_text() == "a\n1\n"
    reading.write("raw.csv", "a\n1\n")
    again = reading.aiga("run")
    assert states(again) == {"slow": "reused", "late": "reused"}, "what is reused is of these very bytes"


LARGE = """
import sys
from aiga.sources import files
files.COPIED = 1
from aiga.cli.main import main
sys.argv[0] = "aiga"
main()
"""


def test_a_source_too_large_to_copy_that_is_overwritten_in_mid_run_fails_the_step(
    reading: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner_projects.AIGA", LARGE)
    code, output = overwritten_in_mid_run(reading)
    assert code == 1
    assert "slow: input raw (source:raw): is not what this run read any more" in output
    assert states(output) == {"slow": "failed", "late": "skipped"}
    reading.write("raw.csv", "a\n1\n")
    assert states(reading.aiga("run")) == {"slow": "done", "late": "done"}, "nothing of it is reused"


def test_the_seed_is_part_of_what_a_model_depends_on_and_is_told_everywhere(tmp_path: Path) -> None:
    line = made(tmp_path)
    first = tag(line.aiga("run"))
    line.change("project.yaml", "run: steps:train", "seed: 7\n  run: steps:train")
    output = line.aiga("run")
    assert states(output)["train"] == "done"
    assert "seed 0 → 7" in output
    models = line.home / "store" / "line" / "models"
    assert not (models / "2").exists() or yaml.safe_load((models / "2" / "model.yaml").read_text())["seed"] == 7
    assert yaml.safe_load((models / "1" / "model.yaml").read_text())["seed"] == 0
    assert "seed 7" in line.aiga("lineage", "latest")
    compared = line.aiga("compare", first, tag(output))
    assert "train.seed" in compared


EXPECTED = """
apiVersion: aiga.dev/v1
name: line
etl:
- name: table
  run: "steps:table"
  out: {rows: rows.csv}
  expect: {rows: {columns: {n: {type: integer, min: 0}}}}
"""
TABLE = """
def table(rows):
    rows.write_text("n\\n1\\n-2\\n" if False else "n\\n1\\n2\\n")
"""


def test_a_reused_step_is_held_to_a_contract_that_is_new(tmp_path: Path) -> None:
    line = made(tmp_path, EXPECTED, TABLE)
    line.aiga("run")
    line.change("project.yaml", "min: 0", "min: 2")
    for _ in range(2):
        output = line.aiga("run", code=1)
        assert states(output) == {"table": "failed"}
        assert "table.rows: column 'n': must be at least 2: broken by 1 row" in output
    line.change("project.yaml", "min: 2", "min: 1")
    assert states(line.aiga("run")) == {"table": "reused"}, "the data need not be made again to be held to it"


def test_a_reused_search_is_held_to_a_contract_that_is_new(tmp_path: Path) -> None:
    trained = "  out: {model: model.json, table: table.csv}\n"
    project = SEARCHING[: SEARCHING.index("evaluate:")].replace("  out: {model: model.json}\n", trained)
    line = made(tmp_path, project)
    line.change("steps.py", "model: Path, rate", "model: Path, table: Path, rate")
    line.change("steps.py", "    time.sleep(slow)\n", '    table.write_text("n\\n1\\n")\n')
    line.aiga("run")
    line.change("project.yaml", "  search:\n", "  expect: {table: {columns: {n: {min: 2}}}}\n  search:\n")
    output = line.aiga("run", code=1)
    assert "train.table: column 'n': must be at least 2" in output


@pytest.mark.parametrize(
    ("body", "tries"),
    [
        ('raise ValueError("a bug")', 1),
        ("sys.exit(1)", 1),
        ("sys.exit(2)", 1),
        ("sys.exit(75)", 3),
        ('raise ConnectionError("the network")', 3),
        ("os.kill(os.getpid(), signal.SIGKILL)", 3),
    ],
)
def test_only_what_may_pass_is_tried_again(tmp_path: Path, body: str, tries: int) -> None:
    count = f'open("{tmp_path}/tries", "a").write("x")'
    project = one_step(tmp_path, f"{count}; {body}", "retries: {limit: 2, delay: 1ms}")
    project.aiga("run", code=1)
    assert len((tmp_path / "tries").read_text()) == tries


FAILING = """
import json
from pathlib import Path

def train(model, n):
    Path("{0}", f"tried-{n}").open("a").write("x")
    if n == 3 and Path("{0}", "broken").exists():
        raise RuntimeError("the disk is full")
    print(json.dumps({"score": n}))
    model.write_text(str(n))
"""
GRID = """
apiVersion: aiga.dev/v1
name: line
train:
  run: steps:train
  out: {model: model.txt}
  search:
    method: grid
    objective: {metric: score, goal: min}
    space: {n: {int: [0, 5]}}
"""


def tries(folder: Path) -> dict[int, int]:
    return {int(p.name.removeprefix("tried-")): len(p.read_text()) for p in folder.glob("tried-*")}


def test_a_failed_search_goes_on_with_the_trials_that_it_completed(tmp_path: Path) -> None:
    line = made(tmp_path, GRID, FAILING.replace("{0}", str(tmp_path)))
    (tmp_path / "broken").touch()
    first = tag(line.aiga("run", code=1))
    assert tries(tmp_path) == {0: 1, 1: 1, 2: 1, 3: 1}
    second = tag(line.aiga("run", code=1))
    assert tries(tmp_path) == {0: 1, 1: 1, 2: 1, 3: 2}, "what failed is tried again, and nothing else"
    (tmp_path / "broken").unlink()
    output = line.aiga("run")
    third = tag(output)
    assert len({first, second, third}) == 3
    assert f"goes on with the search of {first}: 3 trials complete" in output
    assert tries(tmp_path) == {0: 1, 1: 1, 2: 1, 3: 3, 4: 1, 5: 1}
    told = metadata(line, third, "train")
    assert [(row["parameters"]["n"], row["state"]) for row in told["trials"]] == [(n, "complete") for n in range(6)]
    assert (stored(line, third, "train") / "model.txt").read_text() == "0", "the best trial is one of the first run"
    assert states(line.aiga("run"))["train"] == "reused"
    line.aiga("report")
    assert "line@1: equal" in line.aiga("reproduce")


def test_a_failed_search_goes_on_when_more_failures_are_allowed(tmp_path: Path) -> None:
    line = made(tmp_path, GRID, FAILING.replace("{0}", str(tmp_path)))
    (tmp_path / "broken").touch()
    line.aiga("run", code=1)
    line.change("project.yaml", "method: grid", "method: grid\n    maxFailures: 1")
    line.aiga("run")
    assert tries(tmp_path) == {0: 1, 1: 1, 2: 1, 3: 2, 4: 1, 5: 1}


@pytest.mark.parametrize("change", ["steps.py", "--fresh"])
def test_a_failed_search_is_not_gone_on_with_where_it_is_another_or_nothing_is_reused(
    tmp_path: Path, change: str
) -> None:
    line = made(tmp_path, GRID, FAILING.replace("{0}", str(tmp_path)))
    (tmp_path / "broken").touch()
    line.aiga("run", code=1)
    (tmp_path / "broken").unlink()
    if change == "steps.py":
        line.change("steps.py", "str(n)", "str(n + 1)")
    line.aiga("run", *[change] * (change == "--fresh"))
    assert tries(tmp_path) == {0: 2, 1: 2, 2: 2, 3: 2, 4: 1, 5: 1}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("state: [running\n", "expected"),
        ("just text\n", "must be a map, is str"),
        ("", "must be a map, is NoneType"),
        ("tag: x\nproject: line\n", "state: must be one of running, waiting"),
        ("KEPT\nsources: 3\n", "sources: must be a map"),
        ("KEPT\npid: many\n", "pid: must be a whole number"),
        ("KEPT\nstate: well\n", "state: must be one of running"),
    ],
)
def test_a_damaged_record_is_named_and_left_out(tmp_path: Path, text: str, why: str) -> None:
    line = one_step(tmp_path, "out.write_text('x')")
    good = tag(line.aiga("run"))
    bad = "20990101t000000-abcdef"
    kept = (stored(line, good) / "run.yaml").read_text()
    stored(line, bad).mkdir()
    (stored(line, bad) / "run.yaml").write_text(text.replace("KEPT", kept))
    listed = line.aiga("runs")
    assert f"{good}  succeeded" in listed
    told = [each for each in listed.splitlines() if f"line/runs/{bad}/run.yaml is damaged" in each]
    assert len(told) == 1
    assert why in told[0]
    assert states(line.aiga("run")) == {"only": "reused"}
    assert "is damaged" in line.aiga("compare", good, bad, code=2)
