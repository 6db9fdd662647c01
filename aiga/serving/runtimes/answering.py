"""A model of MLServer that answers messages, whichever way a request comes in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, TypeVar

import numpy as np
from mlserver import MLModel
from mlserver.errors import MLServerError
from mlserver.types import InferenceRequest, InferenceResponse, Parameters, RequestInput, ResponseOutput, TensorData

from aiga.serving.messages import TYPES, BadRequest, Message, ServingError, Tensor

_T = TypeVar("_T")
QUICK = 0.002
"""Seconds: work that takes less is done at once, for handing it to a thread would take longer."""


class Answering(MLModel):  # type: ignore[misc]  # MLServer ships no types
    """Has `answer`; REST calls it with no detour (`front`), gRPC and MLServer's own way through `predict`."""

    async def answer(self, request: Message) -> Message:
        """The answer to a request, without id and model.

        Raises:
            ServingError: there is none, and why.
        """
        raise NotImplementedError

    async def healthy(self) -> bool:
        """Whether it can take requests."""
        return bool(self.ready)

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        try:
            answer = await self.answer(_message(payload))
        except ServingError as error:
            raise MLServerError(error.reason, error.status) from error
        return _response(answer, self.name, self.version)


class Turns:
    """Runs work on the event loop while it is quick, and in threads while it is not."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._mean = 0.0

    async def run(self, work: Callable[[Any], _T], argument: Any) -> _T:
        """What `work(argument)` returns."""
        if self._mean < QUICK:
            return self._timed(work, argument)
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._timed, work, argument)

    def _timed(self, work: Callable[[Any], _T], argument: Any) -> _T:
        started = time.perf_counter()
        try:
            return work(argument)
        finally:
            self._mean += 0.2 * (time.perf_counter() - started - self._mean)


def _message(payload: InferenceRequest) -> Message:
    parameters = _parameters(payload.parameters)
    asked = tuple(output.name for output in payload.outputs or ())
    return Message(tuple(map(tensor_of, payload.inputs)), payload.id or "", parameters, asked)


def tensor_of(given: RequestInput) -> Tensor:
    """MLServer's input as a tensor; null is NaN.

    Raises:
        BadRequest: its values are not of its data type or shape.
    """
    datatype = str(given.datatype)
    data = getattr(given.data, "root", given.data)
    try:
        if datatype == "BYTES":
            flat = [each.encode() if isinstance(each, str) else bytes(each) for each in np.array(data, object).flat]
            array = np.empty(len(flat), object)
            array[:] = flat
        else:
            array = np.array(data, TYPES[datatype])
        array = array.reshape(given.shape)
    except (ValueError, TypeError, OverflowError) as error:
        raise BadRequest(f"input {given.name}: is no {datatype} of shape {given.shape}: {error}") from error
    return Tensor(given.name, datatype, array, _parameters(given.parameters))


def _parameters(given: Parameters | None) -> dict[str, Any]:
    return {} if given is None else {key: value for key, value in given.model_dump().items() if key != "headers"}


def _response(message: Message, model: str, version: str | None) -> InferenceResponse:
    outputs = [
        ResponseOutput(
            name=tensor.name,
            datatype=tensor.datatype,
            shape=list(tensor.shape),
            data=TensorData(root=tensor.data.ravel().tolist()),
            parameters=Parameters(**tensor.parameters) if tensor.parameters else None,
        )
        for tensor in message.tensors
    ]
    parameters = Parameters(**message.parameters) if message.parameters else None
    return InferenceResponse(model_name=model, model_version=version, outputs=outputs, parameters=parameters)
