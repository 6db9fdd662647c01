"""Which source files a step depends on, and the project's source as a whole.

A step runs again when its own code changes, not when that of another step does: from the file of its function, imports
are followed as far as they lead to files of the project.
"""

from __future__ import annotations

import ast
import shlex
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from aiga.spec.base import is_function

SUFFIXES = {".py", ".yaml", ".yml", ".toml", ".txt", ".cfg", ".json", ".sql", ".sh", ".md"}
LARGEST = 1 << 20
"""Bytes; a larger file is data, and has no place among the source."""
SKIPPED = {".aiga", ".git", ".venv", "__pycache__", "node_modules"}


def of_step(folder: Path, call: str) -> list[Path]:
    """The files of the project that a step's code is in, sorted.

    For a command these are the files it names; for one that names none, all of the project's source.
    """
    if is_function(call):
        return closure(folder, _module_files(folder, call.partition(":")[0]))
    named = [folder / word for word in shlex.split(call) if (folder / word).is_file()]
    return closure(folder, named) if named else of_project(folder)


def of_project(folder: Path) -> list[Path]:
    """The project's source files, sorted: what Git knows or would add, else every small text-like file."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0:
        found: Iterable[Path] = (folder / name for name in listed.stdout.split("\0") if name)
    else:
        found = (p for p in folder.rglob("*") if not SKIPPED & set(p.relative_to(folder).parts))
    return sorted({p for p in found if p.is_file() and p.suffix in SUFFIXES and p.stat().st_size <= LARGEST})


def closure(folder: Path, start: Iterable[Path]) -> list[Path]:
    """`start` and every file of the project that it imports, directly or not, sorted."""
    found: set[Path] = set()
    waiting = list(start)
    while waiting:
        file = waiting.pop()
        if file in found:
            continue
        found.add(file)
        if file.suffix == ".py":
            for module in _imports(file, folder):
                waiting += _module_files(folder, module)
    return sorted(found)


def _module_files(folder: Path, module: str) -> list[Path]:
    """The module's file and the `__init__.py` of each package on the way to it."""
    parts = module.split(".")
    packages = [folder.joinpath(*parts[:n], "__init__.py") for n in range(1, len(parts) + 1)]
    return [p for p in [*packages, folder.joinpath(*parts).with_suffix(".py")] if p.is_file()]


def _imports(file: Path, folder: Path) -> Iterator[str]:
    """Full names of the modules that a file imports; a file that is not Python imports none."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return
    package = file.relative_to(folder).parts[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            start = ".".join([*base, *([node.module] if node.module else [])])
            yield start
            yield from (f"{start}.{alias.name}" if start else alias.name for alias in node.names)
