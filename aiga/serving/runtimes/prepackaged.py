"""What MLServer's own runtimes for scikit-learn, XGBoost and MLflow lack, put around them.

They end a request that the model cannot be run on with 500 and no word, which the gateway holds against the model: a
client that sends three columns for four would take it out of the traffic for everyone.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any

from mlserver import MLModel, ModelSettings
from mlserver.errors import MLServerError
from mlserver.rest.responses import Response
from mlserver.types import InferenceRequest, InferenceResponse

from aiga.serving.messages import ServingError
from aiga.serving.runtimes import mlflow_inputs
from aiga.serving.runtimes.answering import Answering
from aiga.serving.runtimes.names import FAULT_HEADER

MLFLOW = "mlserver_mlflow.MLflowRuntime"
_REQUEST = (ValueError, TypeError, LookupError, ArithmeticError)
"""What libraries raise of values that they cannot take; XGBoost's own error is a ValueError."""
_LONGEST = 500
_XGBOOST = re.compile(r"^\[[\d:]+\] \S+:\d+: ")
"""Time and line of C++ before the reason."""
_log = logging.getLogger("mlserver")
Load = Callable[[ModelSettings], Awaitable[MLModel]]


async def loaded(load: Load, settings: ModelSettings) -> MLModel:
    """The model that `load` loads, with its predictions completed unless it is one of our own."""
    is_mlflow = settings.implementation_ == MLFLOW
    if is_mlflow:
        mlflow_inputs.prepare()
    model = await load(settings)
    if not isinstance(model, Answering):
        _complete(model, is_mlflow)
    return model


def _complete(model: MLModel, is_mlflow: bool) -> None:
    """Gives the predictions of a model a status, a reason, and inputs as MLflow's signature wants them."""
    predict = model.predict
    if is_mlflow:
        mlflow_inputs.describe(model)

    async def answer(payload: InferenceRequest) -> InferenceResponse:
        try:
            return await predict(mlflow_inputs.fitted(model, payload) if is_mlflow else payload)
        except MLServerError:
            raise
        except ServingError as error:
            raise MLServerError(error.reason, error.status) from error
        except Exception as error:
            status = _status(error)
            if status >= 500:
                _log.exception("model %s: inference failed", model.name)
            kind = MLServerError if status < 500 else ModelFailed
            raise kind(f"the model cannot be run on this: {reason_of(error)}", status) from error

    model.predict = answer


class ModelFailed(MLServerError):  # type: ignore[misc]
    """The model's own code failed: its server is well."""


async def failed(request: Any, error: Any) -> Response:
    """Status and reason of a `ModelFailed`, with the mark that tells the gateway that it is one."""
    return Response({"error": str(error)}, error.status_code, {FAULT_HEADER: "model"})


async def malformed(request: Any, error: Any) -> Response:
    """400 and where it is wrong, for a body that is no request."""
    return Response({"error": "; ".join(map(_fault, error.errors()))}, 400)


def _fault(fault: dict[str, Any]) -> str:
    if fault["type"] == "json_invalid":
        return f"the body is no JSON: {fault['ctx']['error']}"
    first, *rest = [str(part) for part in fault["loc"] if part != "body"] or ["the body"]
    place = first + "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in rest)
    return f"{place}: {fault['msg']}"


def _status(error: Any) -> int:
    """400 where it is the request's fault, as far as the kind of exception tells; 500 otherwise."""
    told = getattr(error, "get_http_status_code", None)  # MLflow's exceptions know
    if told is not None:
        return int(told())
    unfitted = isinstance(error, AttributeError)  # scikit-learn's NotFittedError is a ValueError too
    return 400 if isinstance(error, _REQUEST) and not unfitted else 500


def reason_of(error: Exception) -> str:
    """One line; XGBoost's goes without its stack, and of MLflow's, which begins with all data, the end is kept."""
    said = _XGBOOST.sub("", str(error).partition("\nStack trace:")[0])
    line = f"{type(error).__name__}: {' '.join(said.split())}".rstrip(": ")
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST // 2]} ... {line[-_LONGEST // 2 :]}"
