"""Whole runs whose steps go wrong: what the user is told, what is left, and that mending helps."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import yaml
from fault_projects import FAULTS, HARMLESS, HUGE, Ran, limit_the_runner, limit_the_wrapper, one_step, ran, stored
from runner_projects import Made, made, states, tag


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return ran(tmp_path_factory.mktemp("faulty"))


@pytest.mark.parametrize("step", FAULTS)
def test_a_fault_is_told_with_its_step_its_cause_and_where_its_output_is(faulty: Ran, step: str) -> None:
    told = faulty.told(step)
    assert re.search(FAULTS[step].cause, told)
    printed = re.search(r"all it printed: (\S+)", told)
    assert printed
    assert Path(printed[1]).is_file()


@pytest.mark.parametrize(
    "step",
    [
        *(name for name, fault in FAULTS.items() if fault.line),
        "fills",
        "full",
    ],
)
def test_the_line_of_the_users_own_file_is_told(faulty: Ran, step: str) -> None:
    assert re.search(rf"\b{step}\.py:\d+|imports pandsa", faulty.told(step))


@pytest.mark.parametrize(("step", "key"), [("hangs", "`timeout`"), ("greedy", "resources")])
def test_a_limit_that_was_hit_is_told_with_the_key_that_raises_it(faulty: Ran, step: str, key: str) -> None:
    assert key in faulty.told(step)


def test_faults_end_the_run_with_one_and_without_a_traceback(faulty: Ran) -> None:
    assert faulty.code == 1
    assert "Traceback" not in faulty.output
    assert len(faulty.output) < 20_000, "what steps print is not poured over the user"


def test_steps_beside_a_fault_are_done(faulty: Ran) -> None:
    assert states(faulty.output) == {**dict.fromkeys(FAULTS, "failed"), **dict.fromkeys(HARMLESS, "done")}


def test_a_failed_step_leaves_its_metadata_and_log_and_no_output(faulty: Ran) -> None:
    for step in FAULTS:
        assert faulty.metadata(step)["state"] in ("failed", "interrupted"), step
        assert {each.name for each in faulty.stored(step).iterdir()} <= {
            "metadata.yaml",
            "output.txt",
            "metrics.jsonl",
        }, f"{step}: half an output must not be taken for one"


def test_garbage_and_a_huge_line_are_kept_and_hide_no_metric(faulty: Ran) -> None:
    assert bytes(range(256)) in (faulty.stored("garbage") / "output.txt").read_bytes()
    assert faulty.metadata("garbage")["metrics"] == {"loss": 0.5}
    assert (faulty.stored("talks") / "output.txt").stat().st_size > HUGE
    assert faulty.metadata("talks")["metrics"] == {"after": 1}
    assert (faulty.stored("talks") / "metadata.yaml").stat().st_size < 100_000


def test_nothing_outlives_the_run(faulty: Ran) -> None:
    assert faulty.left == []


def test_after_mending_what_failed_runs_and_the_rest_is_reused(faulty: Ran) -> None:
    assert states(faulty.mended) == {**dict.fromkeys(FAULTS, "done"), **dict.fromkeys(HARMLESS, "reused")}


def test_an_output_that_is_no_file_ends_the_step(tmp_path: Path) -> None:
    project = one_step(tmp_path, "os.mkfifo(out)", "timeout: 1s")
    process = project.start("run")
    try:
        output, _ = process.communicate(timeout=5)
    finally:
        for each in [*psutil.Process(process.pid).children(recursive=True), process] if process.poll() is None else []:
            each.kill()
        process.communicate()
    assert process.returncode == 1
    assert "only" in output


def test_a_step_whose_own_records_cannot_be_written_says_so(tmp_path: Path) -> None:
    project = one_step(tmp_path, f"{limit_the_wrapper(1000)}; out.write_text('x')")
    assert "cannot be written" in project.aiga("run", code=1)


def test_a_store_that_is_full_ends_the_run_with_what_could_not_be_kept(tmp_path: Path) -> None:
    project = one_step(tmp_path, f"{limit_the_runner(2000)}; out.write_text('x' * 9000)")
    output = project.aiga("run", code=1)
    assert states(output) == {"only": "failed"}
    assert re.search(r"home/store: line/runs/\S+/only/only\.txt: File too large", output)
    assert not (stored(project, tag(output), "only") / "only.txt").exists()
    project.write("only.py", "def step(out):\n    out.write_text('x' * 9000)\n")
    assert states(project.aiga("run")) == {"only": "done"}


def test_a_project_is_run_by_its_folder_from_elsewhere(tmp_path: Path) -> None:
    project = one_step(tmp_path, "out.write_text('x')")
    done = subprocess.run(
        [sys.executable, "-m", "aiga", "run", project.folder.name],
        cwd=tmp_path,
        env=dict(project.environment),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


TRIALS = """
import os, signal
import aiga

def train(model, n):
    if n == 2:
        aiga.log(score=float("nan"))
    elif n == 3:
        print('{"score": Infinity}')
    elif n == 4:
        raise ValueError("four is not a number here")
    elif n == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    elif n == 6:
        print('{"score": "high"}')
    else:
        aiga.log(score=n)
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
    parallel: 3
    maxFailures: 5
    objective: {metric: score, goal: max}
    space: {n: {int: [0, 7]}}
"""


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Made, str]:
    project = made(tmp_path_factory.mktemp("searched"), GRID, TRIALS)
    return project, project.aiga("run")


def test_trials_without_a_finite_objective_fail_and_the_others_go_on(searched: tuple[Made, str]) -> None:
    project, output = searched
    told = {int(n): state for n, state in re.findall(r"trial (\d): (\w+)", output)}
    assert told == {n: "failed" if 2 <= n <= 6 else "complete" for n in range(8)}
    found = stored(project, tag(output), "train")
    assert (found / "model.txt").read_text() == "7"
    table = yaml.safe_load((found / "metadata.yaml").read_text())["trials"]
    assert [(row["number"], row["value"]) for row in table[:3]] == [(7, 7.0), (1, 1.0), (0, 0.0)]
    assert all(row["state"] == "failed" and row["value"] is None for row in table[3:])
    assert sorted(each.parent.name for each in found.glob("trials/*/model.txt")) == ["0000", "0001", "0007"]


@pytest.mark.parametrize("where", ["on the screen", "in the store"])
def test_why_a_trial_failed_is_told(searched: tuple[Made, str], where: str) -> None:
    project, output = searched
    kept = stored(project, tag(output), "train")
    logs = (p.read_text() for p in kept.rglob("*") if p.is_file() and "journal" not in p.parts)
    assert "four is not a number here" in (output if where == "on the screen" else "\n".join(logs))


def test_more_failed_trials_than_allowed_end_the_search_and_mending_them_helps(tmp_path: Path) -> None:
    project = made(tmp_path, GRID.replace("maxFailures: 5", "maxFailures: 1"), TRIALS)
    output = project.aiga("run", code=1)
    assert re.search(r"train: \d trials failed, more than maxFailures 1; the last, trial \d: \S", output)
    assert not (project.home / "store" / "line" / "models").exists()
    project.change("steps.py", "if n == 2:", "if n < 0:")
    project.change("steps.py", "elif n == ", "elif -n == ")
    assert "model line@1 is in production" in project.aiga("run")
