"""Go builds, with the real compiler and a module of a few lines."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tools_world import World

from tools import ToolError, golang

GO = shutil.which("go")
MAIN = """package main

import "fmt"

var version = "none"

func main() { fmt.Println("demo version", version) }
"""

needs_go = pytest.mark.skipif(GO is None, reason="needs `go` on PATH")


@pytest.fixture(autouse=True)
def fresh_memory() -> None:
    golang._go_version.cache_clear()


def module(world: World, source: str = MAIN, go: str = "1.21", **changes: object) -> Path:
    """List `demo` as a Go module that lies beside the list."""
    folder = world.folder / "go" / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "go.mod").write_text(f"module example.org/demo\n\ngo {go}\n")
    (folder / "main.go").write_text(source)
    world.tool(go={"module": "demo", "package": ".", "ldflags": "-X main.version=v{version}"} | changes)
    return folder


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The machine's compiler and its build cache, but no setting of the machine."""
    assert GO is not None
    monkeypatch.setenv("PATH", f"{Path(GO).parent}:/usr/bin:/bin")
    monkeypatch.setenv("GOENV", str(tmp_path / "goenv"))


@needs_go
@pytest.mark.usefixtures("compiler")
def test_a_tool_is_built_from_its_module_once(world: World) -> None:
    folder = module(world, beside={"demo-helper": "#!/bin/sh\necho helps\n"})
    before = sorted(folder.iterdir())
    file = world.ensure()["demo"]
    assert sorted(path.name for path in file.parent.iterdir()) == ["demo", "demo-helper", "made.json"]
    assert os.access(file.parent / "demo-helper", os.X_OK)
    assert "built 1.2.3 from Go modules" in world.lines[-1]
    assert sorted(folder.iterdir()) == before, "a build must not write into the tree"
    world.ensure()
    assert "built from Go modules before: demo" in world.lines[-1]


@needs_go
@pytest.mark.usefixtures("compiler")
def test_the_flags_and_targets_of_the_shell_do_not_leak_in(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    (Path(os.environ["GOENV"])).write_text("GOFLAGS=-toolexec=/nowhere\n")
    for name, value in {"GOFLAGS": "-toolexec=/nowhere", "GOOS": "windows", "GOWORK": "/nowhere/go.work"}.items():
        monkeypatch.setenv(name, value)
    module(world)
    assert "built 1.2.3" in "".join([str(world.ensure()), *world.lines])


@needs_go
@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize("change", ["source", "sum", "ldflags"])
def test_what_goes_into_a_build_decides_where_it_lies(world: World, change: str) -> None:
    folder = module(world)
    old = world.ensure()["demo"]
    if change == "source":
        module(world, MAIN + "\n// changed\n")
    elif change == "sum":
        (folder / "go.sum").write_text("example.org/other v1.0.0 h1:AAAA=\n")
    else:
        module(world, ldflags="-X main.version=v{version} -X main.other=1")
    assert world.ensure()["demo"] != old


@needs_go
@pytest.mark.usefixtures("compiler")
def test_the_module_may_be_of_another_version_than_the_download(world: World) -> None:
    module(world, version="1.2.1")
    assert world.ensure()["demo"].parent.name.startswith("1.2.1-")


@needs_go
@pytest.mark.usefixtures("compiler")
def test_a_build_that_fails_shows_the_compilers_words_and_leaves_nothing(world: World) -> None:
    module(world, MAIN.replace("fmt.Println", "fmt.Shout"))
    with pytest.raises(ToolError, match=r"undefined: fmt\.Shout"):
        world.ensure()
    assert world.leftovers() == []


@needs_go
@pytest.mark.usefixtures("compiler")
def test_a_module_whose_digest_is_not_in_go_sum_is_not_built(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOPROXY", "off")
    folder = module(world, MAIN.replace('"fmt"', '"fmt"\n\nimport _ "golang.org/x/text/language"'))
    (folder / "go.mod").write_text("module example.org/demo\n\ngo 1.21\n\nrequire golang.org/x/text v0.3.0\n")
    with pytest.raises(ToolError, match=r"golang\.org/x/text"):
        world.ensure()
    assert "h1:" not in "".join(file.read_text() for file in folder.iterdir()), "a build must not trust what it meets"


@needs_go
@pytest.mark.usefixtures("compiler")
def test_a_tool_that_says_another_version_than_listed_is_refused(world: World) -> None:
    module(world, ldflags="-X main.version=v1.2.9")
    with pytest.raises(ToolError, match=r"says that it is 1\.2\.9, not 1\.2\.3"):
        world.ensure()
    assert world.leftovers() == []


@needs_go
@pytest.mark.usefixtures("compiler")
def test_a_long_build_is_mentioned_again_and_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    module(world)
    build = golang._run

    def slowly(command: list[str], folder: Path, environment: dict[str, str]) -> None:
        time.sleep(1)
        build(command, folder, environment)

    monkeypatch.setattr(golang, "_run", slowly)
    world.ensure(heartbeat=0.2)
    assert sum("still demo 1.2.3: building from Go modules (" in line for line in world.lines) >= 2


def test_without_go_the_remedy_names_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    module(world, go="1.26.0")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ToolError) as caught:
        world.ensure()
    assert "Go build: `go` is not on PATH" in str(caught.value)
    assert "install Go 1.26.0 or newer" in str(caught.value)


def test_a_go_too_old_to_fetch_another_is_said(
    world: World, program: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    module(world, go="1.26.0")
    old = program("old", "#!/bin/sh\necho go1.19.8\n", name="go")
    monkeypatch.setenv("PATH", f"{old.parent}:/usr/bin:/bin")
    with pytest.raises(ToolError, match=r"go1\.19\.8, too old"):
        world.ensure()


@pytest.mark.parametrize(("have", "toolchain"), [("1.26.0", "local"), ("1.27.1", "local"), ("1.22.3", "auto")])
def test_a_compiler_new_enough_stays_an_older_one_may_fetch_its_successor(
    program: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, have: str, toolchain: str
) -> None:
    go = program(have, f"#!/bin/sh\necho go{have}\n", name="go")
    monkeypatch.setenv("PATH", f"{go.parent}:/usr/bin:/bin")
    assert golang._go("1.26.0") == (str(go), toolchain)
