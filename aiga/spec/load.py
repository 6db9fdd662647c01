"""Loads a project file: the project, or all of its mistakes at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from aiga.errors import UserError
from aiga.names import PROJECT_FILE
from aiga.spec import rules, wording
from aiga.spec.document import MAX_BYTES, Document, read
from aiga.spec.mistakes import Finding, Mistake, SpecError
from aiga.spec.places import Positions, located
from aiga.spec.project import Project
from aiga.spec.sound import Sound


@dataclass(frozen=True)
class Loaded:
    """A project with the text that it comes from."""

    project: Project
    file: FilePath
    raw: dict[str, Any]
    """What the file says, without defaults."""
    positions: Positions
    warnings: tuple[Mistake, ...] = ()
    """What may be right, and seldom is."""


def load(path: FilePath) -> Loaded:
    """The project of a file, or of the `project.yaml` of a folder.

    Raises:
        SpecError: the file has mistakes; it holds all of them.
        UserError: the file cannot be read.
    """
    file = path / PROJECT_FILE if path.is_dir() else path
    return loads(_content(file), file)


def loads(content: bytes, file: FilePath) -> Loaded:
    """The project in a file's bytes.

    Raises:
        SpecError: it has mistakes; it holds all of them.
    """
    document = read(content, str(file))
    if document.data is None:
        raise SpecError(document.mistakes)
    project, found = _checked(document)
    mistakes = document.mistakes + [_placed(finding, document) for finding in found]
    if mistakes:
        raise SpecError(mistakes)
    warnings = tuple(_placed(doubt, document) for doubt in rules.doubts(project))
    return Loaded(project, file, document.data, document.positions, warnings)


def _content(file: FilePath) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise UserError(f"{file}: there is no such file (aiga init makes a project)") from None
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror} (look at its permissions)") from None


def _placed(finding: Finding, document: Document) -> Mistake:
    return finding.at(document.file, document.data, document.positions)


def _checked(document: Document) -> tuple[Project, list[Finding]]:
    """The project without its wrong parts, and all that is wrong; rules say nothing of what is wrong already."""
    sound = Sound(document.data)
    found: list[Finding] | None = None
    broken = set(document.broken)
    while True:
        try:
            project = Project.model_validate_json(sound.json(), strict=True, by_alias=True, by_name=False)
        except ValidationError as error:
            if found is None:
                found = wording.findings(Project, error, document.data)
                broken.update(path for finding in found for path in (finding.path, *finding.uses))
            broken |= sound.prune(located(Project, details["loc"]).path for details in error.errors())
        else:
            ruled = [finding.moved(sound.original) for finding in rules.findings(project)]
            return project, (found or []) + [finding for finding in ruled if finding.stands(broken)]
