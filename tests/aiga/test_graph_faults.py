"""What an inference graph does when its nodes fail, are late, or are put together wrongly."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from aiohttp import ServerDisconnectedError
from graph_world import Servers, combiner, model, output, router, transformer, unit, words

from aiga.errors import TransientError, UserError
from aiga.serving.graph.graph import DEEPEST, Graph
from aiga.serving.messages import BadRequest, Message, ServingError
from aiga.spec.serve import Unit

A, B = model("a"), model("b")


@dataclass
class Context:
    deadline: float


def failing(error: BaseException) -> Callable[[list[Message]], Message]:
    def fail(_: list[Message]) -> Message:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (BadRequest("x is missing"), 400, "a: x is missing"),
        (ServingError(429, "busy"), 429, "a: busy"),
        (ConnectionRefusedError("refused"), 502, "a: ConnectionRefusedError: refused"),
        (ServerDisconnectedError(), 502, "a: ServerDisconnectedError: Server disconnected"),
        (TransientError("full"), 502, "a: TransientError: full"),
        (TimeoutError(), 504, "a: no answer in time"),
        (KeyError("k"), 500, "a: KeyError: 'k'"),
    ],
)
@pytest.mark.parametrize("graph", [A, transformer("t", A), output("o", A), combiner("c", A, B), router("r", A, B)])
def test_a_failure_names_the_node_and_keeps_its_status(graph: Unit, error: Exception, status: int, reason: str) -> None:
    with pytest.raises(ServingError) as failed:
        Servers(behave={"a": failing(error)}, routes={"r": 0}).infer(graph)
    assert (failed.value.status, failed.value.reason) == (status, reason)


def test_the_other_children_are_cancelled_when_one_fails() -> None:
    servers = Servers(behave={"b": failing(ServingError(500, "broken"))}, slow=frozenset({"a", "d"}))
    with pytest.raises(ServingError, match=r"^b: broken"):
        servers.infer(combiner("c", A, B, transformer("t", model("d"))))
    assert servers.cancelled == {"a", "d"}
    assert "c" not in servers.sent


def test_a_failure_deep_in_a_tree_is_that_of_its_node_alone() -> None:
    graph = combiner("c", combiner("d", A, model("e")), combiner("f", B, model("g")))
    with pytest.raises(ServingError, match=r"^b: broken$"):
        Servers(behave={"b": failing(ServingError(500, "broken"))}, slow=frozenset({"a", "e", "g"})).infer(graph)


def test_nothing_below_a_failed_transformer_is_called() -> None:
    servers = Servers(behave={"t": failing(ServingError(500, "broken"))})
    with pytest.raises(ServingError):
        servers.infer(transformer("t", A))
    assert servers.calls == [("t", "transform_input")]


@pytest.mark.parametrize(
    ("graph", "late"),
    [(A, "a"), (transformer("t", A), "a"), (combiner("c", A, B, model("quick")), "a, b"), (output("a", B), "b")],
)
def test_a_deadline_is_the_whole_graphs_and_names_those_that_are_late(graph: Unit, late: str) -> None:
    servers = Servers(slow=frozenset({"a", "b"}))

    async def infer() -> None:
        context = Context(asyncio.get_running_loop().time() + 0.02)
        await Graph.of(graph, servers).infer(words("x"), context)

    with pytest.raises(ServingError) as failed:
        asyncio.run(infer())
    assert (failed.value.status, failed.value.reason) == (504, f"{late}: no answer in time")
    assert servers.cancelled == set(late.split(", "))


def test_a_deadline_that_is_over_calls_no_second_node() -> None:
    servers = Servers()

    async def infer() -> None:
        await Graph.of(transformer("t", A), servers).infer(words("x"), Context(asyncio.get_running_loop().time() - 1))

    with pytest.raises(ServingError, match="in time"):
        asyncio.run(infer())
    assert ("a", "predict") not in servers.calls


def test_every_node_gets_the_context() -> None:
    servers, context = Servers(), Context(float("inf"))
    servers.infer(transformer("t", A), context=context)
    assert servers.contexts == [context, context]


def test_a_caller_that_goes_away_cancels_the_nodes() -> None:
    servers = Servers(slow=frozenset({"a", "b"}))

    async def leave() -> None:
        task = asyncio.create_task(Graph.of(combiner("c", A, B), servers).infer(words("x"), None))
        while len(servers.calls) < 2:
            await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(leave())
    assert servers.cancelled == {"a", "b"}


@pytest.mark.parametrize(
    ("graph", "rule"),
    [
        (combiner("c", A, A), r"a: 2 nodes: each needs a name of its own"),
        (transformer("t", transformer("t")), "t: 2 nodes"),
        (router("r"), "r: a router needs children"),
        (combiner("c"), "c: a combiner needs children"),
        (unit("model", "m", A), "m: a model has no children"),
        (unit("router", "r", A, run=None), "r: 1 children: a router without run chooses between two"),
        (unit("router", "r", A, B, run=None, parameters={"ratioA": 1.5}), r"r: ratioA: 1.5: must be a share"),
        (unit("router", "r", A, B, run=None, parameters={"ratioA": "half"}), r"r: ratioA: half: must be a share"),
    ],
)
def test_a_graph_that_cannot_work_is_refused(graph: Unit, rule: str) -> None:
    with pytest.raises(UserError, match=rule):
        Graph.of(graph, Servers())


def test_all_mistakes_of_a_graph_are_told_at_once() -> None:
    with pytest.raises(UserError) as failed:
        Graph.of(transformer("t", router("r"), combiner("c")), Servers())
    assert len(str(failed.value).splitlines()) == 2


def test_a_graph_is_as_deep_as_it_may_be_and_no_deeper() -> None:
    def chain(depth: int) -> Unit:
        graph = A
        for number in range(depth - 1):
            graph = transformer(f"t{number}", graph)
        return graph

    Servers().infer(chain(DEEPEST))
    with pytest.raises(UserError, match=f"{DEEPEST + 1} nodes below each other"):
        Graph.of(chain(DEEPEST + 1), Servers())


class TestReady:
    def ready(self, servers: Servers, graph: Unit) -> tuple[bool, tuple[str, ...]]:
        async def ask() -> tuple[bool, tuple[str, ...]]:
            made = Graph.of(graph, servers)
            return await made.ready(), await made.unready()

        return asyncio.run(ask())

    def test_a_graph_is_ready_when_all_nodes_are(self) -> None:
        servers = Servers()
        assert self.ready(servers, combiner("c", A, B)) == (True, ())
        assert {("a", "ready"), ("b", "ready"), ("c", "ready")} == set(servers.calls)

    @pytest.mark.parametrize("error", [ServingError(503, "loading"), ConnectionRefusedError(), TransientError("no")])
    def test_one_node_that_is_not_ready_keeps_it_from_being_ready(self, error: Exception) -> None:
        assert self.ready(Servers(behave={"b": failing(error)}), router("r", A, B)) == (False, ("b",))

    def test_what_has_no_server_is_not_asked(self) -> None:
        servers = Servers()
        assert self.ready(servers, unit("combiner", "c", A, B, run=None)) == (True, ())
        assert {name for name, _ in servers.calls} == {"a", "b"}
