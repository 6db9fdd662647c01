"""Two projects of one name in one store are told apart; copies of one project are not."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from runner_projects import Made, made

from aiga.runner.owner import Owner

SMALL = """
apiVersion: aiga.dev/v1
name: line
etl:
- {name: make, run: "steps:make", out: {numbers: numbers.txt}, parameters: {count: 3}}
"""


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *words], cwd=folder, check=True)


def committed(folder: Path) -> None:
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")


@pytest.fixture
def line(tmp_path: Path) -> Made:
    return made(tmp_path, SMALL)


def another(line: Made, name: str = "another") -> Made:
    """The same home, and so the same store, in another folder."""
    return Made(line.folder.parent / name, line.home)


def test_a_project_of_another_folder_with_the_same_name_is_refused(line: Made) -> None:
    stranger = another(line)
    shutil.copytree(line.folder, stranger.folder)
    line.aiga("run")
    told = stranger.aiga("run", code=2)
    assert f"line: is the name of the project in {line.folder} too" in told and "rename one" in told
    assert len(list(line.home.glob("store/line/runs/*"))) == 1, "nothing was run"
    line.aiga("run")
    stranger.change("project.yaml", "name: line", "name: other")
    stranger.aiga("run")


def test_a_project_that_was_moved_goes_on_and_is_told(line: Made) -> None:
    line.aiga("run")
    moved = another(line, "moved")
    line.folder.rename(moved.folder)
    assert f"note: line was run from {line.folder} on " in moved.aiga("run")
    assert "note:" not in moved.aiga("run"), "once is enough"


def test_a_clone_of_the_same_repository_is_the_same_project(line: Made) -> None:
    committed(line.folder)
    line.aiga("run")
    git(line.folder.parent, "clone", "-q", str(line.folder), "another")
    assert "note:" not in another(line).aiga("run")


@pytest.mark.parametrize(
    "remote",
    ["https://user:s3cret@git.test/team/line.git", "git@git.test:team/line", "ssh://git@git.test:22/team/line.git/"],
)
def test_a_remote_is_one_however_it_is_reached_and_no_credentials_are_kept(line: Made, remote: str) -> None:
    committed(line.folder)
    git(line.folder, "remote", "add", "origin", remote)
    assert Owner.of(line.folder).repository == "git.test/team/line"


def test_two_projects_of_a_repository_are_two(line: Made) -> None:
    shutil.copytree(line.folder, line.folder / "deeper")
    committed(line.folder)
    assert not Owner.of(line.folder).same(Owner.of(line.folder / "deeper"))
