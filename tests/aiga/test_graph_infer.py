"""What an inference graph answers: who is called with what, in which order, and what `meta` says of it."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from graph_world import Servers, combiner, model, numbers, output, router, text, transformer, unit, words

from aiga.serving.graph.graph import Graph
from aiga.serving.messages import BadRequest, Message, ServingError, Tensor
from aiga.serving.protocols.metadata import ModelMetadata, TensorSpec
from aiga.spec.serve import Unit

A, B, C = model("a"), model("b"), model("c")


@pytest.mark.parametrize(
    ("graph", "answer"),
    [
        (A, "a(x)"),
        (transformer("t", A), "a(t(x))"),
        (transformer("t", transformer("u", A)), "a(u(t(x)))"),
        (transformer("t"), "t(x)"),
        (transformer("t", A, B), "a(t(x))"),
        (output("o", A), "o(a(x))"),
        (output("o"), "o(x)"),
        (transformer("t", output("o", A)), "o(a(t(x)))"),
        (output("o", transformer("t", A)), "o(a(t(x)))"),
        (combiner("c", A, B), "c(a(x), b(x))"),
        (combiner("c", transformer("t", A), output("o", B)), "c(a(t(x)), o(b(x)))"),
        (router("first", A, B), "a(x)"),
        (router("second", A, B), "b(x)"),
        (router("all", A, B), "a(x)"),
        (router("none", A, B), "x"),
        (router("second", A, combiner("c", A.model_copy(update={"name": "d"}), B)), "c(d(x), b(x))"),
    ],
)
def test_an_answer_is_that_of_the_graph(graph: Unit, answer: str) -> None:
    servers = Servers(routes={"first": 0, "second": 1, "all": -1, "none": -2})
    assert text(servers.infer(graph)) == [answer]


@pytest.mark.parametrize(
    ("graph", "calls"),
    [
        (A, {("a", "predict")}),
        (transformer("t", A), {("t", "transform_input"), ("a", "predict")}),
        (output("o", A), {("a", "predict"), ("o", "transform_output")}),
        (combiner("c", A, B), {("a", "predict"), ("b", "predict"), ("c", "aggregate")}),
        (router("second", A, B), {("second", "route"), ("b", "predict")}),
        (router("all", A, B), {("all", "route"), ("a", "predict"), ("b", "predict")}),
        (router("none", A, B), {("none", "route")}),
    ],
)
def test_each_node_is_asked_for_what_its_kind_does(graph: Unit, calls: set[tuple[str, str]]) -> None:
    servers = Servers(routes={"second": 1, "all": -1, "none": -2})
    servers.infer(graph)
    assert sorted(servers.calls) == sorted(calls)


def test_children_of_a_combiner_are_asked_at_once() -> None:
    servers = Servers()
    servers.infer(combiner("c", transformer("t", A), transformer("u", B)))
    assert servers.calls[:2] == [("t", "transform_input"), ("u", "transform_input")]


@pytest.mark.parametrize("value", [1, 1.0])
def test_a_route_may_be_an_integer_or_a_number_equal_to_one(value: float) -> None:
    said = numbers(value, datatype="INT32" if isinstance(value, int) else "FP64")
    assert text(Servers(behave={"r": lambda _: said}).infer(router("r", A, B))) == ["b(x)"]


@pytest.mark.parametrize("value", [2, -3, 0.5])
def test_a_route_to_nowhere_names_the_router_and_what_it_said(value: float) -> None:
    servers = Servers(behave={"r": lambda _: numbers(value, datatype="FP64")})
    with pytest.raises(ServingError, match=rf"^r: it routes to {value}.*2 children") as failed:
        servers.infer(router("r", A, B))
    assert failed.value.status == 500


@pytest.mark.parametrize("said", [Message(()), words("b"), Message((Tensor("r", "BOOL", np.array([True])),))])
def test_an_answer_that_is_no_route_is_the_routers_failure(said: Message) -> None:
    with pytest.raises(ServingError, match=r"^r: "):
        Servers(behave={"r": lambda _: said}).infer(router("r", A, B))


def test_the_answer_has_the_requests_id_and_no_node_sees_another() -> None:
    servers = Servers(behave={"t": lambda _: words("y", id="other")})
    assert servers.infer(transformer("t", A), words("x", id="7")).id == "7"
    assert servers.sent["t"][0].id == servers.sent["a"][0].id == "7"


def test_each_node_is_addressed_by_its_own_name_and_without_the_clients_version() -> None:
    servers = Servers()
    servers.infer(transformer("t", A), words("x", model="digits", version="3"))
    sent = [servers.sent[name][0] for name in ("t", "a")]
    assert [(message.model, message.version) for message in sent] == [("t", ""), ("a", "")]


def test_the_outputs_asked_for_are_those_of_the_whole_graph() -> None:
    both = Message((*numbers(1, name="label").tensors, *numbers(2, name="score").tensors))
    servers = Servers(behave={"a": lambda _: both})
    answer = servers.infer(transformer("t", A), words("x", requested=("score",)))
    assert [tensor.name for tensor in answer.tensors] == ["score"]
    assert servers.sent["t"][0].requested == ()


def test_an_output_that_the_graph_does_not_give_is_a_bad_request_that_lists_those_it_gives() -> None:
    with pytest.raises(BadRequest, match="a gives text, not score"):
        Servers().infer(A, words("x", requested=("score",)))


def test_a_request_is_left_as_it_was() -> None:
    meta = {"tags": {"who": "me"}, "metrics": [], "requestPath": {}}
    request = words("x", meta=meta)
    Servers(meta={"a": {"tags": {"new": 1}, "metrics": [{}]}}).infer(A, request)
    assert meta == {"tags": {"who": "me"}, "metrics": [], "requestPath": {}}


class TestMeta:
    def meta(self, graph: Unit, said: dict[str, Any], request: dict[str, Any] | None = None) -> Any:
        servers = Servers(meta=said, routes={"r": 1})
        return servers.infer(graph, words("x", meta=request or {})).meta

    def test_a_later_nodes_tag_stands_in_place_of_an_earlier_ones(self) -> None:
        said = {"t": {"tags": {"k": "t", "t": 1}}, "a": {"tags": {"k": "a"}}, "o": {"tags": {"k": "o"}}}
        assert self.meta(transformer("t", A), said)["tags"] == {"k": "a", "t": 1}
        assert self.meta(output("o", transformer("t", A)), said)["tags"] == {"k": "o", "t": 1}

    def test_a_combiner_has_the_tags_of_all_children_in_their_order_and_its_own_above(self) -> None:
        said = {"a": {"tags": {"k": "a", "a": 1}}, "b": {"tags": {"k": "b", "b": 2}}}
        assert self.meta(combiner("c", A, B), said)["tags"] == {"k": "b", "a": 1, "b": 2}
        assert self.meta(combiner("c", A, B), {**said, "c": {"tags": {"k": "c"}}})["tags"]["k"] == "c"

    def test_what_a_child_says_whose_answer_is_dropped_is_dropped_but_the_way_is_not(self) -> None:
        meta = self.meta(transformer("t", A, B), {"b": {"tags": {"b": 1}}})
        assert "tags" not in meta
        assert list(meta["requestPath"]) == ["t", "a", "b"]

    def test_metrics_of_all_nodes_stand_in_the_order_of_the_graph(self) -> None:
        said = {name: {"metrics": [{"key": name, "type": "COUNTER", "value": 1}]} for name in "tabc"}
        meta = self.meta(transformer("t", combiner("c", A, B)), said)
        assert [one["key"] for one in meta["metrics"]] == ["t", "c", "a", "b"]

    def test_metrics_are_counted_once_though_a_wrapper_repeats_what_it_was_sent(self) -> None:
        servers = Servers(meta={"t": {"metrics": [{"key": "t"}]}})
        servers.infer(transformer("t", A), words("x", meta={"metrics": [{"key": "client"}]}))
        assert all("metrics" not in servers.sent[name][0].meta for name in ("t", "a"))

    def test_routing_has_a_routers_choice_and_says_all_for_others(self) -> None:
        meta = self.meta(router("r", A, combiner("c", B, C.model_copy(update={"name": "d"}))), {})
        assert meta["routing"] == {"r": 1, "c": -1, "b": -1, "d": -1}

    def test_the_way_holds_what_served_each_node(self) -> None:
        graph = transformer("t", unit("model", "a", run=None, model="digits@7"))
        assert self.meta(graph, {})["requestPath"] == {"t": "steps:T", "a": "digits@7"}

    def test_a_node_may_say_itself_what_it_is(self) -> None:
        said = {"a": {"requestPath": {"a": "image:1", "t": "of no account"}}}
        assert self.meta(transformer("t", A), said)["requestPath"] == {"t": "steps:T", "a": "image:1"}

    def test_the_requests_meta_comes_back_and_goes_to_all_nodes(self) -> None:
        servers = Servers()
        meta = servers.infer(transformer("t", A), words("x", meta={"puid": "p", "tags": {"who": "me"}})).meta
        assert (meta["puid"], meta["tags"]) == ("p", {"who": "me"})
        assert servers.sent["a"][0].meta["puid"] == "p"
        assert servers.sent["a"][0].meta["tags"] == {"who": "me"}

    def test_a_node_sees_the_tags_of_those_before_it(self) -> None:
        servers = Servers(meta={"t": {"tags": {"scaled": True}}})
        servers.infer(transformer("t", A))
        assert servers.sent["a"][0].meta["tags"] == {"scaled": True}

    def test_a_routers_tags_are_dropped_as_seldon_drops_them_and_its_metrics_kept(self) -> None:
        meta = self.meta(router("r", A, B), {"r": {"tags": {"arm": 1}, "metrics": [{"key": "arm"}]}})
        assert "tags" not in meta
        assert meta["metrics"] == [{"key": "arm"}]


@pytest.mark.parametrize(
    ("graph", "takes", "gives"),
    [
        (A, "a", "a"),
        (transformer("t", A), "t", "a"),
        (output("o", transformer("t", A)), "t", "o"),
        (combiner("c", A, B), "a", "c"),
        (unit("combiner", "c", A, B, run=None), "a", "a"),
        (router("r", A, B), "a", "a"),
    ],
)
def test_a_graph_takes_what_its_one_end_takes_and_gives_what_the_other_gives(
    graph: Unit, takes: str, gives: str
) -> None:
    async def describe(name: str) -> ModelMetadata:
        return ModelMetadata(name, ("1",), "", (spec(f"{name}-in"),), (spec(f"{name}-out"),))

    def spec(name: str) -> TensorSpec:
        return TensorSpec(name, "FP32", (-1,))

    found = asyncio.run(Graph.of(graph, Servers()).metadata(describe))
    assert found == ModelMetadata(graph.name, ("1",), "", (spec(f"{takes}-in"),), (spec(f"{gives}-out"),))


class TestBuiltin:
    def test_a_combiner_without_a_class_averages(self) -> None:
        graph = unit("combiner", "c", A, B, run=None)
        servers = Servers(behave={"a": lambda _: numbers(0.25, 1), "b": lambda _: numbers(0.75, 2)})
        answer = servers.infer(graph)
        assert answer.tensors[0].data.tolist() == [0.5, 1.5]
        assert answer.tensors[0].datatype == "FP32" and answer.tensors[0].data.dtype == np.float32
        assert answer.meta["requestPath"]["c"] == "AVERAGE_COMBINER"
        assert "c" not in servers.sent

    def test_labels_are_left_out_of_the_average_where_there_are_probabilities(self) -> None:
        both = Message((*numbers(3, name="label", datatype="INT64").tensors, *numbers(0.5, name="p").tensors))
        answer = Servers(behave={"a": lambda _: both, "b": lambda _: both}).infer(unit("combiner", "c", A, B, run=None))
        assert [(tensor.name, tensor.data.tolist()) for tensor in answer.tensors] == [("p", [0.5])]

    def test_integers_alone_have_a_mean_with_a_fraction(self) -> None:
        servers = Servers(
            behave={"a": lambda _: numbers(1, datatype="INT64"), "b": lambda _: numbers(2, datatype="INT64")}
        )
        tensor = servers.infer(unit("combiner", "c", A, B, run=None)).tensors[0]
        assert (tensor.datatype, tensor.data.tolist()) == ("FP64", [1.5])

    @pytest.mark.parametrize(
        ("second", "reason"), [(numbers(1, 2), r"shapes \[\(2,\)\] of child 1"), (words("b"), "of child 1")]
    )
    def test_what_cannot_be_averaged_names_the_combiner_and_the_child(self, second: Message, reason: str) -> None:
        servers = Servers(behave={"a": lambda _: numbers(1), "b": lambda _: second})
        with pytest.raises(ServingError, match=f"^c: .*{reason}"):
            servers.infer(unit("combiner", "c", A, B, run=None))

    def test_text_has_no_mean(self) -> None:
        with pytest.raises(ServingError, match=r"^c: the answers hold no numbers"):
            Servers().infer(unit("combiner", "c", A, B, run=None))

    @pytest.mark.parametrize(("ratio", "chosen"), [(1, "a"), (0.0, "b")])
    def test_a_router_without_a_class_gives_its_first_child_a_share(self, ratio: float, chosen: str) -> None:
        graph = unit("router", "r", A, B, run=None, parameters={"ratioA": ratio})
        answers = {text(Servers().infer(graph))[0] for _ in range(20)}
        assert answers == {f"{chosen}(x)"}

    def test_the_share_is_a_half_by_default(self) -> None:
        servers = Servers()
        for _ in range(64):
            servers.infer(unit("router", "r", A, B, run=None))
        assert {name for name, _ in servers.calls} == {"a", "b"}, "each of 64 chosen alike: one in 2^63"
