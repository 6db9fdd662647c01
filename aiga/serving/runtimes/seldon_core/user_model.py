"""Seldon's base class, which none needs, what its methods may return and raise, and functions that call them."""

from __future__ import annotations

import inspect
from typing import Any

from aiga.serving.runtimes.seldon_core.flask_utils import SeldonMicroserviceException

__all__ = [
    "SeldonComponent",
    "SeldonMicroserviceException",
    "SeldonNotImplementedError",
    "SeldonResponse",
    "client_aggregate",
    "client_class_names",
    "client_custom_tags",
    "client_feature_names",
    "client_health_status",
    "client_predict",
    "client_route",
    "client_send_feedback",
    "client_transform_input",
    "client_transform_output",
]


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


def client_predict(user_model: Any, features: Any, feature_names: Any, **kwargs: Any) -> SeldonResponse:
    """What `predict` says; an empty list where there is none."""
    return SeldonResponse.create(_said([], user_model, "predict", features, feature_names, **kwargs))


def client_transform_input(user_model: Any, features: Any, feature_names: Any, **kwargs: Any) -> SeldonResponse:
    """What `transform_input` says; the features where there is none."""
    return SeldonResponse.create(_said(features, user_model, "transform_input", features, feature_names, **kwargs))


def client_transform_output(user_model: Any, features: Any, feature_names: Any, **kwargs: Any) -> SeldonResponse:
    """What `transform_output` says; the features where there is none."""
    return SeldonResponse.create(_said(features, user_model, "transform_output", features, feature_names, **kwargs))


def client_route(user_model: Any, features: Any, feature_names: Any, **kwargs: Any) -> SeldonResponse:
    """What `route` says. SeldonNotImplementedError where there is none."""
    return SeldonResponse.create(_call(user_model, "route", features, feature_names, **kwargs))


def client_aggregate(user_model: Any, features_list: Any, feature_names_list: Any) -> SeldonResponse:
    """What `aggregate` says. SeldonNotImplementedError where there is none."""
    return SeldonResponse.create(_call(user_model, "aggregate", features_list, feature_names_list))


def client_send_feedback(  # noqa: PLR0917 - positions are Seldon's
    user_model: Any, features: Any, feature_names: Any, reward: float, truth: Any, routing: int | None
) -> SeldonResponse:
    """What `send_feedback` says; None where there is none."""
    given = (features, feature_names, reward, truth)
    return SeldonResponse.create(_said(None, user_model, "send_feedback", *given, routing=routing))


def client_custom_tags(user_model: Any) -> dict[str, Any]:
    """What `tags` says; none where there is no such method."""
    tags: dict[str, Any] = _said({}, user_model, "tags")
    return tags


def client_feature_names(user_model: Any, original: Any) -> Any:
    """What `feature_names` says; those of the request where there is no such method."""
    return _said(original, user_model, "feature_names")


def client_class_names(user_model: Any, predictions: Any) -> Any:
    """Names of the columns of an array: of the class's method or attribute `class_names`, else `t:0` and so on."""
    if len(predictions.shape) < 2:
        return []
    names = getattr(user_model, "class_names", None)
    if names is not None and not callable(names):
        return names
    return _said([f"t:{index}" for index in range(predictions.shape[1])], user_model, "class_names")


def client_health_status(user_model: Any) -> Any:
    """What `health_status` says."""
    return _said("healthy", user_model, "health_status")


def _said(otherwise: Any, user_model: Any, name: str, *arguments: Any, **keywords: Any) -> Any:
    try:
        return _call(user_model, name, *arguments, **keywords)
    except SeldonNotImplementedError:
        return otherwise


def _call(user_model: Any, name: str, *arguments: Any, **keywords: Any) -> Any:
    """What a method says, called without the keywords where it does not take them."""
    method = getattr(user_model, name, None)
    if method is None:
        raise SeldonNotImplementedError(f"{name} is not implemented")
    try:
        inspect.signature(method).bind(*arguments, **keywords)
    except TypeError:
        keywords = {}
    return method(*arguments, **keywords)
