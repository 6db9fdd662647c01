"""Parameters given for one run: `-p learning_rate=0.0003`, in the type that the file declares."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from aiga.errors import UserError
from aiga.spec.base import Scalar
from aiga.spec.document import FLOAT, INTEGER
from aiga.spec.graph import TRAIN, tasks
from aiga.spec.mistakes import meant, shown
from aiga.spec.project import Project
from aiga.spec.search import Choice, Dimension, IntRange
from aiga.spec.steps import Train, Work

SEED = "seed"
_BOOLEANS = {"true": True, "false": False}
_Parse = Callable[[str], Scalar]
W = TypeVar("W", bound=Work)


def override(project: Project, assignments: Iterable[str]) -> Project:
    """The project with parameters of its steps set, `name=value` or `step.name=value`; later ones win.

    A parameter of the search's space is fixed: it is not searched for any more, and with the last one goes the search.
    `seed` is the seed of training.

    Raises:
        UserError: some assignments are of no known parameter, of more than one, or not of its type.
    """
    known = _known(project)
    chosen: dict[str, dict[str, Scalar]] = {}
    mistakes = []
    for assignment in assignments:
        try:
            target, value = _assigned(assignment, known)
            chosen.setdefault(target.step, {})[target.name] = value
        except ValueError as reason:
            mistakes.append(f"-p {shown(assignment)}: {reason}")
    if mistakes:
        raise UserError("\n".join(mistakes))
    etl = tuple(_set(step, chosen.get(step.name, {})) for step in project.etl)
    train = project.train and _set_train(project.train, chosen.get(TRAIN, {}))
    evaluate = project.evaluate and _set(project.evaluate, chosen.get("evaluate", {}))
    return project.model_copy(update={"etl": etl, "train": train, "evaluate": evaluate})


@dataclass(frozen=True)
class _Target:
    """A parameter of a step, and how its text becomes a value."""

    step: str
    name: str
    parse: _Parse = field(compare=False)

    @property
    def address(self) -> str:
        return f"{self.step}.{self.name}"


def _known(project: Project) -> list[_Target]:
    found: dict[str, _Target] = {}
    for task in tasks(project):
        if not isinstance(task.work, Work):
            continue
        parsers: dict[str, _Parse] = {name: _like(value) for name, value in task.work.parameters.items()}
        if isinstance(task.work, Train):
            space = task.work.search.space if task.work.search else {}
            parsers.update({name: _within(dimension) for name, dimension in space.items()})
            parsers[SEED] = _seed
        for name, parse in parsers.items():
            target = _Target(task.name, name, parse)
            found[target.address] = target
    return list(found.values())


def _assigned(assignment: str, known: list[_Target]) -> tuple[_Target, Scalar]:
    name, equals, text = assignment.partition("=")
    name = name.strip()
    if not equals or not name:
        raise ValueError("must be name=value or step.name=value (such as learning_rate=0.0003)")
    found = [target for target in known if name in (target.name, target.address)]
    if not found:
        names = {target.address if "." in name else target.name for target in known}
        raise ValueError(f"no step has this parameter ({meant(name, names, 'parameters are')})")
    if len(found) > 1:
        choice = " or ".join(target.address for target in found)
        raise ValueError(f"more than one step has this parameter (write {choice})")
    return found[0], found[0].parse(text.strip())


def _like(declared: Scalar) -> _Parse:
    """How a parameter that the file gives this value is read."""
    if isinstance(declared, bool):
        return _boolean
    if isinstance(declared, int):
        return _integer
    return _number if isinstance(declared, float) else str


def _within(dimension: Dimension) -> _Parse:
    """How a parameter of the search's space is read."""
    if not isinstance(dimension, Choice):
        return _integer if isinstance(dimension, IntRange) else _number
    parsers = {type(value): _like(value) for value in dimension.choice}

    def chosen(text: str) -> Scalar:
        for value in dimension.choice:
            if text in (str(value), shown(value)):
                return value
        if len(parsers) > 1:
            values = ", ".join(shown(value) for value in dimension.choice)
            raise ValueError(f"must be one of the values in project.yaml, which are of several types ({values})")
        return next(iter(parsers.values()))(text)

    return chosen


def _boolean(text: str) -> Scalar:
    if text not in _BOOLEANS:
        raise ValueError("must be true or false, as in project.yaml (such as true)")
    return _BOOLEANS[text]


def _integer(text: str) -> Scalar:
    if not INTEGER.fullmatch(text):
        raise ValueError("must be a whole number, as in project.yaml (write 1.0 there for any number)")
    return int(text, 0) if text[1:2] in ("o", "x") else int(text)


def _number(text: str) -> Scalar:
    if not FLOAT.fullmatch(text) or not math.isfinite(float(text)):
        raise ValueError("must be a number, as in project.yaml (such as 0.5)")
    return float(text)


def _seed(text: str) -> Scalar:
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise ValueError("must be a whole number of at least 0 (such as 1)")
    return int(text)


def _set(work: W, values: Mapping[str, Scalar]) -> W:
    return work.model_copy(update={"parameters": {**work.parameters, **values}})


def _set_train(train: Train, values: Mapping[str, Scalar]) -> Train:
    others = {name: value for name, value in values.items() if name != SEED}
    seed, search = values.get(SEED, train.seed), train.search
    if search is not None:
        space = {name: dimension for name, dimension in search.space.items() if name not in others}
        search = search.model_copy(update={"space": space}) if space else None
    return _set(train, others).model_copy(update={"seed": seed, "search": search})
