"""Which version answered which request: lines on disk that outlive the gateway, for `aiga lineage <request id>`.

Nothing of the inputs or of the answers is in them. They are bounded in time and in bytes: the oldest go first.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
import uuid
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiga.serving.gateway.deployment import JournalSettings

PERIOD = 0.5
"""Seconds between two writes; a kill loses what came after the last one."""
WAITING = 100_000
"""Most lines that wait for the disk."""
PARTS = 8
"""Files that the bounds of time and bytes are divided among."""
_SUFFIX = ".jsonl"
_DAY = 86400.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Prediction:
    """What is told of a prediction, on the page and here."""

    time: float
    """Seconds since 1970."""
    request: str
    predictor: str
    model: str
    version: str
    protocol: str
    code: str
    seconds: float
    tries: int
    lineage: Mapping[str, str]


@dataclass(frozen=True)
class Answered:
    """A line of the journal."""

    time: float
    """Seconds since 1970."""
    request: str
    predictor: str
    models: tuple[str, ...]
    """Addresses with versions, `digits@3`; a graph has several, a class without a model none."""
    protocol: str
    code: str


class Journal:
    """Takes predictions from the event loop, and writes them at its own pace."""

    def __init__(self) -> None:
        self.settings: JournalSettings | None = None
        """As of now; nothing is kept where there are none."""
        self._waiting: deque[Prediction] = deque(maxlen=WAITING)
        self._segment: Path | None = None
        self._begun = 0.0
        self._trouble = ""

    def add(self, prediction: Prediction) -> None:
        if self.settings is not None:
            self._waiting.append(prediction)

    async def keep(self) -> None:
        """Writes what waits, now and then, until it is cancelled."""
        while True:
            await asyncio.sleep(PERIOD)
            await self.flush()

    async def flush(self) -> None:
        """Writes what waits. A disk that refuses is told once; what it refused is lost."""
        settings, taken = self.settings, list(self._waiting)
        self._waiting.clear()
        if settings is None or not taken:
            return
        try:
            await asyncio.shield(asyncio.to_thread(self._write, settings, taken))
            self._trouble = ""
        except OSError as error:
            if self._trouble != str(error):
                _log.warning("which version answered which request is not kept: %s", error)
            self._trouble = str(error)

    def _write(self, settings: JournalSettings, predictions: Iterable[Prediction]) -> None:
        now = time.time()
        segment = self._segment
        if segment is None or segment.parent != settings.folder or self._full(segment, settings, now):
            settings.folder.mkdir(parents=True, exist_ok=True)
            prune(settings, now)
            segment = settings.folder / f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}{_SUFFIX}"
            self._segment, self._begun = segment, now
        with segment.open("ab") as file:
            file.write(b"".join(map(_line, predictions)))

    def _full(self, segment: Path, settings: JournalSettings, now: float) -> bool:
        size = segment.stat().st_size if segment.exists() else 0
        return size >= settings.bytes / PARTS or now - self._begun >= settings.days * _DAY / PARTS


def prune(settings: JournalSettings, now: float) -> None:
    """Removes what is too old, and the oldest of what is too much; one part is left free for what comes."""
    files = sorted(settings.folder.glob(f"*{_SUFFIX}"))
    sizes = {file: file.stat().st_size for file in files}
    for file in files:
        total = sum(sizes.values())
        old = now - file.stat().st_mtime > settings.days * _DAY
        if old or total > settings.bytes * (PARTS - 1) / PARTS:
            file.unlink(missing_ok=True)
            del sizes[file]


def find(folder: Path, request: str) -> list[Answered]:
    """The answers to a request, the newest last: a client may send an id twice. Empty where none is kept."""
    return sorted(_found(folder, request), key=lambda answered: answered.time)


def _found(folder: Path, request: str) -> Iterator[Answered]:
    needle = _id(request)
    for file in sorted(folder.glob(f"*{_SUFFIX}")):
        try:
            content = file.read_bytes()
        except FileNotFoundError:  # a gateway has just removed it
            continue
        at = content.find(needle)
        while at >= 0:
            end = content.find(b"\n", at)
            line = content[content.rfind(b"\n", 0, at) + 1 : end if end >= 0 else len(content)]
            told = _read(line)
            if told is not None and told.request == request:
                yield told
            at = content.find(needle, at + len(needle))


def _line(prediction: Prediction) -> bytes:
    told = {
        "time": round(prediction.time, 3),
        "predictor": prediction.predictor,
        "models": [model for model in prediction.lineage.get("model", "").split(", ") if model],
        "protocol": prediction.protocol,
        "code": prediction.code,
    }
    return b"{" + _id(prediction.request) + b"," + json.dumps(told, separators=(",", ":")).encode()[1:] + b"\n"


def _id(request: str) -> bytes:
    return b'"request":' + json.dumps(request).encode()


def _read(line: bytes) -> Answered | None:
    """None for a line that a kill cut short."""
    try:
        told: dict[str, Any] = json.loads(line)
        return Answered(**{**told, "models": tuple(told["models"])})
    except (ValueError, TypeError, KeyError):
        return None
