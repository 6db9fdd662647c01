"""Seldon's base class, which none needs, and what its methods may return and raise."""

from __future__ import annotations

from typing import Any

from aiga.serving.runtimes.seldon_core.flask_utils import SeldonMicroserviceException


class SeldonNotImplementedError(SeldonMicroserviceException):
    """A method is there and does nothing."""


class SeldonResponse:
    """What a method returns that has tags and metrics of this one request."""

    def __init__(
        self, data: Any, tags: dict[str, Any] | None = None, metrics: list[dict[str, Any]] | None = None
    ) -> None:
        self.data = data
        self.tags = tags if tags is not None else {}
        self.metrics = metrics if metrics is not None else []

    @classmethod
    def create(cls, data: Any) -> SeldonResponse:
        return data if isinstance(data, cls) else cls(data)


def _absent(name: str) -> Any:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        raise SeldonNotImplementedError(f"{name} is not implemented")

    method.__name__ = name
    return method


class SeldonComponent:
    """Has all methods, each of which says that it is not implemented."""

    def __init__(self, **kwargs: Any) -> None:
        pass

    def load(self) -> None:
        """Nothing to load."""

    predict = _absent("predict")
    predict_raw = _absent("predict_raw")
    transform_input = _absent("transform_input")
    transform_input_raw = _absent("transform_input_raw")
    transform_output = _absent("transform_output")
    transform_output_raw = _absent("transform_output_raw")
    route = _absent("route")
    route_raw = _absent("route_raw")
    aggregate = _absent("aggregate")
    aggregate_raw = _absent("aggregate_raw")
    send_feedback = _absent("send_feedback")
    send_feedback_raw = _absent("send_feedback_raw")
    tags = _absent("tags")
    metrics = _absent("metrics")
    class_names = _absent("class_names")
    feature_names = _absent("feature_names")
    health_status = _absent("health_status")
    health_status_raw = _absent("health_status_raw")
    metadata = _absent("metadata")
    init_metadata = _absent("init_metadata")
