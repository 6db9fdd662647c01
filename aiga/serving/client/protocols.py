"""One row to a deployment in each protocol and over each transport: the answers must be the same."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import grpc
import numpy as np
import requests

from aiga.errors import AigaError
from aiga.serving.client.connection import Connection, Deployment
from aiga.serving.client.files import Values
from aiga.serving.client.fit import fit
from aiga.serving.messages import Message
from aiga.serving.protocols import grpc_v2, paths, seldon, tensorflow, v2
from aiga.serving.protocols.metadata import TensorSpec
from aiga.serving.protocols.protos import methods

TIMEOUT = 30.0


def each(deployment: Deployment, grpc_address: str, row: Any) -> Iterator[tuple[str, list[Any]]]:
    """Each protocol's name, and the numbers of the first output that it answered with.

    Args:
        grpc_address: Of the gateway: 127.0.0.1:8004.
        row: Array or nested list, one row of the model's only input.

    Raises:
        AigaError: it refused or failed.
    """
    with Connection(deployment, TIMEOUT) as connection:
        takes = connection.metadata()
        asked = fit(Values(np.asarray(row).tolist()), takes)
        yield "v2 by REST", _first(connection.infer(v2.write_request(asked)))
    yield "v2 by gRPC", _first(_by_grpc(deployment, grpc_address, asked))
    predicted = _posted(deployment, "tensorflow", tensorflow.write_request(asked).content)
    yield "TensorFlow by REST", _first(tensorflow.read_response(predicted, outputs=takes.outputs))
    told = _posted(deployment, "seldon", seldon.write_request(asked).content)
    yield "Seldon by REST", _of_seldon(told, takes.outputs)


def _posted(deployment: Deployment, protocol: paths.Protocol, content: bytes) -> bytes:
    url = deployment.url("infer", protocol)
    try:
        answer = requests.post(url, content, headers={"Content-Type": "application/json"}, timeout=TIMEOUT)
    except requests.RequestException as error:
        raise AigaError(f"{url}: {error}") from None
    if not answer.ok:
        raise AigaError(f"{answer.url}: {answer.status_code}: {answer.text[:200]}")
    return answer.content


def _by_grpc(deployment: Deployment, address: str, asked: Message) -> Message:
    where = {"seldon": deployment.name, "namespace": deployment.within}
    named = asked.with_(model=deployment.served)
    with grpc.insecure_channel(address) as channel:
        infer = channel.unary_unary(f"/{methods.V2}/ModelInfer")
        try:
            answer: bytes = infer(grpc_v2.write_request(named), timeout=TIMEOUT, metadata=tuple(where.items()))
        except grpc.RpcError as error:
            raise AigaError(f"{address}: {error.code().name}: {error.details()}") from None
    return grpc_v2.read_response(answer)


def _of_seldon(content: bytes, outputs: Sequence[TensorSpec]) -> list[Any]:
    """Seldon's payloads carry one array; several come as JSON, by name."""
    by_name = json.loads(content).get("jsonData")
    if isinstance(by_name, dict) and outputs:
        numbers: list[Any] = np.asarray(by_name[outputs[0].name]).ravel().tolist()
        return numbers
    return _first(seldon.read_response(content, outputs=outputs))


def _first(message: Message) -> list[Any]:
    numbers: list[Any] = message.tensors[0].data.ravel().tolist()
    return numbers
