"""What the forked child does: sets itself up, then calls the function or becomes the command."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

from aiga.errors import UserError
from aiga.step import exits, function, values
from aiga.step.contract import Contract
from aiga.step.failure import failure, show
from aiga.step.limits import Cores, bound_memory, threads
from aiga.step.log import log
from aiga.step.order import Order
from aiga.step.process import Send


def body(order: Order, contract: Contract, words: list[str], cores: Cores) -> Callable[[Send], int]:
    """What the child runs.

    Args:
        order: what is to be done.
        contract: what user code finds.
        words: the command; empty for a function.
        cores: those that it is bound to.

    Returns:
        A function that gives the exit code. It sends `returned` and `remarks`, or `error` and `code`.
    """

    def run(send: Send) -> int:
        try:
            _settle(order, contract, cores)
            if words:
                _become(words)
            return _call(order, contract, send)
        except BaseException as error:
            code = exits.of_exception(error)
            if isinstance(error, SystemExit) and code == exits.DONE:
                send({"returned": {}, "remarks": []})
                return code
            show(error)
            if not isinstance(error, KeyboardInterrupt):
                send({"error": asdict(failure(error, order.source)), "code": code})
            return code

    return run


def _settle(order: Order, contract: Contract, cores: Cores) -> None:
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    _set({"PYTHONUNBUFFERED": "1", "PATH": programs, **threads(order.limits), **contract.environment})
    os.chdir(order.source)
    cores.bind()
    bound_memory(order.limits)


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _become(words: list[str]) -> None:
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them; other programs expect the default
        signal.signal(ignored, signal.SIG_DFL)
    try:
        os.execvp(words[0], words)
    except OSError as error:
        raise UserError(f"run: {words[0]} cannot be run: {error.strerror}") from error


def _call(order: Order, contract: Contract, send: Send) -> int:
    sys.argv = [order.call]
    called = function.load(order.call, order.source)
    result = called(**function.arguments(called, order, contract))
    returned, metrics, remarks = values.sorted_out(result, order.returns)
    if metrics:
        log(**metrics)
    send({"returned": values.plainly(returned, order.returns, order.step), "remarks": remarks})
    return exits.DONE
