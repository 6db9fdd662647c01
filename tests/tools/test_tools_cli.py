"""python -m tools, and the launcher of dynamic resources."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import tools
from tools import dynamic_plugin

ROOT = Path(tools.__file__).resolve().parent.parent


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tools", *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_missing_tools_are_one_clear_error_that_names_all_of_them() -> None:
    answer = run("install", "kwok", "k3d", PATH="/nowhere", AIGA_TOOLS_DOWNLOAD="0")
    assert answer.returncode == 1
    assert answer.stdout == ""
    for part in (
        "error: 2 tools missing",
        "kwok 0.8.0 (needed by: sim, test)",
        "k3d 5.8.3 (needed by: k3d)",
        "PATH: not there",
        "download: switched off (AIGA_TOOLS_DOWNLOAD=0)",
        "Go build: `go` is not on PATH",
        "Any one of these helps:",
        "put kwok (>=0.8,<0.9) on PATH",
        "unset AIGA_TOOLS_DOWNLOAD",
        "install Go 1.26.0 or newer",
    ):
        assert part in answer.stderr
    assert answer.stderr.count("install Go") == 1
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("install", "kwoc"), "no tool is called 'kwoc'; tools.yaml has: pulumi, kwok"),
        (("install", "--for", "prod"), "--for prod: must be one of sim, k3d, up, test"),
    ],
)
def test_a_word_we_do_not_know_is_refused_with_those_we_do(arguments: tuple[str, ...], part: str) -> None:
    answer = run(*arguments)
    assert answer.returncode == 1
    assert part in answer.stderr and "Traceback" not in answer.stderr


def test_install_prints_where_each_tool_is(program: Callable[..., Path]) -> None:
    kwok = program("bin", "#!/bin/sh\necho kwok version v0.8.0\n", name="kwok")
    answer = run("install", "kwok", PATH=f"{kwok.parent}:/usr/bin:/bin")
    assert (answer.returncode, answer.stdout.split()) == (0, ["kwok", str(kwok)])
    assert "on PATH: kwok" in answer.stderr


def test_list_shows_every_tool_and_installs_none(tmp_path: Path) -> None:
    answer = run("list", PATH="/nowhere")
    assert answer.returncode == 0
    assert len(answer.stdout.splitlines()) == 14
    assert all("not installed (PATH: not there)" in line for line in answer.stdout.splitlines())
    assert not (tmp_path / "cache").exists()


def test_the_launcher_beside_the_engine_is_taken(program: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    pulumi = program("kit", "", name="pulumi")
    beside = program("kit", "", name="pulumi-resource-pulumi-python")
    link = program("bin", "", name="other").with_name("pulumi")
    link.symlink_to(pulumi)
    assert dynamic_plugin(link) == beside, "the CLI is often a link into its own folder"


def test_a_launcher_is_written_where_the_engine_has_none_and_runs_the_python_it_is_told(
    program: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher = dynamic_plugin(program("bin", "", name="pulumi"))
    assert launcher.name == "pulumi-resource-pulumi-python" and launcher == dynamic_plugin(Path("/nowhere/pulumi"))
    python = program("python", '#!/bin/sh\necho "$0" "$@"\n', name="python")
    monkeypatch.setenv("AIGA_PYTHON", str(python))
    said = subprocess.run([launcher, "127.0.0.1:1", "a b"], capture_output=True, text=True, check=True).stdout
    assert said == f"{python} -u -m pulumi.dynamic 127.0.0.1:1 a b\n"
