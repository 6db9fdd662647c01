"""Writes the objects of a table as a Helm template.

Beside references (`expressions`), a map may hold `$when` (left out unless true) and `$merge` (values merged over it).
`{$json: …}` and `{$yaml: …}` are a text of that format, sent through the named template `$through` where there is one.
`$value` stands beside `$when` for what is no map; in lists `${*path}` splices.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from simulator.standins.expressions import expression, has_reference, inline, whole

_PLAIN = re.compile(r"[A-Za-z][\w./-]*")
_RESERVED = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
_FORMATS = {"$json": "toPrettyJson", "$yaml": "toYaml"}


class _Writer:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.parts: list[str] = []

    def document(self, manifest: Mapping[str, Any]) -> None:
        body = {key: value for key, value in manifest.items() if key != "$each"}
        with_loop = manifest.get("$each")
        if with_loop:
            self.lines.append("{{- range $item := " + expression(with_loop) + " }}")
        self._guarded(body, lambda: self._whole({k: v for k, v in body.items() if k != "$when"}), "---")
        if with_loop:
            self.lines.append("{{- end }}")

    def _whole(self, body: Mapping[str, Any]) -> None:
        if "$merge" in body:
            self._merged(body, 0)
        else:
            self._map(body, 0)

    def _guarded(self, value: Any, write: Any, first: str | None = None) -> None:
        condition = value.get("$when") if isinstance(value, Mapping) else None
        if condition:
            self.lines.append("{{- if " + expression(condition) + " }}")
        if first is not None:
            self.lines.append(first)
        write()
        if condition:
            self.lines.append("{{- end }}")

    def _map(self, value: Mapping[str, Any], indent: int) -> None:
        for key, entry in value.items():
            self._guarded(entry, lambda k=key, e=entry: self._entry(k, _bare(e), indent))

    def _entry(self, key: str, value: Any, indent: int) -> None:
        head = f"{' ' * indent}{scalar(key)}:"
        if isinstance(value, str) and (reference := whole(value)):
            self.lines.append(f'{{{{- include "standin.entry" (list {json.dumps(key)} {reference} {indent}) }}}}')
        elif isinstance(value, Mapping) and (text := self._text(value)):
            self.lines.append(f"{head} {text}")
        elif isinstance(value, Mapping) and "$merge" in value:
            self.lines.append(head)
            self._merged(value, indent + 2)
        elif isinstance(value, Mapping) and value:
            self.lines.append(head)
            self._map(value, indent + 2)
        elif isinstance(value, list) and value:
            self.lines.append(head)
            self._list(value, indent)
        else:
            self.lines.append(f"{head} {scalar(value)}")

    def _list(self, items: Iterable[Any], indent: int) -> None:
        for item in items:
            self._guarded(item, lambda i=item: self._item(_bare(i), indent))

    def _item(self, item: Any, indent: int) -> None:
        dash = f"{' ' * indent}-"
        if isinstance(item, str) and item.startswith("${*"):
            self.lines.append(f'{{{{- include "standin.items" (list {expression(item[3:-1])} {indent}) }}}}')
        elif isinstance(item, str) and (reference := whole(item)):
            self.lines.append(f'{{{{- include "standin.item" (list {reference} {indent}) }}}}')
        elif isinstance(item, Mapping) and "$merge" in item:
            self.lines.append(dash)
            self._merged(item, indent + 2)
        elif isinstance(item, Mapping) and item:
            start = len(self.lines)
            self._map(item, indent + 2)
            first = self.lines[start]
            if first.startswith("{{"):
                self.lines.insert(start, dash)
            else:
                self.lines[start] = f"{dash} {first.lstrip()}"
        else:
            self.lines.append(f"{dash} {scalar(item)}")

    def _merged(self, value: Mapping[str, Any], indent: int) -> None:
        name = self._part({k: v for k, v in value.items() if k != "$merge"})
        self.lines.append(
            f'{{{{- include "standin.merge" (list (include "{name}" $) {expression(value["$merge"])} {indent}) }}}}'
        )

    def _text(self, value: Mapping[str, Any]) -> str | None:
        for key, function in _FORMATS.items():
            if key in value:
                then = f'include "{value["$through"]}" | ' if "$through" in value else ""
                part = self._part({"text": value[key]})
                return f'{{{{ include "{part}" $ | fromYaml | dig "text" dict | {function} | {then}toJson }}}}'
        return None

    def _part(self, value: Mapping[str, Any]) -> str:
        """A map that has to be complete before it can be worked on: a named template of its own."""
        number = len(self.parts)
        name = f"standin.part{number}"
        self.parts.append("")
        writer = _Writer()
        writer.parts = self.parts
        writer._map(value, 0)
        self.parts[number] = "\n".join([f'{{{{- define "{name}" }}}}', *writer.lines, "{{- end }}"])
        return name


def _bare(value: Any) -> Any:
    if isinstance(value, Mapping) and "$when" in value:
        rest = {k: v for k, v in value.items() if k != "$when"}
        return rest.get("$value", rest)
    return value


def scalar(value: Any) -> str:
    """A scalar, or an empty map or list, as YAML on one line."""
    if isinstance(value, str):
        if has_reference(value):
            return inline(value)
        return (
            value
            if _PLAIN.fullmatch(value) and value.lower() not in _RESERVED
            else json.dumps(value, ensure_ascii=False)
        )
    return json.dumps(value)


def text(manifests: Iterable[Mapping[str, Any]]) -> str:
    """The template of all these objects."""
    writer = _Writer()
    for manifest in manifests:
        writer.document(manifest)
    return "\n".join([*writer.parts, *writer.lines, ""])
