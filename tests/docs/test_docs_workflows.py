"""The workflows cannot run here; what can be known of them is: they parse, are pinned, and call what exists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from docs_world import ROOT, WORKFLOWS, name, targets

JOBS = [path for path in WORKFLOWS if path.parent.name == "workflows"]
each_file = pytest.mark.parametrize("path", WORKFLOWS, ids=name)
each_workflow = pytest.mark.parametrize("path", JOBS, ids=name)


def read(path: Path) -> dict[Any, Any]:
    loaded: dict[Any, Any] = yaml.safe_load(path.read_text())
    return loaded


@each_file
def test_actions_are_pinned_by_commit_with_their_version_beside(path: Path) -> None:
    for line in path.read_text().splitlines():
        used = re.search(r"uses: (\S+)(.*)", line)
        if used and used[1].startswith("./"):
            assert (ROOT / used[1] / "action.yaml").is_file(), f"{name(path)}: {used[1]} is not there"
        elif used:
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", used[1]), f"{name(path)}: {used[1]} is not a commit"
            assert re.fullmatch(r" # v\d+\.\d+\.\d+", used[2]), f"{name(path)}: {used[1]}: which version is that?"


def test_one_action_has_one_pin() -> None:
    pins: dict[str, set[str]] = {}
    for path in WORKFLOWS:
        for action, commit in re.findall(r"uses: ([\w-]+/[\w-]+)@([0-9a-f]{40})", path.read_text()):
            pins.setdefault(action, set()).add(commit)
    assert {action: found for action, found in pins.items() if len(found) > 1} == {}


@each_file
def test_make_targets_exist(path: Path) -> None:
    for target in re.findall(r"^[^#\n]*\bmake (?:-\S+ (?:\w+ )?)*([a-z]+)", path.read_text(), re.MULTILINE):
        assert target in targets(), f"{name(path)}: make {target}: no such target"


@each_file
def test_files_exist(path: Path) -> None:
    for file in re.findall(r"\b((?:tests|tools|docs|components)/[\w./-]+\.\w+)", path.read_text()):
        assert (ROOT / file).exists(), f"{name(path)} names {file}, which is not there"


@each_workflow
def test_a_token_may_read_unless_a_job_needs_more(path: Path) -> None:
    workflow = read(path)
    assert workflow["permissions"] == {"contents": "read"}
    wider = {job: body["permissions"] for job, body in workflow["jobs"].items() if "permissions" in body}
    assert wider in ({}, {"comment": {"pull-requests": "write"}})


@each_workflow
def test_every_job_ends(path: Path) -> None:
    for job, body in read(path)["jobs"].items():
        assert body["timeout-minutes"] <= 90, job


@each_workflow
def test_no_expression_stands_in_a_script(path: Path) -> None:
    for body in read(path)["jobs"].values():
        for step in body["steps"]:
            assert "${{" not in step.get("run", ""), "a value in a script can be a script: pass it through env"


def test_what_a_pull_request_runs_gets_no_token_that_writes() -> None:
    jobs = read(ROOT / ".github" / "workflows" / "preview.yaml")["jobs"]
    assert all("run" not in step for step in jobs["comment"]["steps"])
    assert all("checkout" not in step.get("uses", "") for step in jobs["comment"]["steps"])
    for body in jobs.values():
        for step in body["steps"]:
            if "checkout" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False
