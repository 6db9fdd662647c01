"""Searches for tests, and a process that works on one until it is killed."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

from aiga.search.study import Study
from aiga.spec.search import Search
from aiga.store import open_store

PREFIX = "digits/runs/20260101t000000-abcdef/train/search"
SPACE: dict[str, Any] = {"rate": {"log": [0.001, 1.0]}, "depth": {"int": [2, 8]}, "kind": {"choice": ["a", "b"]}}


def searching(**changes: Any) -> Search:
    file = {"space": SPACE, "objective": {"metric": "accuracy"}, "trials": 6, "method": "random", **changes}
    return Search.model_validate(file)


def objective(parameters: dict[str, Any]) -> float:
    """Best at a rate of 0.1 and depth 5."""
    away = abs(parameters["rate"] - 0.1) + abs(parameters["depth"] - 5) / 10 + (parameters["kind"] == "a") / 100
    return -float(away)


def opened(folder: Path, search: Search, **options: Any) -> Study:
    return Study.open(search, "train", open_store(str(folder)), PREFIX, **options)


def worked(study: Study) -> list[int]:
    """Asks and tells until nothing is left; the numbers that were asked."""
    numbers = []
    while trial := study.ask():
        numbers.append(trial.number)
        study.tell(trial.number, objective(trial.parameters))
    return numbers


_PROCESS = """
import json, sys
from pathlib import Path
from search_world import objective, opened
from aiga.spec.search import Search
study = opened(Path(sys.argv[1]), Search.model_validate_json(sys.argv[2]))
print("ready", flush=True)
sys.stdin.readline()
while trial := study.ask():
    print(json.dumps({"asked": trial.number}), flush=True)
    study.tell(trial.number, objective(trial.parameters))
    print(json.dumps({"told": trial.number}), flush=True)
"""


def process(folder: Path, search: Search) -> Popen[str]:
    """A process that has opened the study, and works on it once a line is written to it."""
    here = Path(__file__).parent
    started = Popen(
        [sys.executable, "-c", _PROCESS, str(folder), search.model_dump_json(by_alias=True)],
        stdin=PIPE,
        stdout=PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{here.parent.parent}{os.pathsep}{here}"},
    )
    assert started.stdout is not None
    assert started.stdout.readline() == "ready\n"
    return started


def begin(started: Popen[str]) -> None:
    assert started.stdin is not None
    started.stdin.write("go\n")
    started.stdin.flush()


def numbers(output: str, event: str) -> list[int]:
    return [line[event] for line in map(json.loads, output.splitlines()) if event in line]
