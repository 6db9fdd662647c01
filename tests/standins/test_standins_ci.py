"""`.ci/run` does not let the tests against true schemas be skipped unseen."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout with nothing beside it, whose `make` only says what it was asked for."""
    folder = tmp_path / "alone" / "project"
    for name in (".ci", "kube", "simulator", "tools"):
        shutil.copytree(ROOT / name, folder / name)
    for file, text in {".venv/bin/python": f'exec {sys.executable} "$@"', "bin/make": 'echo "make $*"'}.items():
        (folder / file).parent.mkdir(parents=True)
        (folder / file).write_text(f"#!/bin/sh\n{text}\n")
        (folder / file).chmod(0o755)
    return folder


def run(project: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    known = {key: value for key, value in os.environ.items() if key not in ("AIGA_CRDS", "PYTHONPATH")}
    path = f"{project / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", str(project / ".ci" / "run")],
        env={**known, "PATH": path, **environment},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_without_schemas_it_fails_and_says_so_in_one_line(project: Path) -> None:
    answer = run(project)
    assert answer.returncode == 1
    assert answer.stdout.splitlines() == ["make check"]
    (line,) = answer.stderr.splitlines()
    for part in (".ci/run: no true CRD schemas", "make vendor", "AIGA_CRDS="):
        assert part in line


def test_a_folder_that_is_not_there_is_named(project: Path) -> None:
    answer = run(project, AIGA_CRDS="/nowhere/crds")
    assert answer.returncode == 1
    assert answer.stderr == ".ci/run: /nowhere/crds: no such folder, as AIGA_CRDS names it\n"


@pytest.mark.parametrize("place", ["vendor/crds", "../shared/crds"])
def test_wherever_the_schemas_are_the_tests_run(project: Path, place: str) -> None:
    (project / place).mkdir(parents=True)
    answer = run(project)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.splitlines() == ["make check", "make test"]
