"""What the gateway reaches a predictor's servers by: one model, or an inference graph over several."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Mapping
from typing import Any

from aiga.serving.gateway.call import Answer, Call
from aiga.serving.graph.graph import Graph
from aiga.serving.graph.passage import Method, NodeCall
from aiga.serving.messages import Message, ServingError
from aiga.serving.protocols.metadata import ModelMetadata
from aiga.serving.runtimes.names import LEFT_OUT_HEADER, METRICS_HEADER
from aiga.serving.servers.client import TIMEOUT, Client
from aiga.spec.serve import Unit

MAKE = f"{__name__}:predictor"
FORM = ("content-type", "inference-header-content-length")
"""Headers of an answer that say how its body is to be read."""


def predictor(name: str, settings: Mapping[str, Any]) -> Model | Units:
    """The predictor of these settings.

    Args:
        settings: `servers`, node to the URL of the server that holds it; `graph`, the unit, or `model`, the only node;
            `images`, node of a graph to what serves it, as Seldon names a container's image, with its tag; `timeout`,
            the longest time of a request in seconds.
    """
    clients = {
        node: Client(url, node, timeout=settings.get("timeout", TIMEOUT)) for node, url in settings["servers"].items()
    }
    if settings.get("graph"):
        return Units(name, Unit.model_validate(settings["graph"]), clients, settings.get("images", {}))
    return Model(name, clients[settings["model"]])


class Model:
    """A predictor that is one model."""

    def __init__(self, name: str, client: Client) -> None:
        self.name, self._client = name, client

    async def infer(self, message: Message, context: Call) -> Message:
        """The model's answer; what clients call the deployment is not what its server calls the model."""
        own = message.with_(model=self._client.model, version="")
        async with asyncio.timeout_at(context.deadline):
            return await self._client.infer(own, headers=context.headers())

    async def forward(self, body: bytes, headers: Mapping[str, str], context: Call) -> Answer:
        """The same, of a v2 request that nobody reads on the way."""
        async with asyncio.timeout_at(context.deadline):
            reply = await self._client.forward(body, headers, headers=context.headers())
        told = {name: value for name, value in reply.headers.items() if name in FORM}
        metrics = json.loads(reply.headers.get(METRICS_HEADER, "[]"))
        left_out = int(reply.headers.get(LEFT_OUT_HEADER, "0"))
        return Answer(reply.body, reply.status, told, tuple(metrics), left_out)

    async def ready(self) -> bool:
        return await self._client.ready()

    async def metadata(self) -> ModelMetadata:
        """What the model takes and gives."""
        return await self._client.metadata()

    async def close(self) -> None:
        await self._client.close()


class Units:
    """A predictor that is an inference graph."""

    def __init__(
        self, name: str, root: Unit, clients: Mapping[str, Client], images: Mapping[str, str] | None = None
    ) -> None:
        self.name, self._clients = name, clients
        self.images: Mapping[str, str] = images or {}
        """Node to what serves it; a node that is left out has the predictor's."""
        self.node_calls: deque[NodeCall] = deque()
        """Calls of nodes that have ended and are not counted yet: who counts them takes them out."""
        self._graph = Graph.of(root, self._call, name, self.node_calls.append)

    async def infer(self, message: Message, context: Call) -> Message:
        return await self._graph.infer(message.with_(model="", version=""), context)

    async def feedback(
        self, request: Message, response: Message, reward: float, context: Call, truth: Message | None = None
    ) -> Message:
        return await self._graph.feedback(request, response, reward, context, truth)

    async def ready(self) -> bool:
        return await self._graph.ready()

    async def metadata(self) -> ModelMetadata:
        """What the graph takes and gives: that of the nodes at its ends."""
        return await self._graph.metadata(lambda node: self._clients[node].metadata())

    async def close(self) -> None:
        await asyncio.gather(*(client.close() for client in self._clients.values()))

    async def _call(self, node: str, method: Method, messages: list[Message], context: Any) -> Message:
        client = self._clients[node]
        if method == "ready":
            if not await client.ready():
                raise ServingError(503, "its server is not ready")
            return Message(())
        headers = context.headers() if context is not None else None
        return await client.call(method, [m.with_(model=node) for m in messages], headers=headers)
