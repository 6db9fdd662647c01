"""Project files for tests, and what is said of them."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

from aiga.spec import Graph, Project, SpecError
from aiga.spec.load import Loaded, loads

FILE = Path("project.yaml")
HEAD = "apiVersion: aiga.dev/v1\nname: digits\n"
"""The two lines that every file has; what follows begins on line 3."""
SOURCE = "sources: {raw: {kind: files, path: data.csv}}\n"
TRAIN = "train: {run: 'train:train', in: [raw], out: [model.onnx]}\n"


def loaded(text: str) -> Loaded:
    return loads((HEAD + dedent(text)).encode(), FILE)


def project(text: str) -> Project:
    return loaded(text).project


def graph(text: str) -> Graph:
    return Graph.of(project(text))


def mistakes(text: str | bytes) -> list[str]:
    """Each mistake of a whole file, without the file's name."""
    try:
        loads(text if isinstance(text, bytes) else text.encode(), FILE)
    except SpecError as error:
        return [str(mistake).removeprefix("project.yaml:") for mistake in error.mistakes]
    return []


def said(text: str) -> list[str]:
    """Each mistake in what follows the head."""
    return mistakes(HEAD + dedent(text))
