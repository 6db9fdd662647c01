"""Whether a try succeeded: how its child ended, and whether it left what the project file says."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiga.errors import UserError
from aiga.step import contract, exits, values
from aiga.step.contract import Contract
from aiga.step.digest import digest
from aiga.step.failure import Failure
from aiga.step.metadata import State
from aiga.step.order import Order
from aiga.step.watch import Ended

_OUTSIDE = {signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
"""Signals that others send; a crash of its own is another."""


@dataclass(frozen=True)
class Outcome:
    """How the try ended, and what came of it."""

    state: State
    code: int
    error: Failure | None = None
    shown: bool = False
    """Whether the child has printed its error."""
    returned: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def judged(order: Order, given: Contract, ended: Ended, logged: Mapping[str, Any]) -> Outcome:
    """The outcome of a child that ended.

    Args:
        order: what was to be done.
        given: the child's folders.
        ended: how it ended.
        logged: values that it logged or printed; what a function returns goes before them.

    Raises:
        OSError: an output cannot be read.
    """
    if (failed := _failed(order, ended)) is not None:
        return failed
    report = ended.report or {}
    wrong = [contract.missing(order, given)]
    returned: Mapping[str, Any] = {}
    try:
        returned = values.typed({**logged, **report.get("returned", {})}, order.returns, order.step)
    except UserError as error:
        wrong.append(str(error))
    if any(wrong):
        return Outcome("failed", exits.MISTAKE, Failure(UserError.__name__, "\n".join(each for each in wrong if each)))
    outputs = {name: {"file": order.outputs[name], "digest": digest(path)} for name, path in given.outputs.items()}
    left = contract.written(order, given)
    remarks = [*report.get("remarks", ()), *([f"wrote what is no declared output: {', '.join(left)}"] if left else [])]
    return Outcome("succeeded", exits.DONE, returned=returned, outputs=outputs, remarks=tuple(remarks))


def _failed(order: Order, ended: Ended) -> Outcome | None:
    """The failure of a child that did not end well; None of one that did."""
    if ended.stopped:
        return Outcome("interrupted", exits.RETRY, Failure("Interrupted", ended.stopped))
    if ended.timed_out:
        said = f"{order.step}: ended after its timeout of {order.limits.timeout:g} s (`timeout` raises it)"
        return Outcome("failed", exits.RETRY, Failure("Timeout", said))
    if ended.report is not None and "error" in ended.report:
        error = ended.report["error"]
        message = error["message"]
        if error["type"] == MemoryError.__name__ and order.limits.memory is not None:
            limit = f"the step's limit is {order.limits.memory} bytes; `resources.memory` raises it"
            message = f"{message or 'out of memory'} ({limit})"
        told = Failure(error["type"], message, tuple(error["frames"]))
        return Outcome("failed", ended.report["code"], told, shown=True)
    if ended.status < 0:
        name = exits.signal_name(-ended.status)
        said = f"{order.step}: killed by {name}{_WHY.get(-ended.status, '')}"
        return Outcome("interrupted" if -ended.status in _OUTSIDE else "failed", exits.RETRY, Failure(name, said))
    return _ended_itself(order, ended)


def _ended_itself(order: Order, ended: Ended) -> Outcome | None:
    if ended.status != exits.DONE:
        said = f"{order.step}: {order.call} ended with exit code {ended.status}"
        return Outcome("failed", exits.of_status(ended.status), Failure("ExitCode", said))
    if order.is_function and ended.report is None:
        said = f"{order.step}: {order.call} ended its process before it returned (os._exit): must return or raise"
        return Outcome("failed", exits.FAILED, Failure("ExitCode", said))
    return None


_WHY: dict[int, str] = {
    signal.SIGKILL: ": by hand, or by the system for want of memory",
    signal.SIGSEGV: ": a crash in native code",
    signal.SIGXFSZ: ": a file grew past its limit",
}
