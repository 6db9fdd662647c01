"""Which step takes what from which: the acyclic graph of a project's steps."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Final, Literal

from aiga.errors import UserError
from aiga.spec.base import ScalarType
from aiga.spec.evaluate import Evaluate
from aiga.spec.names import MODEL_OUTPUT
from aiga.spec.people import Label
from aiga.spec.places import Path, written
from aiga.spec.project import Project
from aiga.spec.steps import Work

LABEL: Final = "label"
TRAIN: Final = "train"
EVALUATE: Final = "evaluate"
SOURCE, MODEL = "source:", "model:"
"""What stands before a source's name, or a model's address, where it is a producer."""

Kind = Literal["etl", "label", "train", "evaluate"]


@dataclass(frozen=True, order=True)
class Address:
    """One thing that a step takes: a file, or a value."""

    producer: str
    """A step's name, `source:<name>`, or `model:<address>` for a model that the project does not train."""
    output: str
    """Name of the step's output or value; the source's name; `model`."""
    type: ScalarType | None = None
    """Of a value that a step returns; None for files."""

    @property
    def scalar(self) -> bool:
        """Whether it is a value, not files."""
        return self.type is not None

    @property
    def source(self) -> str | None:
        """The source's name, when a source gives it."""
        return self.producer.removeprefix(SOURCE) if self.producer.startswith(SOURCE) else None

    @property
    def model(self) -> str | None:
        """The model's address, when it is one that the project does not train."""
        return self.producer.removeprefix(MODEL) if self.producer.startswith(MODEL) else None

    @property
    def step(self) -> str | None:
        """The step's name, when a step gives it."""
        return self.producer if self.source is None and self.model is None else None

    def __str__(self) -> str:
        """As an input in the file names it without doubt."""
        return self.producer if self.step is None else f"{self.producer}.{self.output}"


@dataclass(frozen=True)
class Node:
    """A step and what it takes."""

    name: str
    kind: Kind
    work: Work | Label
    needs: Mapping[str, Address]
    """Argument to what it is. A label step's only one is `data`."""
    suites: Mapping[str, Address] = field(default_factory=dict)
    """Suite of an evaluation to its data."""

    @property
    def takes(self) -> tuple[Address, ...]:
        """All that must be there before it can run."""
        return (*self.needs.values(), *self.suites.values())


@dataclass(frozen=True)
class Graph:
    """The steps of a project, each after those that it takes something from."""

    nodes: tuple[Node, ...]

    @classmethod
    def of(cls, project: Project) -> Graph:
        """The graph of a project.

        Raises:
            UserError: a name that nobody or more than one produces, or a cycle; `load` finds these with their lines.
        """
        wiring = Wiring(project)
        wrong = [f"{written(use.path)}: {use.name}: produced by {len(use.found)}, not one" for use in wiring.unclear]
        wrong += [f"cycle: {' -> '.join(cycle)}" for cycle in wiring.cycles()]
        if wrong:
            raise UserError("\n".join(wrong))
        return cls(tuple(wiring.nodes()))

    def node(self, name: str) -> Node:
        """The step of this name.

        Raises:
            KeyError: there is none.
        """
        return {node.name: node for node in self.nodes}[name]

    def consumers(self, producer: str) -> tuple[Node, ...]:
        """The steps that take something from this step, source (`source:<name>`) or model (`model:<address>`)."""
        return tuple(node for node in self.nodes if any(taken.producer == producer for taken in node.takes))

    def downstream(self, producer: str) -> tuple[Node, ...]:
        """The steps that take something from it, or from one that does."""
        reached = {producer}
        found = []
        for node in self.nodes:
            if any(taken.producer in reached for taken in node.takes):
                reached.add(node.name)
                found.append(node)
        return tuple(found)


@dataclass(frozen=True)
class Task:
    """A step by its name, before it is known what it takes."""

    name: str
    kind: Kind
    path: Path
    work: Work | Label

    def gives(self) -> Iterator[Address]:
        if isinstance(self.work, Label):
            yield Address(self.name, self.work.output)
            return
        yield from (Address(self.name, name) for name in self.work.outputs)
        yield from (Address(self.name, name, type_) for name, type_ in self.work.returns.items())


@dataclass(frozen=True)
class Use:
    """A name that a step takes something by, and all that it may mean: one thing when all is well."""

    taker: str
    path: Path
    argument: str
    """The function's argument, or the suite's name."""
    name: str
    found: tuple[Address, ...]
    suite: bool = False


def tasks(project: Project) -> list[Task]:
    """The steps as the file has them."""
    found = [Task(step.name, "etl", ("etl", index), step) for index, step in enumerate(project.etl)]
    blocks: tuple[tuple[Kind, Work | Label | None], ...] = (
        (LABEL, project.label),
        (TRAIN, project.train),
        (EVALUATE, project.evaluate),
    )
    return found + [Task(kind, kind, (kind,), work) for kind, work in blocks if work is not None]


class Wiring:
    """What each step takes, sound or not."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.tasks = tasks(project)
        self.given = [Address(SOURCE + name, name) for name in project.sources]
        self.given += dict.fromkeys(address for task in self.tasks for address in task.gives())
        self.uses = [use for task in self.tasks for use in self._uses(task)]

    @property
    def unclear(self) -> list[Use]:
        """Names that nobody produces, or more than one."""
        return [use for use in self.uses if len(use.found) != 1]

    def meaning(self, name: str, taker: str) -> tuple[Address, ...]:
        """What a name may mean to a step: `step.output`, `source:name`, or either's bare name."""
        if re.search(r"[.:]", name):
            return tuple(address for address in self.given if str(address) == name)
        return tuple(given for given in self.given if given.output == name and given.producer != taker)

    def cycles(self) -> list[list[str]]:
        """Each cycle of steps, from its first step in the file back to it."""
        before = {task.name: self._before(task.name) for task in self.tasks}
        found = []
        while True:
            try:
                TopologicalSorter(before).prepare()
            except CycleError as error:
                cycle = list(error.args[1][:-1])
                found.append(self._from_first(cycle))
                before = {name: needed - set(cycle) for name, needed in before.items() if name not in cycle}
            else:
                return found

    def nodes(self) -> Iterator[Node]:
        """The steps in an order in which they can run; among those that can, as in the file."""
        waiting, done = list(self.tasks), set[str]()
        while waiting:
            task = next(task for task in waiting if self._before(task.name) <= done)
            waiting.remove(task)
            done.add(task.name)
            taken = [use for use in self.uses if use.taker == task.name]
            needs = {use.argument: use.found[0] for use in taken if not use.suite}
            suites = {use.argument: use.found[0] for use in taken if use.suite}
            yield Node(task.name, task.kind, task.work, needs, suites)

    def _before(self, name: str) -> set[str]:
        taken = (use.found[0] for use in self.uses if use.taker == name and len(use.found) == 1)
        return {address.producer for address in taken if address.step is not None}

    def _from_first(self, cycle: list[str]) -> list[str]:
        order = [task.name for task in self.tasks]
        start = cycle.index(min(cycle, key=order.index))
        turned = cycle[start:] + cycle[:start]
        return [*turned, turned[0]]

    def _uses(self, task: Task) -> Iterator[Use]:
        if isinstance(task.work, Label):
            yield self._use(task, (*task.path, "data"), "data", task.work.data)
            return
        for argument, name in task.work.inputs.items():
            yield self._use(task, (*task.path, "in", argument), argument, name)
        if isinstance(task.work, Evaluate):
            if task.work.model is not None:
                address = Address(MODEL + task.work.model, MODEL_OUTPUT)
                yield Use(task.name, (EVALUATE, "model"), MODEL_OUTPUT, str(address), (address,))
            elif self.project.train and MODEL_OUTPUT not in task.work.inputs:
                yield self._use(task, (EVALUATE, "in", MODEL_OUTPUT), MODEL_OUTPUT, f"{TRAIN}.{MODEL_OUTPUT}")
            for index, suite in enumerate(task.work.suites):
                path = (EVALUATE, "suites", index, "data")
                yield Use(task.name, path, suite.name, suite.data, self.meaning(suite.data, task.name), suite=True)

    def _use(self, task: Task, path: Path, argument: str, name: str) -> Use:
        return Use(task.name, path, argument, name, self.meaning(name, task.name))
