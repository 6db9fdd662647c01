"""Suites and pruning in whole runs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from runner_projects import PROJECT, SEARCH, STEPS, Made, made, tag

SUITED = (
    PROJECT.replace("name: line\n", "name: line\nsources:\n  edges: {kind: files, path: edges.txt}\n")
    + "  suites:\n  - {name: edges, version: 1, data: edges, argument: numbers}\n"
)
PRUNED = (
    PROJECT.replace("  parameters: {rate: 0.25}\n", SEARCH.lstrip("\n"))
    .replace(
        "    space: {rate: {float: [0.2, 0.4]}}\n",
        "    space: {rate: {float: [0.0, 1.0]}}\n    prune: {method: median, startup: 1}\n",
    )
    .replace("parallel: 2", "parallel: 1")
    .replace("min: 0.9", "min: 0.1")
)
LOGGED = STEPS.replace(
    '    print(json.dumps({"score": 1 - abs(rate - 0.3)}))\n',
    "    for epoch in range(5):\n"
    '        print(json.dumps({"step": epoch, "score": 1 - abs(rate - 0.3)}), flush=True)\n'
    "        time.sleep(0.1)\n",
)


@pytest.fixture
def suited(tmp_path: Path) -> Made:
    project = made(tmp_path, SUITED)
    project.write("edges.txt", "\n".join(map(str, range(20))))
    return project


def test_a_suite_is_scored_for_candidate_and_production_and_its_versions_keep_their_content(suited: Made) -> None:
    assert "accuracy in edges is 0.95; there is no production model yet" in suited.aiga("run")
    better = suited.aiga("run", "-p", "rate=0.3")
    assert "accuracy in edges is 1, at least production's 0.95 (20 rows)" in better
    worse = suited.aiga("run", "-p", "rate=0.22", code=3)
    assert "accuracy in edges is 0.9, not at least production's 1 (20 rows)" in worse
    suited.write("edges.txt", "\n".join(map(str, range(40))))
    refused = suited.aiga("run", "-p", "rate=0.29", code=2)
    assert re.search(
        r"suite edges: version 1: is sha256:\w+, and was sha256:\w+ in run \w+-\w+: .*version: 2\)", refused
    )
    assert "line@2" in suited.aiga("lineage"), "what cannot be compared is not promoted"
    suited.change("project.yaml", "version: 1, data: edges", "version: 2, data: edges")
    grown = suited.aiga("run", "-p", "rate=0.31", code=3)
    assert "accuracy in edges is 0.975, not at least production's 1 (40 rows)" in grown, "both are scored in it"
    assert "evaluate-suite-edges-v2-production: done" in grown


def test_a_search_prunes_what_is_worse_than_the_median_and_says_so(tmp_path: Path) -> None:
    project = made(tmp_path, PRUNED, LOGGED)
    output = project.aiga("run")
    pruned = re.findall(r"trial (\d+): pruned", output)
    assert pruned, "of six trials over a wide range some are worse than the median"
    run = project.home / "store" / "line" / "runs" / tag(output)
    trials = yaml.safe_load((run / "train" / "metadata.yaml").read_text())["trials"]
    by_state = {state: [t["value"] for t in trials if t["state"] == state] for state in ("pruned", "complete")}
    assert {str(t["number"]) for t in trials if t["state"] == "pruned"} == set(pruned)
    assert max(by_state["complete"]) >= max(by_state["pruned"])
    kept = {str(int(file.parent.name)) for file in (run / "train" / "trials").glob("*/model.json")}
    assert kept == {str(t["number"]) for t in trials} - set(pruned), "a pruned trial leaves no model"
    model = json.loads((run / "train" / "model.json").read_text())
    assert 1 - abs(model["rate"] - 0.3) == pytest.approx(max(by_state["complete"]), abs=1e-6)
