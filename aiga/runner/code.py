"""Which source files a step depends on, and the project's source as a whole.

A step runs again when its own code changes, not when that of another step does: from the file of its function, imports
are followed as far as they lead to files of the project.
"""

from __future__ import annotations

import ast
import glob
import os
import shlex
import subprocess
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from aiga.names import PROJECT_FILE
from aiga.runner.environment import REQUIREMENTS
from aiga.spec.base import is_function
from aiga.spec.project import Project
from aiga.spec.sources import FilesSource
from aiga.store.keys import INTERNAL

LARGEST = 16 << 20
"""Bytes; a larger file that Git does not track is data, and has no place among the source."""
SKIPPED = {".aiga", ".git", ".hg", ".svn", ".venv", ".tox", ".idea", "__pycache__", "node_modules"} | {
    f".{tool}" for tool in ("mypy_cache", "pytest_cache", "ruff_cache", "ipynb_checkpoints")
}


def of_step(project: Project, folder: Path, call: str) -> list[Path]:
    """The files of the project that a step's code is in, sorted.

    For a command these are the files it names; for one that names none, all of the project's source.
    """
    if is_function(call):
        return closure(folder, _module_files(folder, call.partition(":")[0]))
    named = [folder / word for word in shlex.split(call) if (folder / word).is_file()]
    return closure(folder, named) if named else of_project(project, folder)


def of_steps(project: Project, folder: Path) -> list[Path]:
    """The files that any step's code is in, sorted, and those that say what is run, and with which packages."""
    works = (*project.etl, project.train, project.evaluate)
    found = {file for work in works if work is not None for file in of_step(project, folder, work.run)}
    return sorted(found | {folder / name for name in (PROJECT_FILE, REQUIREMENTS) if (folder / name).is_file()})


def of_project(project: Project, folder: Path) -> list[Path]:
    """The project's source files, sorted: what Git tracks, and what it would add but data; without Git all but data.

    Data is what `sources` read, and what is larger than `LARGEST`.
    """
    return sorted_out(project, folder)[0]


def sorted_out(project: Project, folder: Path) -> tuple[list[Path], list[Path]]:
    """The project's source files, and the files that are none for their size alone; both sorted."""
    tracked, others = _listed(folder)
    data = _read_as_data(project, folder)
    untracked = {each for each in others if each not in data}
    large = {each for each in untracked if each.stat().st_size > LARGEST}
    return sorted({*tracked, *(untracked - large)}), sorted(large)


def _listed(folder: Path) -> tuple[list[Path], list[Path]]:
    """The files that Git tracks, and others: without Git, all are others."""
    tracked, untracked = _git(folder, "--cached"), _git(folder, "--others", "--exclude-standard")
    others = _walked(folder) if untracked is None else untracked
    generated = cache(_generated)
    return tracked or [], [p for p in others if not any(generated(folder / each) for each in _above(p, folder))]


def _above(path: Path, folder: Path) -> tuple[Path, ...]:
    """The folders between a folder and what is below it."""
    return tuple(path.relative_to(folder).parents)[:-1]


def _git(folder: Path, *which: str) -> list[Path] | None:
    listed = subprocess.run(
        ["git", "ls-files", *which, "-z"],
        cwd=folder,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        check=False,
    )
    if listed.returncode != 0:
        return None
    return [folder / name for name in listed.stdout.split("\0") if name and (folder / name).is_file()]


def _walked(folder: Path) -> list[Path]:
    found = []
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in SKIPPED and not _generated(Path(root, name))]
        found += [path for name in names if (path := Path(root, name)).is_file()]
    return found


def _generated(folder: Path) -> bool:
    """Whether a folder is a virtual environment, a store, or says itself that it is to be ignored."""
    ignore = folder / ".gitignore"
    ignored = ignore.is_file() and ignore.read_bytes().strip() == b"*"
    return ignored or (folder / "pyvenv.cfg").is_file() or (folder / INTERNAL).is_dir()


def _read_as_data(project: Project, folder: Path) -> set[Path]:
    """What the project's sources read within its folder."""
    found: set[Path] = set()
    for source in project.sources.values():
        if isinstance(source, FilesSource):
            whole = folder / os.path.expanduser(source.path)
            matching = [whole] if whole.exists() else map(Path, glob.glob(str(whole), recursive=True))
            for path in matching:
                found |= {p for p in path.rglob("*") if p.is_file()} if path.is_dir() else {path}
    return found


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
