"""MLServer's runtime for ONNX models, on ONNX Runtime."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mlserver.types import MetadataTensor
from mlserver.utils import get_model_uri

from aiga.serving.messages import Message
from aiga.serving.runtimes.answering import Answering, Turns
from aiga.serving.runtimes.session import Place, Session


class OnnxModel(Answering):
    """Serves the ONNX file, or the folder with `model.onnx`, that `parameters.uri` names.

    `parameters.extra.threads` is how many threads one request may use, and how many requests run at once when they are
    long.
    """

    async def load(self) -> bool:
        file = Path(await get_model_uri(self.settings, wellknown_filenames=["model.onnx"]))
        extra = self.settings.parameters.extra or {}
        threads = int(extra.get("threads", 0))
        self._model = Session(file, threads)
        self._turns = Turns(ThreadPoolExecutor(threads or self._model.cores, "inference"))
        self.settings.platform = "onnx_onnxv1"
        self.inputs = [_metadata(place) for place in self._model.inputs]
        self.outputs = [_metadata(place) for place in self._model.outputs]
        return True

    async def answer(self, request: Message) -> Message:
        return await self._turns.run(self._model.run, request)


def _metadata(place: Place) -> MetadataTensor:
    return MetadataTensor(name=place.name, datatype=place.datatype, shape=list(place.shape))
