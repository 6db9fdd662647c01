"""Tools that are on PATH already."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tools_world import World, script

from tools import ToolError, present


def put_on_path(monkeypatch: pytest.MonkeyPatch, *files: Path) -> None:
    monkeypatch.setenv("PATH", ":".join([*(str(file.parent) for file in files), "/usr/bin", "/bin"]))


def test_a_version_that_fits_is_taken_and_nothing_is_installed(
    world: World, program: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.tool()
    file = program("bin", script("1.9.0"))
    put_on_path(monkeypatch, file)
    assert world.ensure() == {"demo": file}
    assert world.leftovers() == []
    assert "on PATH: demo" in world.lines[-1]


def test_a_version_that_does_not_fit_is_passed_over_for_one_that_does(
    world: World, program: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.tool()
    old, fitting = program("old", script("1.1.9")), program("new", script("1.2.0"))
    put_on_path(monkeypatch, old, fitting)
    assert world.ensure() == {"demo": fitting}


@pytest.mark.parametrize("version", ["1.1.9", "2.0.0", "1.2.3-rc.1"])
def test_what_does_not_fit_is_named_with_its_version_and_the_range(
    world: World, program: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    world.tool()
    file = program("bin", script(version))
    put_on_path(monkeypatch, file)
    with pytest.raises(ToolError) as caught:
        world.ensure()
    assert f"{file} is {version}, not >=1.2,<2" in str(caught.value)
    assert "put demo (>=1.2,<2) on PATH" in str(caught.value)


def test_a_program_that_says_no_version_or_cannot_run_is_passed_over(
    world: World, program: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.tool()
    mute, alien = program("mute", "#!/bin/sh\necho hello\n"), program("alien", b"\x7fELF\0\0\0\0")
    put_on_path(monkeypatch, mute, alien)
    with pytest.raises(ToolError) as caught:
        world.ensure()
    assert f"{mute} does not say its version: 'hello'" in str(caught.value)
    assert f"{alien} does not run here" in str(caught.value)


def test_a_program_that_hangs_does_not_hang_us(
    world: World, program: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.tool()
    put_on_path(monkeypatch, program("hung", "#!/bin/sh\nexec sleep 60\n"))
    monkeypatch.setattr(present, "_PATIENCE", 0.3)
    since = time.monotonic()
    with pytest.raises(ToolError, match="gave no answer"):
        world.ensure()
    assert time.monotonic() - since < 5
