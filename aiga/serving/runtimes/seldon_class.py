"""A Python class as Seldon's wrapper takes it, called as that wrapper calls it (seldon-core 1.17.1).

What differs: methods may take fewer arguments than Seldon passes; which ones they take is read off their signature
instead of tried, so that a TypeError inside a method is seen; and a transformer's `feature_names` name its columns.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from aiga.errors import UserError
from aiga.serving.messages import ServingError
from aiga.serving.runtimes import seldon_core
from aiga.serving.runtimes.seldon_core.flask_utils import SeldonMicroserviceException
from aiga.serving.runtimes.seldon_core.metrics import validate_metrics
from aiga.serving.runtimes.seldon_core.user_model import SeldonComponent, SeldonNotImplementedError, SeldonResponse

ABSENT: Final = object()
"""What a method says that the class does not have."""
_KEYWORDS = ("meta", "routing")
"""Arguments that are passed by name."""
_VARIABLE = inspect.Parameter.VAR_POSITIONAL


@dataclass(frozen=True)
class Payload:
    """What a method gets, and what it returns: an array with names of its columns, or text, bytes, or a dict."""

    data: Any
    names: Sequence[str] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """What a method said."""

    data: Any
    names: Sequence[str]
    tags: Mapping[str, Any]
    metrics: Sequence[Mapping[str, Any]]


def load_class(run: str, source: Path) -> type:
    """The class that `module:Class` names, of a project's folder.

    Raises:
        UserError: it cannot be imported, or is no class.
    """
    module, _, name = run.partition(":")
    seldon_core.install()
    if str(source) not in sys.path:
        sys.path.insert(0, str(source))
    try:
        found = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        what = f"{module}.py" if error.name == module else f"package {error.name}"
        remedy = "correct serve.run" if error.name == module else "add it to requirements.txt"
        raise UserError(f"serve.run: {run}: there is no {what} ({remedy})") from error
    except AttributeError as error:
        raise UserError(f"serve.run: {run}: {error} (correct serve.run)") from error
    except Exception as error:
        raise UserError(f"serve.run: {run}: cannot be imported: {type(error).__name__}: {error}") from error
    if not inspect.isclass(found):
        raise UserError(f"serve.run: {run}: is no class (name one that has a method predict)")
    return found


def construct(run: str, class_: type, parameters: Mapping[str, Any]) -> Any:
    """An instance of the class, made with the parameters of the project file.

    Raises:
        UserError: the class does not take them, or fails.
    """
    try:
        inspect.signature(class_).bind(**parameters)
    except TypeError as error:
        raise UserError(f"serve.run: {run}: does not take its parameters: {error} (correct parameters)") from error
    except ValueError:  # a class without a readable signature
        pass
    try:
        return class_(**parameters)
    except Exception as error:
        raise UserError(f"serve.run: {run}: cannot be made: {type(error).__name__}: {error}") from error


class SeldonClass:
    """An instance of a user's class."""

    def __init__(self, instance: Any) -> None:
        self.instance = instance
        self._methods: dict[str, _Method | None] = {}

    def has(self, name: str) -> bool:
        """Whether the class has a method, and not only Seldon's base class."""
        return self._method(name) is not None

    def _method(self, name: str) -> _Method | None:
        if name not in self._methods:
            found = getattr(self.instance, name, None)
            declared = getattr(type(self.instance), name, None) is getattr(SeldonComponent, name, ABSENT)
            self._methods[name] = None if declared or not callable(found) else _Method.of(found)
        return self._methods[name]

    def load(self) -> None:
        """What the class does before its first request."""
        load = self._method("load")
        if load is not None:
            load((), {})

    def predict(self, payload: Payload) -> Result:
        """An empty result where the class has no `predict`, as with Seldon."""
        return self._of_one("predict", payload, [])

    def transform_input(self, payload: Payload) -> Result:
        """The payload as it is where the class has no `transform_input`."""
        return self._of_one("transform_input", payload, payload.data)

    def transform_output(self, payload: Payload) -> Result:
        """The payload as it is where the class has no `transform_output`."""
        return self._of_one("transform_output", payload, payload.data)

    def route(self, payload: Payload) -> Result:
        """A matrix with the one index that the class chose; -1 is all children."""
        said = self._call("route", [payload.data, list(payload.names)], {"meta": dict(payload.meta)})
        if said is ABSENT:
            raise ServingError(400, "route: the class has no such method")
        response = SeldonResponse.create(said)
        if not isinstance(response.data, int):
            raise ServingError(400, f"route: must return an int, got {_shown(response.data)} (int(…) of it)")
        return self._result("route", SeldonResponse(np.array([[response.data]]), response.tags, response.metrics))

    def aggregate(self, payloads: Sequence[Payload]) -> Result:
        """One result of several children's."""
        arguments = [[each.data for each in payloads], [list(each.names) for each in payloads]]
        said = self._call("aggregate", arguments, {})
        if said is ABSENT:
            raise ServingError(400, "aggregate: the class has no such method")
        return self._result("aggregate", SeldonResponse.create(said))

    def send_feedback(self, payload: Payload, reward: float, truth: Any, routing: int | None) -> Result:
        """What the class says to the worth of an answer that it gave."""
        arguments = [payload.data, list(payload.names), reward, truth]
        said = self._call("send_feedback", arguments, {"routing": routing})
        response = SeldonResponse.create(None if said is ABSENT else said)
        data = np.array([]) if response.data is None else response.data
        return self._result("send_feedback", SeldonResponse(data, response.tags, response.metrics))

    def health_status(self) -> Any:
        """What the class says of its health; an exception means that it is ill."""
        for method in ("health_status_raw", "health_status"):
            said = self._call(method, [], {})
            if said is not ABSENT:
                return said
        return "healthy"

    def raw(self, method: str, message: Any) -> Any:
        """What `<method>_raw` returns for Seldon's message as a dict; `ABSENT` where the class has none."""
        return self._call(f"{method}_raw", [message], {})

    def init_metadata(self) -> Mapping[str, Any]:
        """What the class says of its inputs and outputs; empty where it says nothing or no dict."""
        said = self._call("init_metadata", [], {})
        return said if isinstance(said, dict) else {}

    def _of_one(self, method: str, payload: Payload, otherwise: Any) -> Result:
        said = self._call(method, [payload.data, list(payload.names)], {"meta": dict(payload.meta)})
        response = SeldonResponse.create(otherwise if said is ABSENT else said)
        return self._result(method, response)

    def _call(self, name: str, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        method = self._method(name)
        if method is None:
            return ABSENT
        try:
            return method(arguments, keywords)
        except SeldonNotImplementedError:
            return ABSENT
        except (ServingError, UserError):
            raise
        except Exception as error:
            raise _failure(name, error) from error

    def _result(self, method: str, response: SeldonResponse) -> Result:
        metrics = self._call("metrics", [], {})
        each = [*([] if metrics is ABSENT else _checked(metrics)), *_checked(response.metrics)]
        tags = self._call("tags", [], {})
        own = {} if tags is ABSENT or not tags else dict(tags)
        return Result(response.data, self._names(method, response.data), {**own, **response.tags}, each)

    def _names(self, method: str, data: Any) -> list[str]:
        if not isinstance(data, list | np.ndarray):
            return []
        if method == "transform_input":
            names = self._call("feature_names", [], {})
            if names is not ABSENT:
                return _listed(names)
        array = data if isinstance(data, np.ndarray) else np.array(data)
        if array.ndim < 2:
            return []
        names = self._call("class_names", [], {})
        if names is ABSENT:
            names = getattr(self.instance, "class_names", None)
        if names is None or callable(names):
            return [f"t:{index}" for index in range(array.shape[1])]
        return _listed(names)


@dataclass(frozen=True)
class _Method:
    """A method, and how many positions and which of the keywords it takes; None is all."""

    call: Callable[..., Any]
    positions: int | None
    keywords: frozenset[str] | None

    @classmethod
    def of(cls, call: Callable[..., Any]) -> _Method:
        try:
            taken = list(inspect.signature(call).parameters.values())
        except (TypeError, ValueError):
            return cls(call, None, frozenset())
        kinds = {each.kind for each in taken}
        positional = [each for each in taken if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
        named = [each.name for each in taken if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)]
        return cls(
            call,
            None if _VARIABLE in kinds else sum(each.name not in _KEYWORDS for each in positional),
            None if inspect.Parameter.VAR_KEYWORD in kinds else frozenset(named),
        )

    def __call__(self, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> Any:
        given = (
            keywords.items()
            if self.keywords is None
            else [each for each in keywords.items() if each[0] in self.keywords]
        )
        return self.call(*arguments[: self.positions], **dict(given))


def _failure(name: str, error: Exception) -> ServingError:
    if isinstance(error, SeldonMicroserviceException):
        return ServingError(error.status_code, str(error.message))
    status = getattr(error, "status_code", 500)
    return ServingError(status if isinstance(status, int) else 500, f"{name}: {type(error).__name__}: {error}")


def _checked(metrics: Any) -> list[Mapping[str, Any]]:
    if not validate_metrics(metrics):
        rule = "a list of {type: COUNTER, GAUGE or TIMER, key, value}"
        raise ServingError(500, f"metrics: must be {rule}, got {_shown(metrics)}")
    return list(metrics)


def _listed(names: Iterable[Any]) -> list[str]:
    return [str(name) for name in names]


def _shown(value: Any) -> str:
    text = f"{type(value).__name__} {value!r}"
    return text if len(text) <= 80 else f"{text[:77]}..."
