"""Steps that are commands: any program, without a shell in between."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Mapping

from aiga.errors import UserError
from aiga.step.contract import Contract
from aiga.step.order import Order
from aiga.step.values import nearest

_PLACEHOLDER = re.compile(r"\{(inputs|outputs|parameters)\.([^{}]*)\}")
_SHELL = {"|", "||", "&&", "&", ";", ">", ">>", "<", "2>", "2>&1"}


def arguments(order: Order, contract: Contract) -> list[str]:
    """The program and its arguments.

    `{inputs.data}`, `{outputs.model}` and `{parameters.rate}` stand for a path or a value. Parameters that the command
    does not place itself follow it as `--name value`, spelled as in the project file. Truth is `true` or `false`, and a
    value that begins with a dash stands behind `=`, lest it be taken for a flag. `python` is the project's own.

    Raises:
        UserError: the line cannot be split, needs a shell, or has a placeholder for what is not there.
    """
    try:
        words = shlex.split(order.call)
        operators = _SHELL.intersection(shlex.split(order.call, posix=False))
    except ValueError as error:
        raise UserError(f"{order.step}: run: {order.call!r} cannot be split into arguments: {error}") from error
    if not words:
        raise UserError(f"{order.step}: run: must be a function, such as train:train, or a command, got {order.call!r}")
    if operators:
        raise UserError(
            f"{order.step}: run: no shell runs the command, got {' and '.join(sorted(operators))} in it: "
            f"put it into a script, or write bash -c '…'"
        )
    known: dict[str, Mapping[str, object]] = {
        "inputs": contract.inputs,
        "outputs": contract.outputs,
        "parameters": order.parameters,
    }
    placed = {name for word in words for kind, name in _PLACEHOLDER.findall(word) if kind == "parameters"}
    command = [_PLACEHOLDER.sub(lambda found: _value(order, known, found), word) for word in words]
    if command[0] in ("python", "python3"):
        command[0] = sys.executable
    for name, value in order.parameters.items():
        if name not in placed:
            text = told(value)
            command += [f"--{name}={text}"] if text.startswith("-") else [f"--{name}", text]
    return command


def told(value: object) -> str:
    """A value as an argument."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _value(order: Order, known: Mapping[str, Mapping[str, object]], found: re.Match[str]) -> str:
    kind, name = found[1], found[2]
    if name not in known[kind]:
        raise UserError(f"{order.step}: run: {found[0]}: the step has no {kind} {name}{nearest(name, known[kind])}")
    return told(known[kind][name])
