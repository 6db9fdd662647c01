"""Steps that are Python functions: found in the project's folder and called with typed keyword arguments."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from aiga.errors import UserError
from aiga.step.annotations import fitted
from aiga.step.contract import Contract
from aiga.step.order import Order
from aiga.step.values import nearest

CHECKPOINT = "checkpoint"
SEED = "seed"


def load(call: str, source: Path) -> Callable[..., Any]:
    """The function `module:function` of the project's folder, which becomes first on `sys.path`.

    Raises:
        UserError: there is no such module or function, the module does not parse, or it imports what is not installed.
    """
    name, _, attribute = call.partition(":")
    sys.path.insert(0, str(source))
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise UserError(_not_found(call, name, error.name or "", source)) from error
    except SyntaxError as error:
        where = f"{_relative(error.filename, source)}:{error.lineno}"
        raise UserError(f"run: {call}: {where}: is no valid Python: {error.msg}") from error
    found = getattr(module, attribute, None)
    if found is None:
        functions = [each for each, value in vars(module).items() if callable(value) and not each.startswith("_")]
        raise UserError(f"run: {call}: module {name} has no function {attribute}{nearest(attribute, functions)}")
    if not callable(found):
        raise UserError(f"run: {call}: {attribute} is a {type(found).__name__}, and must be a function")
    return found  # type: ignore[no-any-return]  # what a module holds has no type


def _not_found(call: str, name: str, missing: str, source: Path) -> str:
    if name == missing or name.startswith(f"{missing}."):
        here = [path.stem for path in source.glob("*.py")] + [path.name for path in source.iterdir() if path.is_dir()]
        return f"run: {call}: there is no module {missing} in the project's folder {source}{nearest(missing, here)}"
    return f"run: {call}: module {name} imports {missing}, which is not installed: add it to the requirements.txt"


def _relative(file: str | None, source: Path) -> str:
    path = Path(file or "?")
    return str(path.relative_to(source)) if path.is_relative_to(source) else str(path)


def arguments(function: Callable[..., Any], order: Order, contract: Contract) -> dict[str, Any]:
    """The keyword arguments of the call.

    Parameters, values of earlier steps and inputs must be taken by the function. Outputs (the path to write to), `seed`
    and `checkpoint` are given where it names them.

    Raises:
        UserError: all arguments that the function does not take, that nothing gives, or that do not fit an annotation.
    """
    taken = _signature(function)
    named = {name for name, each in taken.items() if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)}
    all_taken = any(each.kind is each.VAR_KEYWORD for each in taken.values())
    must: dict[str, tuple[str, Any]] = {name: ("parameter", value) for name, value in order.parameters.items()}
    must.update({name: ("input", path) for name, path in contract.inputs.items()})
    may: dict[str, Any] = {**_offered(order), **contract.outputs}
    given = {**{name: value for name, value in may.items() if name in named}, **{k: v for k, (_, v) in must.items()}}
    wrong = [
        f"argument {name} is given twice, as input and as {other}"
        for name in contract.inputs
        for other, names in (("parameter", order.parameters), ("output", contract.outputs))
        if name in names
    ]
    wrong += [
        f"argument {name} is given twice, as parameter and as output"
        for name in order.parameters
        if name in contract.outputs
    ]
    wrong += [
        f"{kind} {name}: the function takes no such argument{nearest(name, sorted(named - given.keys()))}"
        for name, (kind, _) in must.items()
        if name not in named and not all_taken
    ]
    wrong += [
        f"argument {name} is given by nothing: add it to `parameters`, `in` or `out`, or give it a default"
        f"{nearest(name, [key for key in must if key not in named])}"
        for name, each in taken.items()
        if each.default is each.empty
        and name not in given
        and each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY, each.POSITIONAL_ONLY)
    ]
    hints = _hints(function)
    for name, value in given.items():
        if name in hints and name in named:
            given[name], complaint = fitted(value, hints[name])
            wrong += [f"argument {name}: {complaint}"] if complaint else []
    if wrong:
        raise UserError("\n".join(f"{order.step}: {order.call}: {each}" for each in wrong))
    return given


def _offered(order: Order) -> dict[str, Any]:
    offered: dict[str, Any] = {CHECKPOINT: order.checkpoint.absolute()}
    return offered if order.seed is None else {**offered, SEED: order.seed}


def _signature(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """Its parameters; of a function of C that tells none, any keyword."""
    try:
        return inspect.signature(function).parameters
    except (ValueError, TypeError):
        return {"arguments": inspect.Parameter("arguments", inspect.Parameter.VAR_KEYWORD)}


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Its annotations, none where they name what is not there at run time."""
    import typing

    try:
        return typing.get_type_hints(function)
    except Exception:  # any error of the user's annotations: they are documentation then
        return {}
