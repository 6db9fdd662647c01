"""Events on disk: what memory has no room for while their receiver is away, and what a stop leaves undelivered.

A segment is a file of events, each a line of JSON and then its body; it appears as a whole, and goes when all of its
events are delivered. After a kill its events may be delivered twice, with the same ids.
"""

from __future__ import annotations

import json
import os
import uuid
from collections import deque
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from aiga.serving.gateway.events import Event
from aiga.serving.gateway.tracing import Trace

_SUFFIX = ".events"


class Segment:
    """One file."""

    def __init__(self, path: Path, size: int) -> None:
        self.path, self.size = path, size
        self.left = 0
        """Events read from it and not delivered yet."""


class Spool:
    """A folder of segments, the oldest first. Its methods but `has_room` read and write files."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        """Takes the folder, with what an earlier process left in it.

        Raises:
            OSError: it cannot be made or read.
        """
        folder.mkdir(parents=True, exist_ok=True)
        for torn in folder.glob(f"*{_SUFFIX}.part"):
            torn.unlink(missing_ok=True)
        self._folder, self._most = folder, most_bytes
        self.segments = deque(Segment(path, path.stat().st_size) for path in sorted(folder.glob(f"*{_SUFFIX}")))
        """Those that have not been read."""
        self.bytes = sum(segment.size for segment in self.segments)
        self._number = max((_number(segment.path) for segment in self.segments), default=0)

    def has_room(self, size: int) -> bool:
        return self.bytes + size <= self._most

    def write(self, events: Iterable[Event]) -> None:
        """Adds a segment.

        Raises:
            OSError: the disk is full, or refuses; nothing of it is left.
        """
        content = b"".join(_line(event) for event in events)
        self._number += 1
        path = self._folder / f"{self._number:012d}-{uuid.uuid4().hex[:8]}{_SUFFIX}"
        part = path.with_suffix(f"{_SUFFIX}.part")
        try:
            part.write_bytes(content)
            os.replace(part, path)
        except OSError:
            part.unlink(missing_ok=True)
            raise
        self.segments.append(Segment(path, len(content)))
        self.bytes += len(content)

    def read(self) -> tuple[Segment, list[Event]]:
        """The oldest segment, which is no longer among `segments`; what is damaged in it is left out.

        Raises:
            OSError: it cannot be read.
        """
        segment = self.segments.popleft()
        try:
            events = _events(segment.path.read_bytes())
        except FileNotFoundError:
            events = []
        segment.left = len(events)
        if not events:
            self.remove(segment)
        return segment, events

    def remove(self, segment: Segment) -> None:
        """Its events are delivered."""
        segment.path.unlink(missing_ok=True)
        self.bytes -= segment.size


def _number(path: Path) -> int:
    first = path.name.partition("-")[0]
    return int(first) if first.isdigit() else 0


def _line(event: Event) -> bytes:
    content = event.content()
    fields = {key: value for key, value in asdict(event).items() if key not in ("body", "size")}
    return json.dumps({**fields, "size": len(content)}).encode() + b"\n" + content + b"\n"


def _events(content: bytes) -> list[Event]:
    found: list[Event] = []
    position = 0
    while position < len(content):
        end = content.find(b"\n", position)
        try:
            fields: dict[str, Any] = json.loads(content[position:end])
            start, position = end + 1, end + 2 + fields["size"]
            found.append(Event(**{**fields, "trace": Trace(**fields["trace"])}, body=content[start : position - 1]))
        except (ValueError, TypeError, KeyError):
            break
    return found
