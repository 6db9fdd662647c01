"""What is left of a file's data when its wrong parts are out, so that the rest can be looked at in the same pass."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable
from typing import Any

from aiga.names import API_VERSION
from aiga.spec.places import ANY, Path, value, within

_GONE = object()
"""Stands in a list for an item that was taken out."""
_STAND_INS = {"apiVersion": API_VERSION, "name": "project"}
"""In place of wrong ones."""


class Sound:
    """A copy of the data that shrinks."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = copy.deepcopy(data)

    def json(self) -> str:
        """The data that is left, as JSON."""
        return json.dumps(_compact(self._data))

    def original(self, path: Path) -> Path:
        """The path in the whole data of what has this path in that which is left."""
        found: list[str | int] = []
        data: Any = self._data
        for part in path:
            if isinstance(data, list) and isinstance(part, int):
                left = [index for index, item in enumerate(data) if item is not _GONE]
                part = left[part] if part < len(left) else len(data)  # noqa: PLW2901 - the part in the whole list
            found.append(part)
            data = value(data, (part,))
        return tuple(found)

    def prune(self, wrong: Iterable[Path]) -> set[Path]:
        """Takes the smallest part around each path of what is left out, and returns the paths that these had."""
        dropped: set[Path] = set()
        for path in [self.original(path) for path in wrong]:
            if not any(within(path, gone) for gone in dropped):
                gone = self._drop(path)
                dropped |= {gone, (*gone[:-1], ANY)} if isinstance(gone[-1], int) else {gone}
        return dropped

    def _drop(self, path: Path) -> Path:
        for depth in reversed(range(len(path))):
            parent, part = value(self._data, path[:depth]), path[depth]
            if isinstance(parent, dict) and part in parent:
                del parent[part]
                return path[: depth + 1]
            if isinstance(parent, list) and isinstance(part, int) and part < len(parent):
                parent[part] = _GONE
                return path[: depth + 1]
        self._data[str(path[0])] = _STAND_INS[str(path[0])]
        return path[:1]


def _compact(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _compact(item) for key, item in data.items()}
    if isinstance(data, list):
        return [_compact(item) for item in data if item is not _GONE]
    return data
