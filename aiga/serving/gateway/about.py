"""What the gateway says of itself and of its models, in the words of each protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aiga.serving.gateway.predictions import Predictions
from aiga.serving.messages import ServingError
from aiga.serving.protocols import tensorflow_bodies, v2_bodies
from aiga.serving.protocols.body import Body, written
from aiga.serving.protocols.metadata import ModelMetadata, ServerMetadata, TensorSpec
from aiga.serving.protocols.paths import Target

SERVER = ServerMetadata("aiga-gateway", "1", ("binary_tensor_data",))


async def tell(target: Target, predictions: Predictions) -> tuple[int, Body]:
    """Status and body for a path that asks for no prediction.

    Raises:
        ServingError: there is no such model, nobody to tell of it, or nothing to tell.
    """
    ready = predictions.gateway.ready
    if target.verb == "server-live":
        return 200, v2_bodies.write_live(True)
    if target.verb == "server-ready":
        return 200 if ready else 503, v2_bodies.write_ready(ready)
    if target.verb == "server-metadata" and target.protocol == "v2":
        return 200, v2_bodies.write_server(SERVER)
    if target.verb == "doc":
        raise ServingError(404, "there is no page of documentation here; docs/serving.md has the paths")
    metadata = await predictions.metadata(target.model, target.version)
    if target.verb == "ready" and target.protocol == "v2":
        return 200 if ready else 503, v2_bodies.write_model_ready(target.model, ready)
    return 200, _FORMS[target.protocol, target.verb](metadata, target, ready)


def _graph(metadata: ModelMetadata, _target: Target, _ready: bool) -> Body:
    """Seldon's metadata of a graph, as far as its one way in and out goes."""
    model = {
        "name": metadata.name,
        "platform": metadata.platform,
        "versions": list(metadata.versions),
        "inputs": _specs(metadata.inputs),
        "outputs": _specs(metadata.outputs),
    }
    return written(
        {
            "name": metadata.name,
            "models": {metadata.name: model},
            "graphinputs": model["inputs"],
            "graphoutputs": model["outputs"],
        }
    )


def _specs(specs: tuple[TensorSpec, ...]) -> list[dict[str, Any]]:
    return [{"name": spec.name, "datatype": spec.datatype, "shape": list(spec.shape)} for spec in specs]


_FORMS: Mapping[tuple[str, str], Callable[[ModelMetadata, Target, bool], Body]] = {
    ("v2", "metadata"): lambda metadata, target, ready: v2_bodies.write_model(metadata),
    ("seldon", "metadata"): lambda metadata, target, ready: v2_bodies.write_model(metadata),
    ("seldon", "server-metadata"): _graph,
    ("tensorflow", "metadata"): lambda metadata, target, ready: tensorflow_bodies.write_metadata(
        metadata, target.version
    ),
    ("tensorflow", "ready"): lambda metadata, target, ready: tensorflow_bodies.write_status(
        metadata.versions or ("1",), ready
    ),
}
