"""A cached environment belongs to no copy of `aiga`: each imports its own, also when the one that made it is gone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import aiga
from aiga.environments import Environment, with_aiga


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """An environment without any package."""
    monkeypatch.setenv("AIGA_ENVIRONMENTS", str(tmp_path / "environments"))
    environment = Environment("0123456789abcdef", "nothing")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment.folder)], check=True)
    return environment


def imported(environment: Environment, variables: dict[str, str], code: str) -> str:
    command = [str(environment.python), "-P", "-c", code]
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=True).stdout.strip()


def test_each_copy_imports_itself(made: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = "import aiga; print(aiga.__path__[0])"
    assert Path(imported(made, with_aiga(os.environ), where)).samefile(Path(aiga.__file__).parent)
    other = tmp_path / "other" / "aiga"
    other.mkdir(parents=True)
    (other / "__init__.py").touch()
    monkeypatch.setattr(aiga, "__file__", str(other / "__init__.py"))
    for _ in range(2):
        assert Path(imported(made, with_aiga(os.environ), where)).samefile(other)


def test_nothing_else_comes_along_and_what_the_user_set_stays(made: Environment, tmp_path: Path) -> None:
    (tmp_path / "theirs.py").write_text("print('theirs')")
    variables = with_aiga({**os.environ, "PYTHONPATH": str(tmp_path)})
    assert imported(made, variables, "import theirs") == "theirs"
    seek = "import importlib.util as u; print([n for n in ('pydantic', 'numpy', 'kube', 'stacks') if u.find_spec(n)])"
    assert imported(made, variables, seek) == "[]"
