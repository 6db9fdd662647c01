"""`aiga reproduce`: projects trained again from the store, and what is told where the result is another."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from runner_projects import PROJECT, Made, made, tag

LABELLED = """
apiVersion: aiga.dev/v1
name: line
etl:
- {name: make, run: "steps:make", out: {numbers: numbers.txt}}
label: {data: numbers, need: 2, timeout: 60s}
train: {run: "steps:train", in: [labels], out: {model: model.txt}}
"""
LABELLING = """
def make(numbers):
    numbers.write_text("1 2 3")

def train(labels, model):
    model.write_text(labels.read_text())
"""


def test_the_labels_that_were_given_are_taken_again(tmp_path: Path) -> None:
    line = made(tmp_path, LABELLED, LABELLING)
    process = line.start("run")
    runs = line.home / "store" / "line" / "runs"
    deadline = time.monotonic() + 60
    while not list(runs.glob("*/make/metadata.yaml")) and time.monotonic() < deadline:
        time.sleep(0.1)
    line.write("labels.csv", "row,label\n0,1\n1,0\n")
    line.aiga("label", next(runs.iterdir()).name, "--file", "labels.csv")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert "line@1: equal" in line.aiga("reproduce")


def test_what_a_set_orders_is_the_same_again(tmp_path: Path) -> None:
    line = made(tmp_path)
    line.change("steps.py", MAKE.partition("\n")[0], f"{MAKE.partition(chr(10))[0]}\n    {SCATTERED}")
    line.aiga("run", PYTHONHASHSEED="1")
    assert "line@1: equal" in line.aiga("reproduce", PYTHONHASHSEED="2")


@pytest.fixture
def line(tmp_path: Path) -> Made:
    """A project whose lineage ends at what a step makes, which reads a file beside it and what is outside."""
    line = made(tmp_path)
    line.change("steps.py", "def make(numbers: Path, count: int) -> None:", MAKE)
    line.write("extra.ini", "7")
    line.write("../outside", "3")
    line.aiga("run")
    return line


MAKE = """def make(numbers: Path, count: int) -> None:
    count += int(Path("extra.ini").read_text()) + int(Path(__file__).parents[1].joinpath("outside").read_text())
    if not count:
        raise ValueError("no count")"""
SCATTERED = "count += [hash(word) for word in set('abcdefgh')][0] % 997"
OUTSIDE = 'Path(__file__).parents[1].joinpath("outside")'


def test_what_a_step_reads_beside_its_code_is_there_again_and_why_a_run_fails_is_told(line: Made) -> None:
    output = line.aiga("reproduce", code=1)
    assert re.search(r"line@1: cannot be trained again: make: FileNotFoundError: .*outside", output)
    printed = re.search(r"all it printed: (\S+)", output)
    assert printed
    assert "outside" in Path(printed[1]).read_text(), "it is where the message says"


def test_where_it_differs_is_told_step_by_step_with_what_may_be_the_cause(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    line = made(tmp_path)
    line.change("steps.py", "range(count)", f'range(count + int(open("{outside}").read()))')
    line.change("steps.py", "import json\n", f'import json\nimport os\nos.environ["SEEN"] = "{outside}"\n')
    outside.write_text("3")
    line.aiga("run")
    assert "line@1: equal" in line.aiga("reproduce")
    outside.write_text("4")
    run = next((line.home / "store" / "line" / "runs").iterdir())
    metadata = run / "make" / "metadata.yaml"
    metadata.write_text(re.sub(r"(\n  numpy: )'?[\d.]+'?", r"\g<1>0.1", metadata.read_text()))
    output = line.aiga("reproduce", code=1)
    assert "line@1: differs" in output
    for told in ("data make.numbers: differs", "make → numbers: differs", "total sum: differs: 5253 → 5356"):
        assert told in output
    assert re.search(r"^model: differs", output, re.MULTILINE)
    assert re.search(r"^make: packages numpy: differs: 0\.1 → ", output, re.MULTILINE)
    assert "train: parameters" not in output, "only the causes that differ are told"


def test_a_reproduction_uses_the_seed_that_was_recorded(tmp_path: Path) -> None:
    line = made(tmp_path, PROJECT.replace("train:\n", "train:\n  seed: 5\n"))
    line.change("steps.py", "rate: float, slow", "rate: float, seed: int, slow")
    line.change("steps.py", '{"rate": rate, ', '{"rate": rate, "seed": seed, ')
    run = tag(line.aiga("run"))
    line.change("project.yaml", "seed: 5", "seed: 6")
    assert '"seed": 5' in (line.home / "store" / "line" / "runs" / run / "train" / "model.json").read_text()
    assert "line@1: equal" in line.aiga("reproduce")
