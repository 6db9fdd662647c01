"""Which method of a wrapped class a call is, with what, and what becomes of its answer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from aiga.serving.messages import BadRequest, Message, ServingError
from aiga.serving.protocols import seldon
from aiga.serving.runtimes import payload
from aiga.serving.runtimes.calls import REWARD, TAG_OF
from aiga.serving.runtimes.custom_metrics import CustomMetrics
from aiga.serving.runtimes.seldon_class import ABSENT, Result, SeldonClass
from aiga.serving.runtimes.seldon_core.metrics import validate_metrics
from aiga.serving.runtimes.seldon_core.proto.prediction_pb2 import SeldonMessage
from aiga.serving.runtimes.seldon_core.utils import seldon_message_to_json


class Methods:
    """The methods of one instance, as the node `unit` of a graph."""

    def __init__(self, instance: SeldonClass, unit: str, metrics: CustomMetrics) -> None:
        self._class, self._unit, self._metrics = instance, unit, metrics

    def call(self, method: str, messages: Sequence[Message]) -> Message:
        """The answer of one of `aiga.serving.runtimes.calls.METHODS`.

        Raises:
            ServingError: the method fails, or the class does not have it and must.
        """
        if method == "send_feedback":
            self._metrics.reward(_reward(messages))
        raw = self._raw(method, messages)
        if raw is not None:
            return raw
        result = self._result(method, messages)
        self._metrics.update(result.metrics, TAG_OF[method])
        asked = (messages[0],) if method == "send_feedback" else tuple(messages)
        return payload.to_message(result, asked)

    def _result(self, method: str, messages: Sequence[Message]) -> Result:
        given = [payload.of_message(message) for message in messages]
        if method == "aggregate":
            return self._class.aggregate(given)
        if method == "send_feedback":
            truth = given[2].data if len(given) > 2 else None
            routing = messages[1].meta.get("routing", {}).get(self._unit)
            return self._class.send_feedback(given[0], _reward(messages), truth, routing)
        if len(given) != 1:
            raise BadRequest(f"{method}: takes one message, got {len(given)}")
        return _OF_ONE[method](self._class, given[0])

    def _raw(self, method: str, messages: Sequence[Message]) -> Message | None:
        """The answer of `<method>_raw`, which comes before `<method>`: it sees Seldon's messages as dicts, and may
        answer with one or with a SeldonMessage.
        """
        if not self._class.has(f"{method}_raw"):
            return None
        said = self._class.raw(method, _form(method, messages))
        if said is ABSENT:
            return None
        if isinstance(said, SeldonMessage):
            said = seldon_message_to_json(said)
        if not isinstance(said, dict):
            raise ServingError(500, f"{method}_raw: must return a dict or SeldonMessage, got {type(said).__name__}")
        answer = seldon.read_response(json.dumps(said).encode())
        metrics = answer.meta.get("metrics", [])
        if validate_metrics(metrics):
            self._metrics.update(metrics, TAG_OF[method])
        return answer


def _form(method: str, messages: Sequence[Message]) -> Any:
    forms: list[Mapping[str, Any]] = [json.loads(seldon.write_request(message).content) for message in messages]
    if method == "aggregate":
        return {"seldonMessages": forms}
    if method == "send_feedback":
        names = ("request", "response", "truth")
        return {**dict(zip(names, forms, strict=False)), REWARD: _reward(messages)}
    return forms[0]


def _reward(messages: Sequence[Message]) -> float:
    if len(messages) < 2:
        raise BadRequest("send_feedback: takes the request, its response and, where it is known, the truth")
    reward = messages[1].parameters.get(REWARD, 0.0)
    if isinstance(reward, bool) or not isinstance(reward, int | float):
        raise BadRequest(f"send_feedback: the reward must be a number, got {reward!r}")
    return float(reward)


_OF_ONE = {
    "predict": SeldonClass.predict,
    "transform_input": SeldonClass.transform_input,
    "transform_output": SeldonClass.transform_output,
    "route": SeldonClass.route,
}
