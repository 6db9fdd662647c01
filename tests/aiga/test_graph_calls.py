"""What an observer is told of the calls that a graph makes: each of them once, however it ends."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from graph_world import Servers, combiner, model, output, router, transformer, unit, words

from aiga.errors import TransientError
from aiga.serving.graph.graph import Graph
from aiga.serving.graph.passage import NodeCall
from aiga.serving.messages import GONE, Message, ServingError
from aiga.spec.serve import Unit

A, B = model("a"), model("b")


@dataclass
class Context:
    deadline: float


def observed(graph: Unit, servers: Servers, message: Message | None = None, seconds: float | None = None) -> Any:
    """The calls that the observer was told of, and the context that they should have."""
    told: list[NodeCall] = []

    async def go() -> Context | None:
        now = asyncio.get_running_loop().time()
        context = Context(now + seconds) if seconds is not None else None
        with suppress(ServingError):
            await Graph.of(graph, servers, observe=told.append).infer(message or words("x"), context)
        return context

    return told, asyncio.run(go())


def test_each_call_of_a_node_is_told_once_with_its_method() -> None:
    graph = transformer("t", router("r", combiner("c", A, B), model("d")))
    told, context = observed(output("o", graph), Servers(routes={"r": 0}), seconds=60)
    assert {(call.node, call.method) for call in told} == {
        ("t", "transform_input"),
        ("r", "route"),
        ("a", "predict"),
        ("b", "predict"),
        ("c", "aggregate"),
        ("o", "transform_output"),
    }
    assert len(told) == 6
    assert {call.status for call in told} == {200}
    assert all(call.context is context and call.seconds > 0 for call in told)


def test_what_a_graph_does_without_a_server_is_no_call() -> None:
    graph = unit("router", "r", A, B, run=None, parameters={"ratioA": 1.0})
    told, _ = observed(graph, Servers())
    assert [call.node for call in told] == ["a"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ServingError(422, "no"), 422),
        (TimeoutError(), 504),
        (ConnectionResetError("gone"), 502),
        (TransientError("gone"), 502),
        (KeyError("x"), 500),
    ],
)
def test_a_call_that_fails_has_the_status_of_its_failure(error: Exception, status: int) -> None:
    def fail(_: list[Message]) -> Message:
        raise error

    told, _ = observed(transformer("t", A), Servers(behave={"a": fail}))
    assert [(call.node, call.status) for call in told] == [("t", 200), ("a", status)]


def test_a_call_that_another_ones_failure_ends_is_given_up() -> None:
    def fail(_: list[Message]) -> Message:
        raise ServingError(500, "broken")

    told, _ = observed(combiner("c", A, B), Servers(behave={"a": fail}, slow=frozenset({"b"})))
    assert {call.node: call.status for call in told} == {"a": 500, "b": GONE}


def test_a_call_that_the_requests_time_ends_is_late() -> None:
    told, _ = observed(transformer("t", A), Servers(slow=frozenset({"a"})), seconds=0.05)
    assert {call.node: call.status for call in told} == {"t": 200, "a": 504}


def test_a_nodes_metrics_are_its_own() -> None:
    meta = {name: {"metrics": [{"key": name, "type": "GAUGE", "value": 1}]} for name in ("t", "a")}
    sent = words("x", meta={"metrics": [{"key": "of_the_client", "type": "GAUGE", "value": 1}]})
    told, _ = observed(output("o", transformer("t", A)), Servers(meta=meta), sent)
    assert {call.node: [metric["key"] for metric in call.metrics] for call in told} == {"t": ["t"], "a": ["a"], "o": []}


def test_a_call_of_feedback_has_the_reward() -> None:
    told: list[NodeCall] = []
    graph = Graph.of(router("r", A, B), Servers(), observe=told.append)
    response = words("answer", meta={"routing": {"r": 1}})
    asyncio.run(graph.feedback(words("x"), response, 0.5, None))
    assert [(call.node, call.method, call.reward) for call in told] == [
        ("b", "send_feedback", 0.5),
        ("r", "send_feedback", 0.5),
    ]


def test_a_node_that_is_looked_at_is_not_called_for_a_request() -> None:
    told: list[NodeCall] = []
    assert asyncio.run(Graph.of(A, Servers(), observe=told.append).ready())
    assert told == []
