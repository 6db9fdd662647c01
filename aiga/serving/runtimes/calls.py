"""How a call of one of a wrapped class's methods travels as a request of the Open Inference Protocol.

The method is the request's parameter `aiga_method`, Seldon's `meta` its parameter `aiga_meta` as JSON text, so that
REST and gRPC carry both. Where a method takes several messages, as `aggregate` and `send_feedback` do, the tensors
and metas of all stand in one request; each tensor's parameter `aiga_message` tells which it is of, and the same number
stands before its name, which is thus not used twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from aiga.serving.messages import BadRequest, Message

METHOD: Final = "aiga_method"
META: Final = "aiga_meta"
MESSAGE: Final = "aiga_message"
TAG_OF: Final = {
    "predict": "predict",
    "transform_input": "inputtransform",
    "transform_output": "outputtransform",
    "route": "router",
    "aggregate": "aggregate",
    "send_feedback": "feedback",
}
"""Method to what Seldon's metrics call it in their label `method`: `python/seldon_core/metrics.py` of 1.17.1."""
METHODS: Final = tuple(TAG_OF)
REWARD: Final = "reward"
"""Parameter of the response that a feedback is about."""
MOST: Final = 1000
"""Messages of one call."""


def rewarded(reward: float) -> list[dict[str, Any]]:
    """The metrics of a feedback, as Seldon's wrapper names them."""
    values = {"seldon_api_model_feedback": 1, "seldon_api_model_feedback_reward": reward}
    return [{"key": key, "type": "COUNTER", "value": value} for key, value in values.items()]


def joined(method: str, messages: Sequence[Message]) -> Message:
    """One request that calls a method with messages; it is addressed as the first of them is."""
    if len(messages) == 1:
        only = messages[0]
        return only.with_(parameters=_told(method, only.parameters, [only.meta]), meta={})
    tensors = tuple(
        replace(tensor, name=f"{index}/{tensor.name}", parameters={**tensor.parameters, MESSAGE: index})
        for index, message in enumerate(messages)
        for tensor in message.tensors
    )
    parameters = {key: value for message in messages for key, value in message.parameters.items()}
    metas = [message.meta for message in messages]
    return messages[0].with_(tensors=tensors, parameters=_told(method, parameters, metas), meta={}, requested=())


def _told(method: str, parameters: Mapping[str, Any], metas: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    told = {**parameters} if method == "predict" and len(metas) == 1 else {**parameters, METHOD: method}
    if len(metas) > 1:
        told[META] = json.dumps(metas)
    elif metas and metas[0]:
        told[META] = json.dumps(metas[0])
    return told


def parted(request: Message) -> tuple[str, list[Message]]:
    """The method that a request calls, and the messages it calls it with, each with its `meta`.

    Raises:
        BadRequest: it is no such request.
    """
    rest = {key: value for key, value in request.parameters.items() if key not in (METHOD, META)}
    method = request.parameters.get(METHOD, "predict")
    if method not in METHODS:
        raise BadRequest(f"parameters.{METHOD}: must be one of {', '.join(METHODS)}, got {method!r}")
    metas = _metas(request)
    if isinstance(metas, dict):
        return method, [request.with_(parameters=rest, meta={**request.meta, **metas})]
    messages: list[list[Any]] = [[] for _ in metas]
    for tensor in request.tensors:
        index = tensor.parameters.get(MESSAGE)
        if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(metas):
            raise BadRequest(f"input {tensor.name}: parameters.{MESSAGE}: must be below {len(metas)}, got {index!r}")
        own = {key: value for key, value in tensor.parameters.items() if key != MESSAGE}
        messages[index].append(replace(tensor, name=tensor.name.removeprefix(f"{index}/"), parameters=own))
    return method, [
        request.with_(tensors=tuple(tensors), parameters=rest, meta=meta)
        for tensors, meta in zip(messages, metas, strict=True)
    ]


def _metas(request: Message) -> dict[str, Any] | list[dict[str, Any]]:
    said = request.parameters.get(META, {})
    try:
        metas = json.loads(said) if isinstance(said, str) else said
    except ValueError:
        metas = None
    each = metas if isinstance(metas, list) else [metas]
    if not each or len(each) > MOST or not all(isinstance(meta, dict) for meta in each):
        raise BadRequest(f"parameters.{META}: must be a JSON object, or a list of at most {MOST} of them")
    return metas  # type: ignore[no-any-return]


def answered(response: Message) -> Message:
    """A response with its `meta` as a parameter."""
    if not response.meta:
        return response
    return response.with_(parameters={**response.parameters, META: json.dumps(response.meta)}, meta={})


def read(response: Message) -> Message:
    """A response with the `meta` that `answered` made a parameter."""
    if META not in response.parameters:
        return response
    meta = _metas(response)
    rest = {key: value for key, value in response.parameters.items() if key != META}
    return response.with_(parameters=rest, meta={**response.meta, **(meta if isinstance(meta, dict) else {})})
