"""MLServer's runtime for Python classes that were written for Seldon's wrapper."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import math
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

from mlserver.types import MetadataTensor
from prometheus_client import REGISTRY

from aiga.errors import UserError
from aiga.serving.messages import Message, ServingError
from aiga.serving.runtimes.answering import Answering
from aiga.serving.runtimes.calls import parted
from aiga.serving.runtimes.custom_metrics import CustomMetrics
from aiga.serving.runtimes.methods import Methods
from aiga.serving.runtimes.seldon_class import SeldonClass, construct, load_class

MODEL: Final = "AIGA_MODEL"
"""Variable with the path of the model's folder; the argument `model_uri` of a class that has one is the same."""
HEALTH_TIMEOUT = 5.0
"""Seconds that a class has to say how it is."""
TRACED = 10.0
"""Seconds between two failures of a class whose place in the code is logged."""
_log = logging.getLogger("mlserver")
_T = TypeVar("_T")


class WrappedClass(Answering):
    """Serves the class that `parameters.extra.run` names, of the folder `source`, made with `parameters`.

    The class sees one call at a time, all from the same thread, as under Seldon's wrapper with its defaults.
    """

    _metrics: CustomMetrics | None = None
    """None until the class is loaded: MLServer unloads what it could not load too."""
    _untraced = 0
    _traced = -math.inf

    async def load(self) -> bool:
        try:
            return await self._loaded(self.settings.parameters.extra)
        except (Exception, SystemExit) as error:
            _log.error("model %s: cannot be loaded", self.name, exc_info=error)
            if isinstance(error, SystemExit):
                raise UserError(f"serve.run: the class ends its process: SystemExit: {error}") from error
            raise

    async def _loaded(self, extra: dict[str, Any]) -> bool:
        self._thread = ThreadPoolExecutor(1, "class")
        self._waiting = 0
        self._class = SeldonClass(await self._do(_made, extra))
        await self._do(self._class.load)
        metrics = CustomMetrics({"model_name": self.name})
        said = await self._do(self._class.init_metadata)
        self.settings.platform = str(said.get("platform") or "custom")
        self.inputs, self.outputs = _tensors(said.get("inputs")), _tensors(said.get("outputs"))
        self._methods = Methods(self._class, self.name, metrics)
        REGISTRY.register(metrics)
        self._metrics = metrics
        return True

    async def unload(self) -> bool:
        if self._metrics is not None:
            REGISTRY.unregister(self._metrics)
        self._thread.shutdown(wait=False)
        return True

    async def answer(self, request: Message) -> Message:
        method, messages = parted(request)
        try:
            return await self._do(self._methods.call, method, messages)
        except ServingError as error:
            if error.status < 500:
                raise
            self._trace(method, error)
            raise ServingError(error.status, error.reason, of_model=True) from error
        except (Exception, SystemExit) as error:
            self._trace(method, error)
            raise ServingError(500, f"{method}: {type(error).__name__}: {error}", of_model=True) from error

    async def healthy(self) -> bool:
        """What the class says; while it answers requests it is well."""
        if not self.ready or self._waiting:
            return bool(self.ready)
        try:
            await asyncio.wait_for(self._do(self._class.health_status), HEALTH_TIMEOUT)
        except TimeoutError:
            _log.warning("model %s: is not healthy: it does not say in %g s how it is", self.name, HEALTH_TIMEOUT)
            return False
        except ServingError as error:
            _log.warning("model %s: is not healthy: %s", self.name, error.reason)
            return False
        return True

    def _trace(self, method: str, error: BaseException) -> None:
        """Logs where the class failed, unless it did a moment ago: a client may make it fail all the time."""
        now = time.monotonic()
        if now < self._traced + TRACED:
            self._untraced += 1
            return
        more = f" (and {self._untraced} times since the last time that was logged)" if self._untraced else ""
        _log.error("model %s: %s failed%s", self.name, method, more, exc_info=error.__cause__ or error)
        self._traced, self._untraced = now, 0

    async def _do(self, work: Callable[..., _T], *arguments: Any) -> _T:
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
        finally:
            self._waiting -= 1


def _made(extra: dict[str, Any]) -> Any:
    run, source = extra["run"], Path(extra["source"])
    os.chdir(source)
    class_ = load_class(run, source)
    parameters = dict(extra.get("parameters", {}))
    if "model" in extra:
        os.environ[MODEL] = extra["model"]
        if "model_uri" in inspect.signature(class_).parameters:
            parameters.setdefault("model_uri", extra["model"])
    return construct(run, class_, parameters)


def _tensors(said: Any) -> list[MetadataTensor]:
    """Those of the class's metadata that the v2 protocol can say; Seldon's own form it cannot."""
    given = json.loads(json.dumps(said)) if isinstance(said, list) else []
    keys = {"name", "datatype", "shape"}
    return [MetadataTensor(**each) for each in given if isinstance(each, dict) and keys == each.keys()]
