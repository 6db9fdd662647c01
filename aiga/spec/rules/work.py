"""Rules of single steps: their names, arguments and files."""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath, PureWindowsPath

from aiga.names import MODEL_OUTPUT
from aiga.spec.base import is_function
from aiga.spec.graph import EVALUATE, LABEL, TRAIN, Task, tasks
from aiga.spec.mistakes import Finding, meant
from aiga.spec.places import Path, written
from aiga.spec.project import Project
from aiga.spec.steps import Work

SEED = "seed"


def twice(named: Iterable[tuple[Path, str]]) -> Iterator[Finding]:
    """Things whose name an earlier one has."""
    seen: dict[str, Path] = {}
    for path, name in named:
        if name in seen:
            yield Finding(path, name, f"is the name of {written(seen[name][:-1])} too", "rename one of them")
        seen.setdefault(name, path)


def names(project: Project) -> Iterator[Finding]:
    """Names of steps and of published datasets are distinct."""
    yield from twice((("etl", index, "name"), step.name) for index, step in enumerate(project.etl))
    for index, step in enumerate(project.etl):
        if step.name in (LABEL, TRAIN, EVALUATE):
            yield Finding(("etl", index, "name"), step.name, f"is what the {step.name} block is called", "rename it")
    published = [(("etl", i, "publish", name), name) for i, step in enumerate(project.etl) for name in step.publish]
    yield from twice(published)


def arguments(project: Project) -> Iterator[Finding]:
    """Each argument of a function is given once, under a name that Python can take."""
    for task, work in _works(project):
        given = {TRAIN: {SEED: "train.seed"}, EVALUATE: {MODEL_OUTPUT: "the model"}}.get(task.name, {})
        for name in work.parameters:
            path = (*task.path, "parameters", name)
            if name in work.inputs:
                yield Finding(path, name, "is an input of this step too", "rename one", ((*task.path, "in", name),))
            elif name in given:
                yield Finding(path, name, f"is an argument already: {given[name]}", "take it out")
        if task.name == TRAIN and SEED in work.inputs:
            yield Finding((*task.path, "in", SEED), SEED, "is an argument already: train.seed", "rename it")
        for key, block in (("in", work.inputs), ("parameters", work.parameters)):
            for name in filter(keyword.iskeyword, block if is_function(work.run) else ()):
                uses = ((*task.path, "run"),)
                yield Finding((*task.path, key, name), name, "is a word of Python's", f"such as {name}_", uses)


def outputs(project: Project) -> Iterator[Finding]:
    """Each output has a name and a file of its own, inside its folder."""
    for task, work in _works(project):
        files: dict[PurePosixPath, str] = {}
        for name, file in work.outputs.items():
            path = (*task.path, "out", name)
            if name in work.returns:
                uses = ((*task.path, "returns", name),)
                yield Finding(path, name, "is a value that this step returns too", "rename one", uses)
            wrong = _escape(file)
            if wrong:
                yield Finding(path, file, wrong, f"such as {name}.parquet")
                continue
            same = files.setdefault(PurePosixPath(file), name)
            if same != name:
                rule, uses = f"is the file of output {same} too", ((*task.path, "out", same),)
                yield Finding(path, file, rule, "give each its own", uses)


def mentions(project: Project) -> Iterator[Finding]:
    """`expect` and `publish` name outputs that there are."""
    for task, work in _works(project):
        here = ((*task.path, "out"),)
        for name in work.expect:
            if name not in work.outputs:
                remedy = meant(name, work.outputs, "outputs are")
                yield Finding((*task.path, "expect", name), name, "is no output of this step", remedy, here)
    for index, step in enumerate(project.etl):
        for name, publication in step.publish.items():
            if publication.output not in step.outputs:
                path = ("etl", index, "publish", name, "output")
                remedy = meant(publication.output, step.outputs, "outputs are")
                yield Finding(path, publication.output, "is no output of this step", remedy, (("etl", index, "out"),))


def model(project: Project) -> Iterator[Finding]:
    """Training makes a model."""
    if project.train and MODEL_OUTPUT not in project.train.outputs:
        made = ", ".join(project.train.outputs) or "nothing"
        remedy = f"such as out: {{{MODEL_OUTPUT}: model.onnx}}"
        yield Finding(("train", "out"), made, f"has no output {MODEL_OUTPUT}", remedy)


RULES = (names, arguments, outputs, mentions, model)


def _works(project: Project) -> Iterator[tuple[Task, Work]]:
    return ((task, task.work) for task in tasks(project) if isinstance(task.work, Work))


def _escape(file: str) -> str | None:
    """What is wrong with the name of an output's file, if anything is."""
    if not file.strip() or not file.isprintable():
        return "must name a file"
    if "\\" in file or PureWindowsPath(file).drive:
        return "must have / between folders, and no drive"
    path = PurePosixPath(file)
    if path.is_absolute() or ".." in path.parts or file.startswith("~"):
        return "must stay in the step's outputs"
    return "must name a file, not the folder of all outputs" if path == PurePosixPath() else None
