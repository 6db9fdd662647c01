"""Bodies of the other paths of v2 on REST: metadata of servers and models, and whether they are ready."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aiga.serving.messages import BadRequest
from aiga.serving.protocols.body import LIMIT, Body, at, member, of_server, parse, shown, texts, written
from aiga.serving.protocols.metadata import ModelMetadata, ServerMetadata, TensorSpec
from aiga.serving.protocols.rules import check_datatype


def write_server(metadata: ServerMetadata) -> Body:
    """What `/v2` answers."""
    return written({"name": metadata.name, "version": metadata.version, "extensions": list(metadata.extensions)})


@of_server
def read_server(content: bytes) -> ServerMetadata:
    """What a server answered at `/v2`.

    Raises:
        ServingError: 502, it is wrong.
    """
    fields = parse(content)
    extensions = texts(member(fields, "extensions", list, "", []), "extensions")
    return ServerMetadata(member(fields, "name", str, ""), member(fields, "version", str, "", ""), extensions)


def write_model(metadata: ModelMetadata) -> Body:
    """What `/v2/models/<model>` answers."""
    return written(
        {
            "name": metadata.name,
            "versions": list(metadata.versions),
            "platform": metadata.platform,
            "inputs": _written(metadata.inputs),
            "outputs": _written(metadata.outputs),
        }
    )


@of_server
def read_model(content: bytes, *, limit: int = LIMIT) -> ModelMetadata:
    """What a server answered at `/v2/models/<model>`.

    Raises:
        ServingError: 502, it is wrong.
    """
    fields = parse(content, limit=limit)
    return ModelMetadata(
        member(fields, "name", str, ""),
        texts(member(fields, "versions", list, "", []), "versions"),
        member(fields, "platform", str, "", ""),
        _read(fields, "inputs"),
        _read(fields, "outputs"),
    )


def write_live(live: bool) -> Body:
    """What `/v2/health/live` answers."""
    return written({"live": live})


def write_ready(ready: bool) -> Body:
    """What `/v2/health/ready` answers."""
    return written({"ready": ready})


def write_model_ready(model: str, ready: bool) -> Body:
    """What `/v2/models/<model>/ready` answers."""
    return written({"name": model, "ready": ready})


def _written(specs: Iterable[TensorSpec]) -> list[dict[str, Any]]:
    return [{"name": spec.name, "datatype": spec.datatype, "shape": list(spec.shape)} for spec in specs]


def _read(fields: Mapping[str, Any], key: str) -> tuple[TensorSpec, ...]:
    return tuple(_spec(spec, f"{key}[{index}]") for index, spec in enumerate(member(fields, key, list, "", [])))


def _spec(fields: Any, where: str) -> TensorSpec:
    if type(fields) is not dict:
        raise BadRequest(f"{where}: is {shown(fields)}; it must be an object")
    shape = member(fields, "shape", list, where)
    if any(type(size) is not int or size < -1 for size in shape):
        raise BadRequest(f"{at(where, 'shape')}: must have whole numbers from -1")
    datatype = check_datatype(member(fields, "datatype", str, where), f"{where}.datatype")
    return TensorSpec(member(fields, "name", str, where), datatype, tuple(shape))
