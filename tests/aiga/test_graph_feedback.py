"""Feedback goes the way that the request went."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from graph_world import Servers, combiner, model, output, router, text, transformer, unit, words

from aiga.serving.graph.graph import Graph
from aiga.serving.messages import BadRequest, Message, ServingError
from aiga.spec.serve import Unit

A, B, D = model("a"), model("b"), model("d")


def feedback(servers: Servers, graph: Unit, routing: dict[str, Any] | None = None, **rest: Any) -> Message:
    response = words("answer", meta={"routing": routing} if routing is not None else {})
    return asyncio.run(Graph.of(graph, servers).feedback(words("x", id="7"), response, 0.5, None, **rest))


@pytest.mark.parametrize(
    ("graph", "routing", "told"),
    [
        (A, {}, ["a"]),
        (transformer("t", output("o", A)), {}, ["a"]),
        (router("r", A, B), {"r": 1}, ["b", "r"]),
        (router("r", A, B), {"r": 1.0}, ["b", "r"]),
        (router("r", A, B), {"r": -1}, ["a", "b", "r"]),
        (router("r", A, B), {"r": -2}, ["r"]),
        (router("r", A, B), {}, ["a", "b", "r"]),
        (router("r", A, B), None, ["a", "b", "r"]),
        (router("r", A, combiner("c", B, D)), {"r": 1}, ["b", "d", "r"]),
        (unit("router", "r", A, B, run=None), {"r": 0}, ["a"]),
        (transformer("t"), {}, []),
    ],
)
def test_models_and_routers_on_the_way_are_told_children_first(
    graph: Unit, routing: dict[str, Any] | None, told: list[str]
) -> None:
    servers = Servers()
    feedback(servers, graph, routing)
    assert servers.calls == [(name, "send_feedback") for name in told]


def test_feedback_follows_the_routing_that_the_answer_came_with() -> None:
    servers = Servers(routes={"r": 1, "s": 0})
    graph = router("r", A, transformer("t", router("s", B, D)))
    routing = servers.infer(graph).meta["routing"]
    servers.calls.clear()
    feedback(servers, graph, routing)
    assert [name for name, _ in servers.calls] == ["b", "s", "r"]


def test_a_node_gets_request_response_reward_and_truth() -> None:
    servers = Servers()
    feedback(servers, A, truth=words("right"))
    request, response, truth = servers.sent["a"]
    assert (text(request), text(response), text(truth)) == (["x"], ["answer"], ["right"])
    assert response.parameters["reward"] == 0.5


def test_the_first_node_that_takes_feedback_answers_for_all() -> None:
    answer = feedback(Servers(), transformer("t", router("r", A, B)), {"r": 0})
    assert (text(answer), answer.id) == (["r"], "7")


def test_where_nobody_takes_feedback_the_answer_is_empty() -> None:
    assert feedback(Servers(), transformer("t")).tensors == ()


@pytest.mark.parametrize("way", [2, -3, True, "1", [1]])
def test_routing_that_is_none_of_the_graphs_is_a_bad_request(way: Any) -> None:
    servers = Servers()
    with pytest.raises(BadRequest, match=r"meta.routing.r: .* it has 2 children"):
        feedback(servers, router("r", A, B), {"r": way})
    assert servers.calls == []


def test_a_failure_names_the_node() -> None:
    def fail(_: list[Message]) -> Message:
        raise ServingError(500, "broken")

    with pytest.raises(ServingError, match=r"^b: broken"):
        feedback(Servers(behave={"b": fail}), router("r", A, B))
