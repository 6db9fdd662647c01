"""Whole runs whose steps, data or store go wrong: what the user is told, what is left, and that mending helps."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import store_world
import yaml
from fault_projects import FAULTS, HARMLESS, HUGE, Ran, one_step, processes, ran, stored
from rich.console import Console
from runner_projects import PROJECT, SEARCH, Made, kill, made, states, tag

from aiga.runner import place, run
from aiga.runner.screen import Screen
from aiga.spec import load

UNJUDGED = PROJECT[: PROJECT.index("evaluate:")]
ETL = "apiVersion: aiga.dev/v1\nname: line\netl:\n"


SIGNED_IN = {
    "AWS_ACCESS_KEY_ID": store_world.ACCESS,
    "AWS_SECRET_ACCESS_KEY": store_world.SECRET,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


@pytest.fixture
def server() -> Iterator[store_world.Server]:
    """A server of this test's own, which it may kill."""
    made_ = store_world.new_server()
    yield made_
    made_.remove()


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
        *(
            pytest.param(name, marks=pytest.mark.xfail(strict=True, reason="the frame told is the library's innermost"))
            for name in ("fills", "full")
        ),
    ],
)
def test_the_line_of_the_users_own_file_is_told(faulty: Ran, step: str) -> None:
    assert re.search(rf"\b{step}\.py:\d+|imports pandsa", faulty.told(step))


@pytest.mark.parametrize(("step", "key"), [("hangs", "`timeout`"), ("greedy", "resources")])
@pytest.mark.xfail(strict=True, reason="a limit that was hit is told without the key that raises it")
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


@pytest.mark.xfail(strict=True, reason="the digest of an output that is a pipe or a device is never done")
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


@pytest.mark.xfail(strict=True, reason="`ended by the runner` stands before what the step's wrapper said itself")
def test_a_step_whose_own_records_cannot_be_written_says_so(tmp_path: Path) -> None:
    project = one_step(tmp_path, f"{_LIMIT_OF}(os.getppid(), resource.RLIMIT_FSIZE, (1000, 1000)); out.write_text('x')")
    assert "cannot be written" in project.aiga("run", code=1)


_LIMIT_OF = "resource.prlimit"
_RUNNER = "int(Path(f'/proc/{os.getppid()}/stat').read_text().rpartition(')')[2].split()[1])"


def test_a_store_that_is_full_ends_the_run_with_what_could_not_be_kept(tmp_path: Path) -> None:
    project = one_step(
        tmp_path, f"{_LIMIT_OF}({_RUNNER}, resource.RLIMIT_FSIZE, (2000, 2000)); out.write_text('x' * 9000)"
    )
    output = project.aiga("run", code=1)
    assert states(output) == {"only": "failed"}
    assert re.search(r"home/store: line/runs/\S+/only/only\.txt: File too large", output)
    assert not (stored(project, tag(output), "only") / "only.txt").exists()
    project.write("only.py", "def step(out):\n    out.write_text('x' * 9000)\n")
    assert states(project.aiga("run")) == {"only": "done"}


@pytest.mark.xfail(strict=True, reason="an OSError of the runner's own working folders is a traceback")
def test_a_full_disk_under_the_working_folders_is_one_line(tmp_path: Path, server: store_world.Server) -> None:
    limited = f"{_LIMIT_OF}({_RUNNER}, resource.RLIMIT_FSIZE, (200, 200)); sys.exit(75)"
    project = one_step(tmp_path, limited, "retries: {limit: 1, delay: 1ms}")
    elsewhere = f"s3://{server.bucket()}?endpoint={server.endpoint}"
    output, _ = project.start("run", AIGA_STORE=elsewhere, **SIGNED_IN).communicate(timeout=60)
    assert "File too large" in output
    assert "Traceback" not in output


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
    assert sorted(each.name for each in (found / "trials").iterdir()) == ["0000", "0001", "0007"]


@pytest.mark.xfail(
    strict=True, reason="the line of a failed trial has no reason, and its log goes with the work folder"
)
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


CONTRACT = """
apiVersion: aiga.dev/v1
name: line
sources:
  orders:
    kind: files
    path: orders.csv
    expect:
      columns: {age: {type: integer, min: 0}, city: {type: text, values: [Rome, Oslo]}}
      rows: {min: 2, duplicates: false}
etl:
- {name: clean, run: "steps:copied", in: {data: orders}, out: {table: table.csv}, publish: {orders: {output: table}}}
train: {run: "steps:copied", in: {data: table}, out: {table: clean.csv, model: model.txt}}
"""
READER = """
apiVersion: aiga.dev/v1
name: reader
sources: {orders: {kind: dataset, project: line, dataset: orders}}
train: {run: "steps:copied", in: {data: orders}, out: {table: clean.csv, model: model.txt}}
"""
COPIED = """
def copied(data, table, model=None):
    for each in (table, model):
        if each is not None:
            each.write_text(data.read_text())
"""
BAD, CLEAN = "age,city\n30,Rome\n-4,Oslo\n30,Rome\n40,Paris\n", "age,city\n30,Rome\n40,Oslo\n"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Made, str]:
    """A project that read bad data, then mended data; and what the first run said."""
    project = made(tmp_path_factory.mktemp("published"), CONTRACT, COPIED)
    project.write("orders.csv", BAD)
    refused = project.aiga("run", code=2)
    project.write("orders.csv", CLEAN)
    assert "dataset line/orders: version 1" in project.aiga("run")
    return project, refused


@pytest.fixture(scope="module")
def reader(published: tuple[Made, str], tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Another project with the same home."""
    project = made(tmp_path_factory.mktemp("reader"), READER, COPIED)
    project.home = published[0].home
    project.aiga("run")
    return project


def test_data_that_breaches_its_contract_stops_the_run_before_any_step(published: tuple[Made, str]) -> None:
    project, refused = published
    assert states(refused) == {}
    for breach in (r"'age': must be at least 0.*'-4' \(row 2\)", r"'city': .*'Paris' \(row 4\)", "rows: .*row 3"):
        assert re.search(f"source orders: .*{breach}", refused), "all breaches at once"
    assert "mend the data, or its `expect:`" in refused
    kept = stored(project, tag(refused))
    assert [each.name for each in kept.iterdir()] == ["run.yaml"]
    assert yaml.safe_load((kept / "run.yaml").read_text())["state"] == "failed"


def test_a_published_dataset_is_read_by_another_project_and_a_new_version_of_it(
    published: tuple[Made, str], reader: Made
) -> None:
    models = reader.home / "store" / "reader" / "models"
    assert (models / "1" / "model.txt").read_text() == CLEAN
    origin = yaml.safe_load((models / "1" / "model.yaml").read_text())["data"]["orders"]["origin"]
    assert (origin["project"], origin["dataset"], origin["version"]) == ("line", "orders", 1)
    assert states(reader.aiga("run")) == {"train": "reused"}
    published[0].write("orders.csv", CLEAN + "50,Rome\n")
    assert "dataset line/orders: version 2" in published[0].aiga("run")
    output = reader.aiga("run")
    assert "input data changed" in output
    assert (models / "2" / "model.txt").read_text() == CLEAN + "50,Rome\n"


@pytest.mark.xfail(strict=True, reason="the end of a lineage has no words for the origin of a dataset")
def test_the_lineage_of_a_reader_names_the_dataset(reader: Made) -> None:
    assert re.search(r"line/orders\b.*1", reader.aiga("lineage"))


def test_a_dataset_that_is_not_there_is_told_with_those_that_are(reader: Made) -> None:
    reader.change("project.yaml", "dataset: orders}", "dataset: ordres}")
    output = reader.aiga("run", code=2)
    reader.change("project.yaml", "dataset: ordres}", "dataset: orders}")
    assert re.search(r"source orders: dataset line/ordres: .*line has published orders", output)


LOSES = """
from pathlib import Path

def loses(out, store):
    folder = Path(store)
    folder.rename(folder.with_name("aside"))
    folder.write_text("no folder any more")
    out.write_text("x")

def after(out, b):
    b.write_text(out.read_text())
"""


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory) -> tuple[Made, str, str]:
    """A project whose store becomes a file in mid-run, what that run said, and the next one when it is a folder."""
    folder = tmp_path_factory.mktemp("lost")
    store = folder / "home" / "store"
    steps = f'- {{name: loses, run: "steps:loses", out: {{out: a.txt}}, parameters: {{store: "{store}"}}}}\n'
    project = made(folder, ETL + steps + '- {name: after, run: "steps:after", in: [out], out: {b: b.txt}}\n', LOSES)
    output = project.aiga("run", code=2)
    store.unlink()
    store.with_name("aside").rename(store)
    project.change("steps.py", 'folder.rename(folder.with_name("aside"))', "return out.write_text('x')")
    return project, output, project.aiga("run")


def test_a_store_that_becomes_unwritable_ends_the_run_and_names_it(lost: tuple[Made, str, str]) -> None:
    project, output, again = lost
    assert states(output) == {"loses": "failed", "after": "skipped"}
    assert re.search(rf"{project.home}/store: line/runs/\S+ cannot be stored", output)
    assert states(again) == {"loses": "done", "after": "done"}


@pytest.mark.xfail(strict=True, reason="a store whose root is a file is told as a key that is taken")
def test_a_store_that_is_no_folder_is_told_with_a_remedy_of_the_users(lost: tuple[Made, str, str]) -> None:
    assert "choose another key" not in lost[1]


def test_two_runs_at_the_same_time_both_succeed_with_versions_of_their_own(tmp_path: Path) -> None:
    project = made(tmp_path, UNJUDGED.replace("{count: 100}", "{count: 100}, publish: {numbers: {output: numbers}}"))
    running = [project.start("run", "-p", f"train.rate={rate}") for rate in (0.25, 0.26)]
    outputs = [process.communicate(timeout=120)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0], outputs
    assert len({tag(output) for output in outputs}) == 2
    versions = [re.findall(r"model line@(\d) is in production", output) for output in outputs]
    assert sorted(versions) == [["1"], ["2"]]
    models = project.home / "store" / "line" / "models"
    rates = {yaml.safe_load((models / n / "model.yaml").read_text())["parameters"]["rate"] for n in "12"}
    assert rates == {0.25, 0.26}
    datasets = project.home / "store" / "line" / "datasets" / "numbers"
    assert [each.name for each in datasets.iterdir()] == ["1"], "both published the same"
    assert set(states(project.aiga("run")).values()) == {"reused"}


@pytest.mark.xfail(strict=True, reason="checkpoints are kept by fingerprint alone, whichever run works in them")
def test_two_runs_at_the_same_time_do_not_write_one_checkpoint(tmp_path: Path) -> None:
    project = one_step(
        tmp_path,
        'mine = Path(os.environ["AIGA_CHECKPOINT"]) / "mine"; mine.write_text(str(os.getpid())); time.sleep(2); '
        'assert mine.read_text() == str(os.getpid()), "another try wrote it"; out.write_text("x")',
    )
    first = project.start("run")
    _eventually(lambda: any(project.home.glob("work/line/checkpoints/*/mine")))
    second = project.start("run")
    codes = [process.wait(60) for process in (first, second)]
    for process in (first, second):
        process.communicate()
    assert codes == [0, 0]


@pytest.mark.xfail(strict=True, reason="between finding a killed run and saving its record, another may find it too")
def test_a_killed_run_is_taken_up_by_one_of_two_at_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = one_step(tmp_path, "time.sleep(0.5); out.write_text('x')")
    process = project.start("run")
    _eventually(lambda: any(project.home.glob("work/line/*/only/process.json")))
    kill(process, 0)
    together, find = threading.Barrier(2), run._killed

    def found_by_both(*asked: Any) -> Any:
        killed = find(*asked)
        with contextlib.suppress(threading.BrokenBarrierError):
            together.wait(5)
        return killed

    monkeypatch.setattr(run, "_killed", found_by_both)
    monkeypatch.setenv("AIGA_HOME", str(project.home))
    tags: list[str] = []

    def asked() -> None:
        here = place.of(project.folder, "line")
        with open(os.devnull, "w") as nothing:
            screen = Screen(Console(file=nothing))
            tags.append(run.run(run.Request(project.folder), load(project.folder).project, here, screen).tag)

    threads = [threading.Thread(target=asked) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(set(tags)) == 2


SEARCHING = PROJECT.replace("  parameters: {rate: 0.25}\n", SEARCH.lstrip("\n"))


def test_a_run_in_s3_leaves_what_one_in_a_folder_leaves(tmp_path: Path, server: store_world.Server) -> None:
    bucket = server.bucket()
    address = f"s3://{bucket}/some/prefix?endpoint={server.endpoint}"
    projects, outputs = [], []
    for name, variables in (("folder", {}), ("s3", {"AIGA_STORE": address, **SIGNED_IN})):
        (tmp_path / name).mkdir()
        projects.append(made(tmp_path / name, SEARCHING))
        outputs.append(projects[-1].aiga("run", **variables))
    assert states(outputs[0]) == states(outputs[1])
    folder, objects = projects[0].home / "store", server.data / bucket / "some" / "prefix"
    assert _layout(folder) == _layout(objects)
    assert not (projects[1].home / "store").exists(), "nothing of it is kept beside"
    for file in ("models/1/model.json", "models/stages.yaml"):
        texts = [re.sub(r"\d{8}t\S+|\d{4}-\S+", "", (root / "line" / file).read_text()) for root in (folder, objects)]
        assert texts[0] == texts[1], file
    again = projects[1].aiga("run", AIGA_STORE=address, **SIGNED_IN)
    assert set(states(again).values()) == {"reused"}


def test_a_store_that_goes_away_in_mid_run_is_worth_another_try(tmp_path: Path, server: store_world.Server) -> None:
    assert server.process is not None
    kills = f"if Path('{tmp_path}/once').exists(): os.kill({server.process.pid}, 9); time.sleep(0.1)"
    project = one_step(tmp_path, f"{kills}\n    out.write_text('x')")
    (tmp_path / "once").touch()
    variables = {"AIGA_STORE": f"s3://{server.bucket()}?endpoint={server.endpoint}", **SIGNED_IN}
    output = project.aiga("run", code=75, **variables)
    assert states(output) == {"only": "failed"}
    assert f"{server.endpoint} cannot be reached" in output
    assert processes(project) == []
    (tmp_path / "once").unlink()
    server.start()
    assert states(project.aiga("run", **variables)) == {"only": "done"}


def _layout(root: Path) -> list[str]:
    """Keys of all objects, without what differs from run to run."""
    keys = [p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()]
    plain = [re.sub(r"\d{8}t\d{6}-[0-9a-f]{6}", "TAG", key) for key in keys if not key.startswith(".store/")]
    return sorted(re.sub(r"journal/\d+", "journal/N", key) for key in plain)


def _eventually(holds: object) -> None:
    until = time.monotonic() + 30
    while not holds():  # type: ignore[operator]  # a function without arguments
        assert time.monotonic() < until
        time.sleep(0.02)
