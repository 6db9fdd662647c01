"""Bodies of the other paths of TensorFlow Serving's REST API: the status of a model's versions, and its signature."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aiga.serving.protocols.body import Body, written
from aiga.serving.protocols.metadata import ModelMetadata, TensorSpec
from aiga.serving.protocols.tensor_proto import DT_OF

SIGNATURE, METHOD = "serving_default", "tensorflow/serving/predict"


def write_status(versions: Iterable[str], available: bool) -> Body:
    """What `/v1/models/<model>` answers."""
    state = "AVAILABLE" if available else "LOADING"
    status = {"error_code": "OK", "error_message": ""}
    return written(
        {"model_version_status": [{"version": version, "state": state, "status": status} for version in versions]}
    )


def write_metadata(metadata: ModelMetadata, version: str = "") -> Body:
    """What `/v1/models/<model>/metadata` answers: the inputs and outputs as the signature `serving_default`."""
    signature = {
        "inputs": _infos(metadata.inputs),
        "outputs": _infos(metadata.outputs),
        "method_name": METHOD,
    }
    spec = {"name": metadata.name, "signature_name": "", "version": version or "".join(metadata.versions[-1:])}
    return written({"model_spec": spec, "metadata": {"signature_def": {"signature_def": {SIGNATURE: signature}}}})


def _infos(specs: Iterable[TensorSpec]) -> dict[str, Any]:
    return {
        spec.name: {
            "dtype": DT_OF[spec.datatype],
            "tensor_shape": {"dim": [{"size": str(size), "name": ""} for size in spec.shape], "unknown_rank": False},
            "name": f"{spec.name}:0",
        }
        for spec in specs
    }
