"""Whole runs, by the command that a user types: reused steps, gates, searches, failures, kills."""

from __future__ import annotations

import json
import random
import re
import signal
import time
from pathlib import Path

import pytest
import yaml
from runner_projects import PROJECT, SEARCH, Made, kill, made, states, tag

SEARCHING = PROJECT.replace("  parameters: {rate: 0.25}\n", SEARCH.lstrip("\n"))


@pytest.fixture
def line(tmp_path: Path) -> Made:
    return made(tmp_path)


@pytest.fixture
def searching(tmp_path: Path) -> Made:
    return made(tmp_path, SEARCHING)


def metadata(project: Made, run: str, step: str) -> dict[str, object]:
    return dict(yaml.safe_load((project.home / "store" / "line" / "runs" / run / step / "metadata.yaml").read_text()))


def test_a_project_goes_from_data_to_a_promoted_model(line: Made) -> None:
    output = line.aiga("run")
    assert states(output) == dict.fromkeys(["make", "total", "train", "evaluate"], "done")
    assert "accuracy: 0.95" in output
    assert "line@1 is in production" in output
    model = json.loads((line.home / "store" / "line" / "models" / "1" / "model.json").read_text())
    assert model == {"rate": 0.25, "sum": 4950}, "a value came as the argument it is, and a parameter with its type"


def test_a_project_is_named_by_where_it_is_from_here(line: Made) -> None:
    elsewhere = Made(line.folder.parent, line.home)
    assert "line@1 is in production" in elsewhere.aiga("run", "line")


def test_a_scaffold_is_a_project_without_mistakes(tmp_path: Path) -> None:
    here = Made(tmp_path, tmp_path / "home")
    here.aiga("init", "My Flowers")
    assert "valid" in here.aiga("validate", "My Flowers")
    explained = here.aiga("explain", "My Flowers")
    assert "name = my-flowers" in explained
    assert "serve.server = onnx  (project.yaml:" in explained, "`aiga serve` is the next thing to try"
    assert "exists already" in here.aiga("init", "My Flowers", code=2)


def test_the_second_run_skips_what_did_not_change(line: Made) -> None:
    line.aiga("run")
    output = line.aiga("run")
    assert set(states(output).values()) == {"reused"}
    assert "line@1 is in production" in output, "the same model is not registered twice"


def test_a_change_runs_what_depends_on_it_and_says_why(line: Made) -> None:
    line.aiga("run")
    line.change("project.yaml", "rate: 0.25", "rate: 0.28")
    output = line.aiga("run")
    assert states(output) == {"make": "reused", "total": "reused", "train": "done", "evaluate": "done"}
    assert "parameter rate 0.25 → 0.28" in output
    assert "input model changed" in output


def test_a_parameter_is_overridden_for_one_run(line: Made) -> None:
    line.aiga("run")
    output = line.aiga("run", "-p", "rate=0.3")
    assert "accuracy: 1" in output
    assert json.loads((line.home / "store" / "line" / "models" / "2" / "model.json").read_text())["rate"] == 0.3
    assert set(states(line.aiga("run")).values()) == {"reused"}, "the file's own value is as it was"
    assert "nearest" in (wrong := line.aiga("run", "-p", "rat=1", code=2)) or "rate" in wrong


def test_a_failed_gate_promotes_nothing(line: Made) -> None:
    line.aiga("run")
    line.change("project.yaml", "rate: 0.25", "rate: 0.9")
    output = line.aiga("run", code=3)
    assert "rejected" in output
    assert "accuracy" in output
    assert not (line.home / "store" / "line" / "models" / "2" / "model.yaml").exists()
    listed = line.aiga("models")
    assert re.search(r"^1\s+production", listed, re.MULTILINE)


def test_a_failed_step_stops_only_what_depends_on_it(line: Made) -> None:
    line.change("steps.py", 'return {"sum": sum', 'raise RuntimeError("no total")\n    return {"sum": sum')
    line.write(
        "project.yaml",
        PROJECT.replace(
            "train:\n", '- {name: aside, run: "steps:make", out: {numbers: n.txt}, parameters: {count: 3}}\ntrain:\n'
        )
        .replace("in: [numbers", "in: [make.numbers")
        .replace("in: [make.numbers, sum]", "in: {numbers: make.numbers, sum: sum}")
        .replace("in: [make.numbers]", "in: {numbers: make.numbers}"),
    )
    output = line.aiga("run", code=1)
    assert states(output) == {
        "make": "done",
        "aside": "done",
        "total": "failed",
        "train": "skipped",
        "evaluate": "skipped",
    }
    assert "RuntimeError: no total" in output
    assert "steps.py" in output


def test_a_search_takes_the_best_trial_as_the_model(searching: Made) -> None:
    output = searching.aiga("run")
    tried = re.findall(r"trial (\d+): complete, score ([\d.]+) \(rate=([\d.]+)\)", output)
    assert len(tried) == 6
    best = max(tried, key=lambda t: float(t[1]))
    model = json.loads((searching.home / "store" / "line" / "models" / "1" / "model.json").read_text())
    assert model["rate"] == pytest.approx(float(best[2]), abs=1e-3)
    evidence = yaml.safe_load((searching.home / "store" / "line" / "models" / "1" / "model.yaml").read_text())
    assert [t["rank"] for t in evidence["trials"]] == [1, 2, 3, 4, 5, 6]


def test_how_a_search_goes_is_no_reason_to_search_again(searching: Made) -> None:
    searching.aiga("run")
    searching.change("project.yaml", "parallel: 2", "parallel: 1")
    assert states(searching.aiga("run"))["train"] == "reused"
    searching.change("project.yaml", "trials: 6", "trials: 7")
    assert "search trials 6 → 7" in searching.aiga("run")


def test_a_killed_run_is_taken_up_with_the_trials_it_finished(searching: Made) -> None:
    searching.change("project.yaml", "run: steps:train\n", "run: steps:train\n  parameters: {slow: 0.6}\n")
    process = searching.start("run")
    store = searching.home / "store" / "line" / "runs"
    deadline = time.monotonic() + 60
    while len(list(store.glob("*/train/trials/*/metadata.yaml"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    kill(process, 0)
    finished = sorted(p.parent.name for p in store.glob("*/train/trials/*/metadata.yaml"))
    assert 2 <= len(finished) < 6, "it was to be killed before its end"
    output = searching.aiga("run")
    assert "taken up" in output
    run = tag(output)
    assert [p.name for p in store.iterdir()] == [run], "it is the same run"
    assert {"make", "total"} <= {step for step, state in states(output).items() if state == "reused"}
    trials = metadata(searching, run, "train")["trials"]
    assert isinstance(trials, list)
    assert len(trials) == 6
    assert {int(n) for n in finished} <= {t["number"] for t in trials}


@pytest.mark.parametrize("seed", range(4))
def test_a_run_killed_at_any_point_ends_as_one_that_was_not(searching: Made, seed: int) -> None:
    moment = random.Random(seed).uniform(0.5, 4)
    kill(searching.start("run"), moment)
    searching.aiga("run")
    killed = json.loads((searching.home / "store" / "line" / "models" / "1" / "model.json").read_text())
    (searching.folder.parent / "other").mkdir()
    other = made(searching.folder.parent / "other", SEARCHING)
    other.aiga("run")
    assert killed == json.loads((other.home / "store" / "line" / "models" / "1" / "model.json").read_text())


def test_ctrl_c_leaves_a_run_that_goes_on(line: Made) -> None:
    line.change("project.yaml", "{rate: 0.25}", "{rate: 0.25, slow: 30.0}")
    process = line.start("run")
    work = line.home / "work" / "line"
    deadline = time.monotonic() + 60
    while not list(work.glob("*/train/process.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "the same command takes it up again" in output
    assert "Traceback" not in output


def test_approval_is_waited_for_and_given_from_elsewhere(line: Made) -> None:
    line.write("project.yaml", PROJECT + "approve: {timeout: 60s}\n")
    process = line.start("run")
    record = line.home / "store" / "line" / "runs"
    deadline = time.monotonic() + 60
    while not any("state: waiting" in p.read_text() for p in record.glob("*/run.yaml")) and time.monotonic() < deadline:
        time.sleep(0.1)
    run = next(record.iterdir()).name
    assert "production" not in line.aiga("models")
    line.aiga("approve", run, "--why", "it looks right")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert "line@1 is in production" in output
    assert "decided" in line.aiga("approve", run, "--reject", code=2), "a decision stands"


def test_rejection_leaves_production_as_it_is(line: Made) -> None:
    line.write("project.yaml", PROJECT + "approve: {timeout: 1s, onTimeout: reject}\n")
    output = line.aiga("run", code=3)
    assert "nobody decided within 1s" in output
    assert "production" not in line.aiga("models")


def test_a_retry_gets_its_checkpoint_back(line: Made) -> None:
    line.write(
        "steps.py",
        """
        import os, sys
        from pathlib import Path
        def make(numbers: Path, count: int) -> None:
            seen = Path(os.environ["AIGA_CHECKPOINT"]) / "seen"
            tries = int(seen.read_text()) if seen.exists() else 0
            seen.write_text(str(tries + 1))
            if tries < 2:
                sys.exit(75)
            numbers.write_text(str(tries))
        """,
    )
    line.write(
        "project.yaml",
        """
        apiVersion: aiga.dev/v1
        name: line
        etl:
        - name: make
          run: steps:make
          out: {numbers: numbers.txt}
          parameters: {count: 1}
          retries: {limit: 3, delay: 10ms}
        """,
    )
    output = line.aiga("run")
    assert output.count("tried again") == 2
    assert (line.home / "store" / "line" / "runs" / tag(output) / "make" / "numbers.txt").read_text() == "2"


def test_lineage_ends_at_the_datas_digest_and_reproduce_says_equal(line: Made) -> None:
    run = tag(line.aiga("run"))
    digest = metadata(line, run, "make")["outputs"]["numbers"]["digest"]  # type: ignore[index]  # a mapping
    told = line.aiga("lineage")
    assert digest[:19] in told
    assert re.search(r"sum=4950 .*/total", told), "values have an origin too"
    output = line.aiga("reproduce")
    assert "line@1: equal" in output
    assert "differs" not in output


def test_two_runs_are_compared_by_what_differs(line: Made) -> None:
    first = tag(line.aiga("run"))
    second = tag(line.aiga("run", "-p", "rate=0.3"))
    output = line.aiga("compare", first, second)
    assert re.search(r"train\.rate\s+0\.25\s+0\.3\b", output)
    assert re.search(r"metric accuracy\s+0\.95\s+1\b", output)
    assert "make → numbers" not in output
    assert second in line.aiga("runs")


def test_another_mistake_than_a_failing_step_is_one_line(line: Made) -> None:
    line.change("project.yaml", "in: [numbers, sum]", "in: [numbers, summ]")
    output = line.aiga("run", code=2)
    assert re.search(r"project\.yaml:\d+: train\.in.*summ.*sum", output)
    assert not (line.home / "store").exists(), "nothing was created"


def test_a_version_taken_out_of_production_stays_out(line: Made) -> None:
    line.aiga("run")
    line.aiga("run", "-p", "rate=0.3")
    line.aiga("rollback", "--why", "complaints")
    output = line.aiga("run", "-p", "rate=0.3")
    assert "line@2 was taken out of production, and stays out" in output
    assert re.search(r"^1\s+production", line.aiga("models"), re.MULTILINE)
    line.aiga("promote", "2")
    assert re.search(r"^2\s+production", line.aiga("models"), re.MULTILINE)


LABELLED = PROJECT.replace(
    "train:\n  run: steps:train\n  in: [numbers, sum]",
    "label: {data: numbers, output: labels, need: 2, timeout: 60s}\n"
    "train:\n  run: steps:train_on\n  in: [numbers, sum, labels]",
)
TRAIN_ON = """

def train_on(labels: Path, numbers: Path, sum: int, model: Path, rate: float) -> None:
    assert labels.read_text().splitlines()[0] == "row,label"
    train(numbers, sum, model, rate)
"""


def test_labels_are_waited_for_and_asked_for_once(line: Made) -> None:
    line.write("project.yaml", LABELLED)
    line.write("steps.py", (line.folder / "steps.py").read_text() + TRAIN_ON)
    process = line.start("run")
    runs = line.home / "store" / "line" / "runs"
    deadline = time.monotonic() + 60
    while not list(runs.glob("*/total/metadata.yaml")) and time.monotonic() < deadline:
        time.sleep(0.1)
    run = next(runs.iterdir()).name
    line.write("few.csv", "row,label\n0,1\n")
    assert "asks for 2 labels" in line.aiga("label", run, "--file", "few.csv", code=2)
    line.write("labels.csv", "row,label\n0,1\n1,0\n")
    assert re.search(rf"^{run}\s+waiting", line.aiga("runs"), re.MULTILINE)
    line.aiga("label", run, "--file", "labels.csv")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert "label: done" in output
    assert states(line.aiga("run"))["label"] == "reused", "nobody labels the same data twice"


def test_nobody_labels_in_time(line: Made) -> None:
    line.write("project.yaml", LABELLED.replace("timeout: 60s", "timeout: 1s"))
    line.write("steps.py", (line.folder / "steps.py").read_text() + TRAIN_ON)
    output = line.aiga("run", code=1)
    assert "nobody gave 2 labels within 1s" in output
    assert states(output)["train"] == "skipped"


def test_a_search_in_rounds_of_containers_ends_as_one_here(searching: Made) -> None:
    process = searching.start("run")  # its steps before training are done; then it is killed
    store = searching.home / "store" / "line" / "runs"
    deadline = time.monotonic() + 60
    while not list(store.glob("*/total/metadata.yaml")) and time.monotonic() < deadline:
        time.sleep(0.02)
    kill(process, 0)
    run = next(store.iterdir()).name
    numbers = []
    while trials := json.loads(searching.aiga("search", "suggest", "--run", run, "--count", "3").splitlines()[-1]):
        for trial in trials:
            told = json.loads(
                searching.aiga("search", "trial", "--run", run, "--trial", json.dumps(trial)).splitlines()[-1]
            )
            assert told["state"] == "complete"
            numbers.append(told["number"])
    ranked = json.loads(searching.aiga("search", "rank", "--run", run).splitlines()[-1])
    assert len(ranked) == len(numbers) == 6
    model = json.loads((store / run / "train" / "model.json").read_text())
    assert model["rate"] == ranked[0]["parameters"]["rate"]


def test_a_watched_project_runs_again_when_its_source_changes(line: Made) -> None:
    line.write("rows.txt", "1 2 3")
    line.write(
        "project.yaml",
        """
        apiVersion: aiga.dev/v1
        name: line
        sources:
          rows: {kind: files, path: rows.txt}
        etl:
        - {name: total, run: "steps:total", in: {numbers: rows}, returns: {sum: integer}}
        schedule: {watch: 500ms}
        """,
    )
    process = line.start("run", "--watch")
    runs = line.home / "store" / "line" / "runs"

    def totals() -> list[object]:
        return [yaml.safe_load(p.read_text())["returned"]["sum"] for p in sorted(runs.glob("*/total/metadata.yaml"))]

    def until(count: int) -> list[object]:
        deadline = time.monotonic() + 60
        while len(totals()) < count and time.monotonic() < deadline:
            time.sleep(0.1)
        return totals()

    assert until(1) == [6]
    line.write("rows.txt", "1 2 3 4")
    assert until(2) == [6, 10]
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert "watch: source rows" in output
    assert process.returncode == 130
