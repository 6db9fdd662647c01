"""Tools built from Go modules, pinned by go.mod and go.sum under go/<module>/."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import cache as memoised
from pathlib import Path

from tools import versions
from tools.catalogue import Catalogue, Platform, Tool
from tools.errors import Impossible

_SOURCES = {".mod", ".sum", ".go"}
_TAIL = 8
"""Lines of the compiler's output that go into the message."""
_CROSS = ("GOOS", "GOARCH", "GOARM64", "GOAMD64", "GOFLAGS", "GOTOOLCHAIN")


def inputs(tool: Tool, catalogue: Catalogue, where: Platform) -> list[object]:
    """All that decides what a build gives: another go.sum or flag makes another tool."""
    assert tool.go is not None, tool.name
    module = catalogue.module(tool)
    files = sorted(file for file in module.glob("*") if file.suffix in _SOURCES)
    return [
        str(where),
        {file.name: file.read_text() for file in files},
        tool.go.package,
        _ldflags(tool),
        tool.go.beside,
    ]


def build(tool: Tool, catalogue: Catalogue, folder: Path) -> dict[str, str]:
    """Build the tool into `folder`; Impossible with the end of the compiler's output when it does not build."""
    assert tool.go is not None, tool.name
    module = catalogue.module(tool)
    go, toolchain = _go(_wanted(module))
    command = [go, "build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", _ldflags(tool)]
    command += ["-o", str(folder / tool.name), tool.go.package]
    environment = {key: value for key, value in os.environ.items() if key not in _CROSS}
    environment |= {"CGO_ENABLED": "0", "GO111MODULE": "on", "GOWORK": "off", "GOTOOLCHAIN": toolchain}
    environment["GOFLAGS"] = "-mod=readonly"  # an empty one would let `go env -w GOFLAGS=…` in
    _run([*_ends_with_us(), *command], module, environment)
    for name, text in tool.go.beside.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return {"module": tool.go.package if tool.go.package != "." else tool.go.module, "go": go, "toolchain": toolchain}


def _ldflags(tool: Tool) -> str:
    assert tool.go is not None, tool.name
    return f"-s -w {tool.go.ldflags.format(version=tool.built_version)}".strip()


def _wanted(module: Path) -> str:
    """The `go` line of go.mod."""
    try:
        match = re.search(r"^go (\S+)", (module / "go.mod").read_text(), re.MULTILINE)
    except OSError as error:
        raise Impossible(f"{module / 'go.mod'}: {error.strerror}") from error
    return match[1] if match else "1.21"


def _go(wanted: str) -> tuple[str, str]:
    """The compiler and its GOTOOLCHAIN: its own when new enough, else it may fetch one through the module proxy."""
    remedy = f"install Go {wanted} or newer and put `go` on PATH (https://go.dev/dl, or your package manager)"
    go = shutil.which("go")
    if go is None:
        raise Impossible("`go` is not on PATH", remedy)
    said = _go_version(go)
    have = versions.number(said.removeprefix("go"))
    if have is None:
        raise Impossible(f"`{go} env GOVERSION` says {said!r}", remedy)
    if have >= (versions.number(wanted) or (0, 0, 0)):
        return go, "local"
    if have >= (1, 21, 0):
        return go, "auto"
    raise Impossible(f"{go} is {said}, too old", remedy)


@memoised
def _go_version(go: str) -> str:
    environment = os.environ | {"GOTOOLCHAIN": "local"}
    answer = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, env=environment, check=False)
    return (answer.stdout or answer.stderr).strip()


@memoised
def _ends_with_us() -> tuple[str, ...]:
    """A prefix that ends the compiler when this process is killed; util-linux has one, elsewhere it runs to its end."""
    prefix = ("setpriv", "--pdeathsig", "KILL", "--")
    if shutil.which(prefix[0]) is None:
        return ()
    return prefix if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0 else ()


def _run(command: list[str], module: Path, environment: dict[str, str]) -> None:
    answer = subprocess.run(
        command,
        cwd=module,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if answer.returncode == 0:
        return
    lines = [line for line in answer.stdout.splitlines() if line.strip() and not line.startswith("go: downloading")]
    why = " | ".join(lines[-_TAIL:]) or f"exit code {answer.returncode}"
    raise Impossible(f"go build in {module} failed: {why}", _remedy(why))


def _remedy(why: str) -> str:
    if re.search(r"no such host|connection refused|i/o timeout|network is unreachable|proxyconnect", why):
        return "give access to a Go module proxy (GOPROXY names one)"
    if "no space left" in why:
        return "make room on the disk (a build of everything needs about 15 GB in Go's caches, GOCACHE and GOMODCACHE)"
    return ""
