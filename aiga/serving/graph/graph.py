"""An inference graph that answers requests: what stands behind the gateway where a predictor is more than one model."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientError

from aiga.errors import TransientError, UserError
from aiga.serving.graph import builtin
from aiga.serving.graph.layout import ends, units
from aiga.serving.graph.passage import Call, Observer, Passage
from aiga.serving.messages import BadRequest, Message, ServingError
from aiga.serving.protocols.metadata import ModelMetadata
from aiga.serving.runtimes.calls import REWARD
from aiga.spec.serve import Unit

DEEPEST = 32
"""Nodes below each other. Cycles there are none: a unit is frozen, and made after its children."""


@dataclass(frozen=True)
class Graph:
    """The nodes of one predictor, and how to reach them; it holds nothing of any request."""

    name: str
    """Of the predictor."""
    root: Unit
    call: Call
    observe: Observer | None = None

    @classmethod
    def of(cls, unit: Unit, call: Call, name: str = "", observe: Observer | None = None) -> Graph:
        """The graph under a unit.

        Args:
            unit: Its root.
            call: Reaches the server of a node.
            name: Of the predictor; the root's when left out.
            observe: Told of each call of a node for a request, once it has ended.

        Raises:
            UserError: nodes share a name, lie too deep, or have not the children that their kind needs; all at once.
        """
        if mistakes := list(_mistakes(unit)):
            raise UserError("\n".join(mistakes))
        return cls(name or unit.name, unit, call, observe)

    async def infer(self, message: Message, context: Any) -> Message:
        """The graph's answer to a request; its `meta` holds what all nodes that it passed have to say.

        Args:
            message: The request.
            context: Handed on to `call`. Its `deadline`, where it has one, is the event loop's time by which the whole
                graph must have answered.

        Raises:
            ServingError: a node failed, and the reason begins with its name; or time was up (504).
            BadRequest: an output is asked for that the graph does not give.
        """
        passage = Passage(self.root, self.call, context, message, self.observe)
        answer = await _in_time(passage.infer(), passage)
        if not message.requested:
            return answer
        given = {tensor.name: tensor for tensor in answer.tensors}
        if unknown := [name for name in message.requested if name not in given]:
            raise BadRequest(f"{self.name} gives {_listed(given)}, not {_listed(unknown)}")
        return answer.with_(tensors=tuple(given[name] for name in message.requested))

    async def feedback(
        self, request: Message, response: Message, reward: float, context: Any, truth: Message | None = None
    ) -> Message:
        """Tells models and routers what an answer was worth, along the way that its request went.

        The way is `response.meta["routing"]`; a node that it does not name passes the feedback on to all its children.
        `call` gets `send_feedback` with the request, the response, whose parameter `reward` is the reward, and, where
        it is known, the truth.

        Raises:
            ServingError: a node failed, and the reason begins with its name; or time was up (504).
            BadRequest: the routing is none of this graph's.
        """
        passage = Passage(self.root, self.call, context, request, self.observe)
        rewarded = response.with_(parameters={**response.parameters, REWARD: reward})
        said = [request, rewarded] if truth is None else [request, rewarded, truth]
        return await _in_time(passage.feedback(said), passage)

    async def metadata(self, describe: Callable[[str], Awaitable[ModelMetadata]]) -> ModelMetadata:
        """What the graph takes, which is what the node at its one end takes, and what it gives.

        Args:
            describe: Asks a node's server, by the node's name.
        """
        first, last = ends(self.root)
        taken = await describe(first.name)
        given = taken if last is first else await describe(last.name)
        return ModelMetadata(self.root.name, taken.versions, "", taken.inputs, given.outputs)

    async def ready(self) -> bool:
        """Whether all nodes can take requests."""
        return not await self.unready()

    async def unready(self) -> tuple[str, ...]:
        """Names of the nodes that cannot take requests."""
        names = [unit.name for unit in units(self.root) if builtin.of(unit) is None]
        answers = await asyncio.gather(*map(self._ready, names))
        return tuple(name for name, ready in zip(names, answers, strict=True) if not ready)

    async def _ready(self, name: str) -> bool:
        try:
            await self.call(name, "ready", [], None)
        except (ServingError, OSError, EOFError, ClientError, TransientError):
            return False
        return True


async def _in_time(work: Coroutine[Any, Any, Message], passage: Passage) -> Message:
    try:
        async with asyncio.timeout_at(passage.deadline):
            return await work
    except TimeoutError:
        raise ServingError(504, f"{_listed(passage.waiting)}: no answer in time") from None


def _mistakes(root: Unit) -> Iterator[str]:
    if (depth := _depth(root)) > DEEPEST:
        yield f"serve.graph: {root.name}: {depth} nodes below each other: must be at most {DEEPEST} (join some)"
        return
    names = [unit.name for unit in units(root)]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"serve.graph: {name}: {names.count(name)} nodes: each needs a name of its own (rename all but one)"
    for unit in units(root):
        if unit.kind == "model" and unit.children:
            yield f"serve.graph: {unit.name}: a model has no children (make it a transformer)"
        if unit.kind in ("router", "combiner") and not unit.children:
            yield f"serve.graph: {unit.name}: a {unit.kind} needs children (add what it chooses among or joins)"
        elif (rule := builtin.broken(unit)) is not None:
            yield f"serve.graph: {unit.name}: {rule}"


def _depth(root: Unit) -> int:
    depth, level = 0, [root]
    while level:
        depth, level = depth + 1, [child for unit in level for child in unit.children]
    return depth


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "nothing"
