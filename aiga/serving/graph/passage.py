"""One request on its way through a graph: which node does what with it, and the `meta` that it gathers.

The order is that of Seldon's executor (`predictor_process.go` of 1.17.1): a node's own part before its children's, an
output transformer's after them; children at once; of several answers that nobody aggregates the first child's counts.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, assert_never

from aiohttp import ClientError

from aiga.errors import TransientError
from aiga.serving.graph import builtin
from aiga.serving.graph.layout import units
from aiga.serving.messages import GONE, BadRequest, Message, ServingError
from aiga.serving.runtimes.calls import REWARD
from aiga.spec.serve import Unit

Method = Literal["predict", "transform_input", "transform_output", "route", "aggregate", "send_feedback", "ready"]
"""What is asked of a node: the wrapper's methods, and whether it can take requests."""

Call = Callable[[str, Method, list[Message], Any], Awaitable[Message]]
"""Reaches the server of a node: its name, the method, the messages (several to aggregate, none for `ready`), and the
context of the request (None for `ready`). Failures are `ServingError`; TransientError and what a connection raises make
a 502."""

ALL, NONE = -1, -2
"""What a router answers in place of the index of a child."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class NodeCall:
    """A call of a node's server that has ended."""

    node: str
    method: Method
    context: Any
    """Of the request that the call is part of."""
    status: int
    """As of HTTP: 200, what was made of the failure, 504 when the request's time was up, or `GONE`."""
    seconds: float
    metrics: Any = ()
    """What the answer has as `meta.metrics`: those of this node alone."""
    reward: float | None = None
    """Of a feedback."""


Observer = Callable[[NodeCall], None]
"""Told of each call of a node; it must not fail. What a graph does without a server is no call."""


class Passage:
    """What one request has met so far.

    Tags go along with the messages, so that of two nodes the later one's stands; routing, the way and metrics are those
    of the whole request. Of a router's answer only the index and the metrics count.
    """

    def __init__(self, root: Unit, call: Call, context: Any, request: Message, observe: Observer | None = None) -> None:
        self.waiting: dict[str, None] = {}
        """Nodes that were asked and have not answered."""
        self._root, self._call, self._context, self._request = root, call, context, request
        self._observe = observe
        self._way: dict[str, str] = {}
        self._routing: dict[str, int] = {}
        self._metrics: dict[str, Sequence[Any]] = {}

    @property
    def deadline(self) -> float | None:
        """The event loop's time by which the answer must be there."""
        deadline: float | None = getattr(self._context, "deadline", None)
        return deadline

    async def infer(self) -> Message:
        """The graph's answer, with the request's `id`, and in `meta` what all nodes that it passed have to say."""
        answer = await self._infer(self._root, self._request)
        return answer.with_(id=self._request.id, requested=(), meta=self._meta(answer))

    async def feedback(self, said: Sequence[Message]) -> Message:
        """What the first node that takes feedback answers, after all below it; an empty message when none does."""
        routing = said[1].meta.get("routing", {})
        answer = await self._feedback(self._root, routing, said)
        return (answer or Message(())).with_(id=self._request.id)

    async def _infer(self, unit: Unit, message: Message) -> Message:
        self._routing[unit.name] = ALL
        match unit.kind:
            case "model":
                return await self._ask(unit, "predict", [message])
            case "transformer":
                return await self._below(unit, ALL, await self._ask(unit, "transform_input", [message]))
            case "output-transformer":
                return await self._ask(unit, "transform_output", [await self._below(unit, ALL, message)])
            case "router":
                way = _child(unit, await self._ask(unit, "route", [message]))
                self._routing[unit.name] = way
                return await self._below(unit, way, message)
            case "combiner":
                answers = await _at_once([self._infer(child, message) for child in unit.children])
                return await self._ask(unit, "aggregate", answers)
        assert_never(unit.kind)

    async def _below(self, unit: Unit, way: int, message: Message) -> Message:
        children = _chosen(unit, way)
        answers = await _at_once([self._infer(child, message) for child in children])
        return answers[0] if answers else message

    async def _feedback(self, unit: Unit, routing: Mapping[str, Any], said: Sequence[Message]) -> Message | None:
        way = routing.get(unit.name, ALL)
        if isinstance(way, bool) or way not in range(NONE, len(unit.children)):
            raise BadRequest(f"meta.routing.{unit.name}: {way!r}: it has {len(unit.children)} children")
        children = _chosen(unit, int(way))
        answers = await _at_once([self._feedback(child, routing, said) for child in children])
        if unit.kind in ("model", "router") and builtin.of(unit) is None:
            return await self._ask(unit, "send_feedback", said)
        return next((answer for answer in answers if answer is not None), None)

    async def _ask(self, unit: Unit, method: Method, messages: Sequence[Message]) -> Message:
        """A node's answer, with the tags of what it was asked in its `meta`, and nothing else there."""
        own = builtin.of(unit)
        self._way[unit.name] = own or unit.run or unit.model or ""
        self.waiting[unit.name] = None
        try:
            answer = builtin.answer(unit, messages) if own else await self._called(unit, method, messages)
        except Exception as error:
            raise _failure(unit, error) from error
        del self.waiting[unit.name]
        self._way[unit.name] = answer.meta.get("requestPath", {}).get(unit.name, self._way[unit.name])
        self._metrics[unit.name] = answer.meta.get("metrics", ())
        tags = {key: value for message in (*messages, answer) for key, value in _tags(message).items()}
        return answer.with_(meta={"tags": tags})

    async def _called(self, unit: Unit, method: Method, messages: Sequence[Message]) -> Message:
        """The answer of a node's server; the observer is told of the call, however it ends."""
        begun = time.perf_counter()
        status, answer = 200, None
        try:
            answer = await self._call(unit.name, method, [self._sent(unit, one) for one in messages], self._context)
        except Exception as error:
            status = _failure(unit, error).status
            raise
        except asyncio.CancelledError:
            in_time = self.deadline is None or asyncio.get_running_loop().time() < self.deadline
            status = GONE if in_time else 504
            raise
        finally:
            if self._observe is not None:
                seconds = time.perf_counter() - begun
                metrics = answer.meta.get("metrics", ()) if answer is not None else ()
                reward = messages[1].parameters.get(REWARD) if method == "send_feedback" else None
                self._observe(NodeCall(unit.name, method, self._context, status, seconds, metrics, reward))
        return answer

    def _sent(self, unit: Unit, message: Message) -> Message:
        """A message as a node gets it: addressed to it, without the metrics, which are not its own to repeat."""
        meta = {key: value for key, value in {**self._request.meta, **message.meta}.items() if key != "metrics"}
        return message.with_(id=self._request.id, model=unit.name, version="", requested=(), meta=meta)

    def _meta(self, answer: Message) -> dict[str, Any]:
        order = [unit.name for unit in units(self._root) if unit.name in self._way]
        given = dict(self._request.meta)
        own = {
            "tags": dict(_tags(answer)),
            "routing": {name: self._routing[name] for name in order},
            "requestPath": {**given.get("requestPath", {}), **{name: self._way[name] for name in order}},
            "metrics": [*given.get("metrics", ()), *(one for name in order for one in self._metrics.get(name, ()))],
        }
        return given | {key: value for key, value in own.items() if value}


async def _at_once(work: Sequence[Coroutine[Any, Any, _T]]) -> list[_T]:
    """All results in their order; the first failure cancels what still runs, and is what is raised."""
    if len(work) == 1:
        return [await work[0]]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in work]
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [task.result() for task in tasks]


def _failure(unit: Unit, error: Exception) -> ServingError:
    """What the failure of a node is to the client."""
    if isinstance(error, ServingError):
        return ServingError(error.status, f"{unit.name}: {error.reason}", of_model=error.of_model)
    if isinstance(error, TimeoutError):
        return ServingError(504, f"{unit.name}: no answer in time")
    reason = f"{unit.name}: {type(error).__name__}: {error}"
    if isinstance(error, OSError | EOFError | ClientError | TransientError):
        return ServingError(502, reason.rstrip(": "))
    return ServingError(500, reason)


def _chosen(unit: Unit, way: int) -> tuple[Unit, ...]:
    if way == ALL:
        return unit.children
    return () if way == NONE else unit.children[way : way + 1]


def _child(unit: Unit, answer: Message) -> int:
    """The index that a router answers: the first number of its first tensor."""
    values = answer.tensors[0].data.ravel().tolist() if answer.tensors else []
    if not values:
        raise ServingError(500, f"{unit.name}: it answers no route")
    first: Any = values[0]
    if isinstance(first, bool) or first not in range(NONE, len(unit.children)):
        raise ServingError(500, f"{unit.name}: it routes to {first!r}, and has {len(unit.children)} children")
    return int(first)


def _tags(message: Message) -> Mapping[str, Any]:
    tags: Mapping[str, Any] = message.meta.get("tags", {})
    return tags
