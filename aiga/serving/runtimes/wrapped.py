"""MLServer's runtime for Python classes that were written for Seldon's wrapper."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

from mlserver.types import MetadataTensor
from prometheus_client import REGISTRY

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
_log = logging.getLogger("mlserver")
_T = TypeVar("_T")


class WrappedClass(Answering):
    """Serves the class that `parameters.extra.run` names, of the folder `source`, made with `parameters`.

    The class sees one call at a time, all from the same thread, as under Seldon's wrapper with its defaults.
    """

    async def load(self) -> bool:
        extra = self.settings.parameters.extra
        self._thread = ThreadPoolExecutor(1, "class")
        self._waiting = 0
        self._class = SeldonClass(await self._do(_made, extra))
        await self._do(self._class.load)
        self._metrics = CustomMetrics({"model_name": self.name})
        REGISTRY.register(self._metrics)
        self._methods = Methods(self._class, self.name, self._metrics)
        said = await self._do(self._class.init_metadata)
        self.settings.platform = str(said.get("platform") or "custom")
        self.inputs, self.outputs = _tensors(said.get("inputs")), _tensors(said.get("outputs"))
        return True

    async def unload(self) -> bool:
        REGISTRY.unregister(self._metrics)
        self._thread.shutdown(wait=False)
        return True

    async def answer(self, request: Message) -> Message:
        method, messages = parted(request)
        return await self._do(self._methods.call, method, messages)

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
