"""Every value that holds for a project, and where it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from aiga.spec.base import plain
from aiga.spec.inactive import of_run, of_serving
from aiga.spec.load import Loaded
from aiga.spec.mistakes import shown
from aiga.spec.places import Path, line, spelled, value, written
from aiga.spec.project import Project

DEFAULT = "default"
_INHERITED = ("resources", "retries", "timeout", "image")


@dataclass(frozen=True)
class Row:
    """One value that holds."""

    path: str
    value: str
    origin: str
    """`project.yaml:12`, `default`, or the project's setting that a step takes over: `timeout, project.yaml:3`."""

    def __str__(self) -> str:
        return f"{self.path} = {self.value}  ({self.origin})"


def explain(loaded: Loaded) -> list[Row]:
    """All values of a project in the models' order, those that the file leaves out too."""
    return list(_rows((), plain(loaded.project), loaded))


def inactive(project: Project) -> list[str]:
    """A sentence for each thing that the project says and this release does not act on."""
    return of_run(project) + (of_serving(project.serve) if project.serve else [])


def _rows(path: Path, found: Any, loaded: Loaded) -> Iterator[Row]:
    inherited = _takes_over(path) if found is None else None
    if inherited is not None:
        common = value(plain(loaded.project), (inherited,))
        for row in _rows((inherited,), common, loaded):
            yield Row(written(path) + row.path.removeprefix(inherited), row.value, f"{inherited}, {row.origin}")
    elif isinstance(found, dict) and found:
        for key, item in found.items():
            yield from _rows((*path, key), item, loaded)
    elif isinstance(found, list) and any(isinstance(item, dict) for item in found):
        for index, item in enumerate(found):
            yield from _rows((*path, index), item, loaded)
    else:
        yield Row(written(path), _text(found), _origin(path, loaded))


def _takes_over(path: Path) -> str | None:
    """The project's setting that holds where a step has none of its own."""
    of_step = (len(path) == 3 and path[0] == "etl") or (len(path) == 2 and path[0] in ("train", "evaluate"))
    of_server = path == ("serve", "resources")
    return str(path[-1]) if of_server or (of_step and path[-1] in _INHERITED) else None


def _origin(path: Path, loaded: Loaded) -> str:
    place = spelled(path, loaded.raw)
    if place not in loaded.positions:
        return DEFAULT
    return f"{loaded.file.name}:{line(place, loaded.positions)}"


def _text(found: Any) -> str:
    return "none" if found is None else shown(found, longest=None)
