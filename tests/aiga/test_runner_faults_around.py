"""Whole runs whose data, store or neighbours go wrong: what the user is told, what is left, and that mending helps."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import store_world
import yaml
from fault_projects import eventually, limit_the_runner, one_step, processes, stored
from rich.console import Console
from runner_projects import PROJECT, SEARCH, Made, kill, made, states, tag

from aiga.runner import place, run
from aiga.runner.screen import Screen
from aiga.sources import datasets
from aiga.spec import load
from aiga.store import open_store

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


def test_the_lineage_of_a_reader_names_the_dataset(reader: Made) -> None:
    assert "line/orders" in reader.aiga("lineage")


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


def test_a_store_that_is_no_folder_is_told_with_a_remedy_of_the_users(lost: tuple[Made, str, str]) -> None:
    assert "choose another key" not in lost[1]


def test_two_runs_at_the_same_time_both_succeed_with_versions_of_their_own(tmp_path: Path) -> None:
    project = made(tmp_path, UNJUDGED)
    running = [project.start("run", "-p", f"train.rate={rate}") for rate in (0.25, 0.26)]
    outputs = [process.communicate(timeout=120)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0], outputs
    assert len({tag(output) for output in outputs}) == 2
    versions = [re.findall(r"model line@(\d) is in production", output) for output in outputs]
    assert max(versions) == ["2"], "the newer one stands, whichever run ended last"
    models = project.home / "store" / "line" / "models"
    rates = {yaml.safe_load((models / n / "model.yaml").read_text())["parameters"]["rate"] for n in "12"}
    assert rates == {0.25, 0.26}
    assert set(states(project.aiga("run")).values()) == {"reused"}


def test_what_two_runs_publish_at_the_same_time_is_one_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, data = open_store(str(tmp_path / "store")), tmp_path / "numbers.txt"
    data.write_text("1\n2\n")
    together, count = threading.Barrier(2), datasets.tables.count

    def counted_by_both(path: Path) -> int | None:
        """Rows are counted after the newest version was looked for."""
        with contextlib.suppress(threading.BrokenBarrierError):
            together.wait(5)
        return count(path)

    monkeypatch.setattr(datasets.tables, "count", counted_by_both)
    with ThreadPoolExecutor(2) as pool:
        versions = list(pool.map(lambda _: datasets.publish(store, "line", "numbers", data, {}), range(2)))
    assert versions == [1, 1]


def test_two_runs_at_the_same_time_do_not_write_one_checkpoint(tmp_path: Path) -> None:
    project = one_step(
        tmp_path,
        'mine = Path(os.environ["AIGA_CHECKPOINT"]) / "mine"; mine.write_text(str(os.getpid()))\n'
        f'    Path("{tmp_path}", f"begun-{{os.getpid()}}").touch()\n'
        f'    while not Path("{tmp_path}/go").exists(): time.sleep(0.02)\n'
        '    assert mine.read_text() == str(os.getpid()), "another try wrote it"; out.write_text("x")',
        "timeout: 90s",
    )
    running = []
    for count in (1, 2):
        running.append(project.start("run"))
        eventually(lambda count=count: len(list(tmp_path.glob("begun-*"))) == count)
    (tmp_path / "go").touch()
    outputs = [process.communicate(timeout=60)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0], outputs


def test_a_killed_run_is_taken_up_by_one_of_two_at_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = one_step(tmp_path, "time.sleep(0.5); out.write_text('x')")
    process = project.start("run")
    eventually(lambda: any(project.home.glob("work/line/*/only/process.json")))
    kill(process, 0)
    together, find = threading.Barrier(2), run._killed

    def found_by_both(*asked: Any) -> Any:
        killed = find(*asked)
        with contextlib.suppress(threading.BrokenBarrierError):
            together.wait(5)
        return killed

    monkeypatch.setattr(run, "_killed", found_by_both)
    monkeypatch.setenv("AIGA_HOME", str(project.home))

    def asked(_: int) -> str:
        here = place.of(project.folder, "line")
        with open(os.devnull, "w") as nothing:
            screen = Screen(Console(file=nothing))
            return run.run(run.Request(project.folder), load(project.folder).project, here, screen).tag

    with ThreadPoolExecutor(2) as pool:
        tags = list(pool.map(asked, range(2)))
    assert len(set(tags)) == 2


def test_a_full_disk_under_the_working_folders_is_one_line(tmp_path: Path, server: store_world.Server) -> None:
    limited = f"{limit_the_runner(200)}; sys.exit(75)"
    project = one_step(tmp_path, limited, "retries: {limit: 1, delay: 1ms}")
    elsewhere = f"s3://{server.bucket()}?endpoint={server.endpoint}"
    output, _ = project.start("run", AIGA_STORE=elsewhere, **SIGNED_IN).communicate(timeout=60)
    assert "File too large" in output
    assert "Traceback" not in output


SEARCHING = UNJUDGED.replace("  parameters: {rate: 0.25}\n", SEARCH.lstrip("\n"))


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
