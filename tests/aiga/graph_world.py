"""Inference graphs for tests: units in few words, and servers of theirs that note who called them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from aiga.serving.graph.graph import Graph
from aiga.serving.messages import Message, Tensor
from aiga.spec.serve import Unit

Behaviour = Callable[[list[Message]], Message]


def unit(kind: str, name: str, *children: Unit, **rest: Any) -> Unit:
    """A unit with a class of its own, unless `run=None` is given."""
    return Unit.model_validate(
        {"run": f"steps:{name.title()}", **rest, "name": name, "kind": kind, "children": children}
    )


def model(name: str, **rest: Any) -> Unit:
    return unit("model", name, **rest)


def transformer(name: str, *children: Unit) -> Unit:
    return unit("transformer", name, *children)


def output(name: str, *children: Unit) -> Unit:
    return unit("output-transformer", name, *children)


def router(name: str, *children: Unit) -> Unit:
    return unit("router", name, *children)


def combiner(name: str, *children: Unit) -> Unit:
    return unit("combiner", name, *children)


def words(*values: str, **rest: Any) -> Message:
    """A message of one tensor of text: the path that it took, in the answers of `Servers`."""
    return Message((Tensor("text", "BYTES", np.array([value.encode() for value in values], object)),), **rest)


def numbers(*values: float, name: str = "x", datatype: str = "FP32", **rest: Any) -> Message:
    kinds = {"FP32": np.float32, "INT64": np.int64, "INT32": np.int32, "FP64": np.float64}
    return Message((Tensor(name, datatype, np.array(values, kinds[datatype])),), **rest)


def text(message: Message) -> list[str]:
    return [value.decode() for value in message.tensors[0].data.tolist()]


@dataclass
class Servers:
    """Answers every node's calls: text comes back as `node(text)`, several texts as `node(text, text)`."""

    routes: Mapping[str, float] = field(default_factory=dict)
    behave: Mapping[str, Behaviour] = field(default_factory=dict)
    slow: frozenset[str] = frozenset()
    """Nodes that never answer."""
    meta: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    sent: dict[str, list[Message]] = field(default_factory=dict)
    contexts: list[Any] = field(default_factory=list)
    cancelled: set[str] = field(default_factory=set)

    async def __call__(self, name: str, method: str, messages: list[Message], context: Any) -> Message:
        self.calls.append((name, method))
        self.sent[name] = messages
        self.contexts.append(context)
        try:
            await asyncio.sleep(1000 if name in self.slow else 0)
        except asyncio.CancelledError:
            self.cancelled.add(name)
            raise
        if name in self.behave:
            answer = self.behave[name](messages)
        elif method == "route":
            answer = numbers(self.routes[name], datatype="INT64")
        elif method in ("send_feedback", "ready"):
            answer = words(name)
        else:
            parts = [", ".join(text(message)) for message in messages]
            answer = words(f"{name}({', '.join(parts)})")
        return answer.with_(meta=self.meta.get(name, {}))

    def infer(self, root: Unit, message: Message | None = None, context: Any = None) -> Message:
        return asyncio.run(Graph.of(root, self).infer(message or words("x"), context))
