"""The cache under kills, under two runs at once, and on a disk that cannot be written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tools_world import Publisher, World, script, sha256

import tools
from tools import ToolError, golang, store

ROOT = Path(tools.__file__).resolve().parent.parent
RUN = """
import sys
from pathlib import Path
from tools.catalogue import Catalogue, Platform
from tools.install import Installer
from tools.progress import Progress
folder, cache = map(Path, sys.argv[1:])
say = lambda line: print(line, flush=True)
print(Installer(Catalogue(folder), cache, Progress(say), where=Platform("linux", "amd64")).ensure(["demo"])["demo"])
"""


def start(world: World) -> subprocess.Popen[str]:
    """The installation in a process of its own."""
    command = [sys.executable, "-c", RUN, str(world.folder), str(world.cache)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)


def wait_for(what: str, condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, f"waited 20 s for {what}"
        time.sleep(0.02)


@pytest.fixture
def slow(world: World, publisher: Publisher) -> Publisher:
    """A download that stops half-way until it is let go."""
    publisher.hold = threading.Event()
    publisher.files["/demo"] = script("1.2.3")
    world.tool(download={"url": f"{publisher.url}/demo"})
    world.pin(f"{publisher.url}/demo", sha256(script("1.2.3")))
    return publisher


def test_a_killed_run_leaves_no_tool_and_the_next_one_clears_up(world: World, slow: Publisher) -> None:
    assert slow.hold
    run = start(world)
    wait_for("the download to begin", lambda: slow.asked and world.leftovers())
    run.send_signal(signal.SIGKILL)
    run.communicate()
    halves = world.leftovers()
    assert [name for name in halves if not name.startswith(".new-")] == [], "a half may not look like a tool"
    slow.hold.set()
    file = world.ensure()["demo"]
    assert file.read_bytes() == script("1.2.3")
    assert world.leftovers() == [file.parent.name], "the half that the killed run left must be gone"


def test_two_runs_at_once_fetch_once_and_both_get_it(world: World, slow: Publisher) -> None:
    assert slow.hold
    first = start(world)
    wait_for("the first download", lambda: slow.asked)
    second = start(world)
    assert second.stdout
    said = second.stdout.readline()
    assert "another run is installing it; waiting" in said
    slow.hold.set()
    outputs = [first.communicate(timeout=30)[0], second.communicate(timeout=30)[0]]
    assert (first.returncode, second.returncode) == (0, 0), outputs
    assert outputs[0].splitlines()[-1] == outputs[1].splitlines()[-1]
    assert len(slow.asked) == 1, "the second run must take what the first one fetched"


def test_a_waiting_run_goes_on_when_the_first_is_killed(world: World, slow: Publisher) -> None:
    assert slow.hold
    first = start(world)
    wait_for("the first download", lambda: slow.asked)
    second = start(world)
    assert second.stdout and "waiting" in second.stdout.readline()
    first.kill()
    slow.hold.set()
    output = second.communicate(timeout=30)[0]
    first.communicate()
    assert second.returncode == 0, output
    assert len(slow.asked) == 2


@pytest.mark.skipif(not golang._ends_with_us(), reason="without setpriv (util-linux) a build runs to its end")
def test_a_build_ends_with_the_run_that_started_it(
    world: World, program: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = tmp_path / "pid"
    building = f"case $1 in env) echo go1.30.0 ;; *) echo $$ > {pid}.new; mv {pid}.new {pid}; exec sleep 60 ;; esac"
    go = program("bin", f"#!/bin/sh\n{building}\n", name="go")
    monkeypatch.setenv("PATH", f"{go.parent}:/usr/bin:/bin")
    (world.folder / "go" / "demo").mkdir(parents=True)
    (world.folder / "go" / "demo" / "go.mod").write_text("module example.org/demo\n\ngo 1.21\n")
    world.tool(go={"module": "demo", "package": "."})
    run = start(world)
    wait_for("the build to begin", pid.exists)
    run.kill()
    run.communicate()
    wait_for("the compiler to end", lambda: not alive(int(pid.read_text())))
    assert all(name.startswith(".new-") for name in world.leftovers())


def alive(pid: int) -> bool:
    """Whether it runs; a zombie nobody has reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_tool_that_lost_its_executable_is_made_anew(world: World, slow: Publisher) -> None:
    assert slow.hold
    slow.hold.set()
    file = world.ensure()["demo"]
    file.unlink()
    assert world.ensure()["demo"].read_bytes() == script("1.2.3")


def test_a_file_in_the_place_of_the_cache_is_one_message(world: World, slow: Publisher) -> None:
    world.cache.write_text("")
    with pytest.raises(ToolError, match=r"Not a directory.*AIGA_CACHE"):
        world.ensure()


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AIGA_CACHE", str(tmp_path / "mine"))
    assert tools.cache() == tmp_path / "mine"
    monkeypatch.delenv("AIGA_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert tools.cache() == tmp_path / "xdg" / "aiga"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert tools.cache() == Path.home() / ".cache" / "aiga"


def test_the_key_depends_on_every_part() -> None:
    assert store.digest("a", None) == store.digest("a", None)
    assert len({store.digest("a", None), store.digest("a", "pin"), store.digest("b", None)}) == 3
