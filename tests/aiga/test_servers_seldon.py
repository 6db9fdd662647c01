"""Python classes as Seldon's wrapper takes them, without a server."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from servers_world import message, project, tensor

from aiga.errors import UserError
from aiga.serving.messages import Message, ServingError
from aiga.serving.runtimes.custom_metrics import CustomMetrics
from aiga.serving.runtimes.methods import Methods
from aiga.serving.runtimes.seldon_class import SeldonClass, construct, load_class
from aiga.serving.runtimes.seldon_core.flask_utils import SeldonMicroserviceException
from aiga.serving.runtimes.seldon_core.proto.prediction_pb2 import SeldonMessage
from aiga.serving.runtimes.seldon_core.user_model import SeldonComponent, SeldonResponse

ROWS = tensor([[1.0, 2.0]], "FP64", names=["a", "b"])


@pytest.fixture
def methods() -> Any:
    def made(instance: Any, metrics: CustomMetrics | None = None) -> Methods:
        return Methods(SeldonClass(instance), "unit", metrics or CustomMetrics())

    return made


@pytest.fixture
def importing() -> Iterator[None]:
    """What a test imports is forgotten after it."""
    modules, path = set(sys.modules), list(sys.path)
    yield
    for name in set(sys.modules) - modules:
        if name == "scorer" or name.startswith("seldon_core"):
            del sys.modules[name]
    sys.path[:] = path


def values(answer: Message) -> Any:
    return answer.tensors[0].data.tolist()


class Seen:
    """Keeps what its predict was given."""

    def predict(self, x: Any, names: Any, meta: Any = None) -> Any:
        self.seen = (x, names, meta)
        return x


class OnlyX:
    def predict(self, x: Any) -> Any:
        return x + 1


class TwoArguments:
    def predict(self, x: Any, features_names: Any) -> Any:
        return x + len(features_names)


class Anything:
    def predict(self, *args: Any, **kwargs: Any) -> Any:
        return [len(args), sorted(kwargs)[0]]


def test_a_method_gets_the_array_the_names_and_the_meta(methods: Any) -> None:
    instance = Seen()
    methods(instance).call("predict", [message(ROWS, id="7", meta={"tags": {"t": 1}})])
    x, names, meta = instance.seen
    assert x.tolist() == [[1.0, 2.0]] and names == ["a", "b"] and meta == {"puid": "7", "tags": {"t": 1}}


@pytest.mark.parametrize(
    ("instance", "expected"),
    [(OnlyX(), [[2.0, 3.0]]), (TwoArguments(), [[3.0, 4.0]]), (Anything(), [b"2", b"meta"])],
)
def test_shorter_and_longer_signatures_work(methods: Any, instance: Any, expected: Any) -> None:
    assert values(methods(instance).call("predict", [message(ROWS)])) == expected


def test_a_type_error_inside_a_method_is_not_taken_for_a_wrong_signature(methods: Any) -> None:
    class Counting:
        calls = 0

        def predict(self, x: Any, names: Any, meta: Any = None) -> Any:
            self.calls += 1
            return x + None

    instance = Counting()
    with pytest.raises(ServingError, match="predict: TypeError") as failed:
        methods(instance).call("predict", [message(ROWS)])
    assert failed.value.status == 500 and instance.calls == 1


@pytest.mark.parametrize(
    ("datatype", "given", "parameters", "expected"),
    [
        ("BYTES", [b"text"], {"content_type": "str"}, "text"),
        ("BYTES", [b"\xff"], {"content_type": "base64"}, b"\xff"),
        ("BYTES", [b'{"a": 1}'], {"content_type": "json"}, {"a": 1}),
    ],
)
def test_text_bytes_and_json_come_and_go_as_themselves(
    methods: Any, datatype: str, given: Any, parameters: Any, expected: Any
) -> None:
    instance = Seen()
    answer = methods(instance).call("predict", [message(tensor(given, datatype, **parameters))])
    assert instance.seen[0] == expected
    assert answer.tensors[0].parameters == parameters
    assert answer.tensors[0].data.item().replace(b" ", b"") == given[0].replace(b" ", b"")


def test_strings_in_an_array_are_text_to_the_class(methods: Any) -> None:
    instance = Seen()
    answer = methods(instance).call("predict", [message(tensor([[b"a", b"b"]], "BYTES"))])
    assert instance.seen[0].tolist() == [["a", "b"]] and values(answer) == [[b"a", b"b"]]


def test_columns_become_a_matrix_and_other_tensors_a_dict(methods: Any) -> None:
    instance = Seen()
    methods(instance).call("predict", [message(tensor([1, 2], name="a"), tensor([[3], [4]], name="b"))])
    assert instance.seen[0].tolist() == [[1, 3], [2, 4]] and instance.seen[1] == ["a", "b"]
    answer = methods(instance).call("predict", [message(tensor([[1, 2]], name="a"), tensor([3], name="b"))])
    assert set(instance.seen[0]) == {"a", "b"} and [each.name for each in answer.tensors] == ["a", "b"]


def test_names_of_columns_come_from_the_class_or_are_numbered(methods: Any) -> None:
    class Named(OnlyX):
        def class_names(self) -> list[str]:
            return ["no", "yes"]

    class Attribute(OnlyX):
        class_names = ("no", "yes")

    class Transformer:
        def feature_names(self) -> list[str]:
            return ["f", "g"]

    assert methods(OnlyX()).call("predict", [message(ROWS)]).tensors[0].parameters["names"] == ["t:0", "t:1"]
    for instance in (Named(), Attribute()):
        assert methods(instance).call("predict", [message(ROWS)]).tensors[0].parameters["names"] == ["no", "yes"]
    answer = methods(Transformer()).call("transform_input", [message(ROWS)])
    assert answer.tensors[0].parameters["names"] == ["f", "g"]


def test_tags_and_metrics_of_class_and_request_are_in_the_meta_and_in_prometheus(methods: Any) -> None:
    class Telling:
        def predict(self, x: Any, names: Any) -> Any:
            return SeldonResponse(x, {"of": "call"}, [{"type": "TIMER", "key": "took", "value": 20}])

        def tags(self) -> Any:
            return {"of": "class", "v": 1}

        def metrics(self) -> Any:
            return [{"type": "COUNTER", "key": "rows", "value": 2, "tags": {"kind": "x"}}]

    metrics = CustomMetrics({"model_name": "m"})
    subject = methods(Telling(), metrics)
    for _ in range(2):
        answer = subject.call("predict", [message(ROWS, meta={"tags": {"in": True}})])
    assert answer.meta["tags"] == {"in": True, "of": "call", "v": 1}
    assert [metric["key"] for metric in answer.meta["metrics"]] == ["rows", "took"]
    samples = {sample.name: sample for family in metrics.collect() for sample in family.samples}
    rows = samples["rows_total"]
    assert rows.value == 4 and {"kind": "x", "method": "predict", "model_name": "m"}.items() <= rows.labels.items()
    assert samples["took_count"].value == 2 and samples["took_sum"].value == pytest.approx(0.04)


@pytest.mark.parametrize(
    "wrong", [[{"type": "COUNTER", "key": "k"}], {"key": 1}, [{"type": "X", "key": "k", "value": 1}]]
)
def test_metrics_that_are_none_are_an_error(methods: Any, wrong: Any) -> None:
    class Wrong(OnlyX):
        def metrics(self) -> Any:
            return wrong

    with pytest.raises(ServingError, match="metrics: must be a list"):
        methods(Wrong()).call("predict", [message(ROWS)])


def test_a_router_must_say_an_int(methods: Any) -> None:
    class Router:
        def __init__(self, way: Any) -> None:
            self.way = way

        def route(self, x: Any, names: Any) -> Any:
            return self.way

    assert values(methods(Router(1)).call("route", [message(ROWS)])) == [[1]]
    with pytest.raises(ServingError, match="must return an int, got int64"):
        methods(Router(np.int64(1))).call("route", [message(ROWS)])


def test_a_combiner_gets_all_answers(methods: Any) -> None:
    class Mean:
        def aggregate(self, features: Any, names: Any) -> Any:
            return np.mean(features, axis=0)

    parts = [message(ROWS, meta={"tags": {"a": 1}}), message(tensor([[3.0, 4.0]], "FP64"), meta={"tags": {"b": 2}})]
    answer = methods(Mean()).call("aggregate", parts)
    assert values(answer) == [[2.0, 3.0]] and answer.meta["tags"] == {"a": 1, "b": 2}


def test_feedback_tells_reward_truth_and_the_way_that_the_class_chose(methods: Any) -> None:
    class Learning:
        def send_feedback(self, features: Any, names: Any, reward: float, truth: Any, routing: Any) -> Any:
            self.seen = (features.tolist(), reward, truth.tolist(), routing)

    instance, metrics = Learning(), CustomMetrics()
    response = message(tensor([0]), parameters={"reward": 0.5}, meta={"routing": {"unit": 1, "other": 0}})
    methods(instance, metrics).call("send_feedback", [message(ROWS), response, message(tensor([1]))])
    assert instance.seen == ([[1.0, 2.0]], 0.5, [1.0], 1)
    names = {sample.name: sample.value for family in metrics.collect() for sample in family.samples}
    assert names == {"seldon_api_model_feedback_total": 1, "seldon_api_model_feedback_reward_total": 0.5}


def test_raw_methods_see_seldons_message_and_come_first(methods: Any) -> None:
    class Raw(OnlyX):
        def predict_raw(self, msg: Any) -> Any:
            assert msg["data"]["ndarray"] == [[1.0, 2.0]] and msg["meta"]["puid"] == "7"
            return {"strData": "raw", "meta": {"tags": {"r": 1}}}

    answer = methods(Raw()).call("predict", [message(ROWS, id="7")])
    assert values(answer) == [b"raw"] and answer.meta == {"tags": {"r": 1}}


def test_a_raw_method_may_answer_with_seldons_message(methods: Any) -> None:
    class Raw:
        def predict_raw(self, msg: Any) -> Any:
            return SeldonMessage(strData=f"{len(msg['data']['names'])} names")

    assert values(methods(Raw()).call("predict", [message(ROWS)])) == [b"2 names"]


def test_what_the_base_class_only_declares_is_absent(methods: Any) -> None:
    class Empty(SeldonComponent):
        pass

    assert values(methods(Empty()).call("transform_output", [message(ROWS)])) == [[1.0, 2.0]]
    assert values(methods(Empty()).call("predict", [message(ROWS)])) == []
    with pytest.raises(ServingError, match="aggregate: the class has no such method"):
        methods(Empty()).call("aggregate", [message(ROWS)])


def test_a_class_chooses_the_status_of_its_error(methods: Any) -> None:
    class Refusing:
        def predict(self, x: Any, names: Any) -> Any:
            raise SeldonMicroserviceException("too many rows", status_code=413)

    with pytest.raises(ServingError, match=r"^too many rows$") as refused:
        methods(Refusing()).call("predict", [message(ROWS)])
    assert refused.value.status == 413


@pytest.mark.usefixtures("importing")
def test_a_class_is_imported_and_made_with_its_parameters(tmp_path: Path) -> None:
    class_ = load_class("scorer:Scorer", project(tmp_path / "p"))
    assert construct("scorer:Scorer", class_, {"factor": 3}).factor == 3


@pytest.mark.usefixtures("importing")
@pytest.mark.parametrize(
    ("code", "run", "parameters", "reason"),
    [
        ("", "nowhere:Scorer", {}, "there is no nowhere.py"),
        ("import no_such_package", "scorer:Scorer", {}, "there is no package no_such_package .add it to requirements"),
        ("", "scorer:Scorer", {}, "has no attribute 'Scorer'"),
        ("1/0", "scorer:Scorer", {}, "cannot be imported: ZeroDivisionError"),
        ("def Scorer(): pass", "scorer:Scorer", {}, "is no class"),
        ("class Scorer: pass", "scorer:Scorer", {"a": 1}, "does not take its parameters"),
        ("class Scorer:\n def __init__(self): 1/0", "scorer:Scorer", {}, "cannot be made: ZeroDivisionError"),
    ],
)
def test_a_class_that_cannot_be_had_is_said(
    tmp_path: Path, code: str, run: str, parameters: dict[str, Any], reason: str
) -> None:
    (tmp_path / "scorer.py").write_text(code)
    with pytest.raises(UserError, match=reason):
        construct(run, load_class(run, tmp_path), parameters)
