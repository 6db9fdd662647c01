"""Any tree of nodes: each is called as often as its place says, and the answer tells which way it went."""

from __future__ import annotations

from collections import Counter
from itertools import count
from typing import Any, Literal

from graph_world import Servers, text, unit, words
from hypothesis import given
from hypothesis import strategies as st

from aiga.serving.graph.layout import ends, servers, units
from aiga.serving.graph.passage import ALL, NONE
from aiga.spec.serve import Unit

METHODS = {
    "model": "predict",
    "transformer": "transform_input",
    "output-transformer": "transform_output",
    "router": "route",
    "combiner": "aggregate",
}


@st.composite
def graphs(draw: st.DrawFn, depth: int = 4) -> tuple[Unit, dict[str, int]]:
    """A tree, and the way that each of its routers chooses."""
    numbers, routes = count(), dict[str, int]()

    def made(left: int) -> Unit:
        kinds = ["model", "transformer", "output-transformer", "router", "combiner"] if left else ["model"]
        kind = draw(st.sampled_from(kinds))
        name = f"n{next(numbers)}"
        least = 1 if kind in ("router", "combiner") else 0
        children = [made(left - 1) for _ in range(draw(st.integers(least, 3)))] if kind != "model" else []
        if kind == "router":
            routes[name] = draw(st.integers(NONE, len(children) - 1))
        server = draw(st.sampled_from([None, "onnx", "sklearn", "tensorflow"]))
        own = {"run": None, "model": name, "server": server} if kind == "model" else {}
        return unit(kind, name, *children, **own)

    return made(depth), routes


def passed(node: Unit, routes: dict[str, int]) -> list[str]:
    """Names of the nodes that a request passes, a parent before its children."""
    way = routes.get(node.name, ALL)
    chosen = node.children if way == ALL else () if way == NONE else (node.children[way],)
    return [node.name, *(name for child in chosen for name in passed(child, routes))]


def expected(node: Unit, routes: dict[str, int], given: str) -> str:
    """The text that comes out of a node where every server writes its name around what it gets."""
    way = routes.get(node.name, ALL)
    chosen = node.children if way == ALL else () if way == NONE else (node.children[way],)
    inside = f"{node.name}({given})" if node.kind in ("model", "transformer") else given
    below = [expected(child, routes, inside) for child in chosen]
    if node.kind == "combiner":
        return f"{node.name}({', '.join(below)})"
    first = below[0] if below else inside
    return f"{node.name}({first})" if node.kind == "output-transformer" else first


@given(graphs())
def test_each_node_on_the_way_is_called_once_and_no_other(graph: tuple[Unit, dict[str, int]]) -> None:
    root, routes = graph
    world = Servers(routes=routes)
    world.infer(root)
    kinds = {node.name: node.kind for node in units(root)}
    assert Counter(world.calls) == Counter((name, METHODS[kinds[name]]) for name in passed(root, routes))


@given(graphs())
def test_an_answer_has_gone_through_the_nodes_in_their_order(graph: tuple[Unit, dict[str, int]]) -> None:
    root, routes = graph
    assert text(Servers(routes=routes).infer(root)) == [expected(root, routes, "x")]


@given(graphs())
def test_the_request_path_holds_every_node_passed_and_the_routing_every_choice(
    graph: tuple[Unit, dict[str, int]],
) -> None:
    root, routes = graph
    meta = Servers(routes=routes).infer(root).meta
    way = passed(root, routes)
    assert list(meta["requestPath"]) == way
    assert meta["routing"] == {name: routes.get(name, ALL) for name in way}


@given(graphs())
def test_the_metrics_of_each_node_passed_are_there_once(graph: tuple[Unit, dict[str, int]]) -> None:
    root, routes = graph
    said: dict[str, Any] = {node.name: {"metrics": [{"key": node.name}]} for node in units(root)}
    meta = Servers(routes=routes, meta=said).infer(root, words("x")).meta
    assert [one["key"] for one in meta["metrics"]] == passed(root, routes)


@given(graphs(), st.sampled_from(["onnx", "sklearn"]))
def test_servers_hold_each_node_once_and_share_where_they_can(
    graph: tuple[Unit, dict[str, int]], default: Literal["onnx", "sklearn"]
) -> None:
    root, _ = graph
    layout = servers(root, default)
    held = [node.name for _, nodes in layout for node in nodes]
    assert sorted(held) == sorted(node.name for node in units(root))
    shared = [kind for kind, _ in layout if kind != "tensorflow"]
    assert len(shared) == len(set(shared))
    assert all(len(nodes) == 1 for kind, nodes in layout if kind == "tensorflow")


@given(graphs())
def test_the_ends_of_a_graph_are_nodes_that_take_its_requests_and_give_its_answers(
    graph: tuple[Unit, dict[str, int]],
) -> None:
    root, _ = graph
    first, last = ends(root)
    toward_first = {node.name: 0 for node in units(root) if node.kind == "router"}
    answer = expected(root, toward_first, "x")
    if first.kind in ("model", "transformer"):
        assert f"{first.name}(x)" in answer
    if last.kind in ("model", "output-transformer", "combiner"):
        assert answer.startswith(f"{last.name}(")
