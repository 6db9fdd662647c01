"""The references to values that a table may hold, translated to Go template expressions.

`${a.b}` is a value of the chart, `${a.b | default "x"}` the same through a pipeline, `${@release}`, `${@namespace}`,
`${@fullname}` and `${@item}` what helm and the enclosing `each` know, `${= …}` Go template text as it stands.
"""

from __future__ import annotations

import json
import re

_REFERENCE = re.compile(r"\$\{((?:[^{}]|\{[^{}]*\})+)\}")
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
_KNOWN = {
    "release": "$.Release.Name",
    "namespace": '(include "standin.namespace" $)',
    "fullname": '(include "standin.fullname" $)',
    "item": "$item",
}


def whole(text: str) -> str | None:
    """The expression of a text that is one reference and nothing else: it may yield any type."""
    match = _REFERENCE.fullmatch(text)
    return expression(match[1]) if match else None


def inline(text: str) -> str:
    """A text with references in it as one action, which prints it as a JSON string."""
    values = [expression(match[1]) for match in _REFERENCE.finditer(text)]
    layout = _REFERENCE.sub("%v", text.replace("%", "%%"))
    return "{{ printf " + " ".join([json.dumps(layout), *values]) + " | toJson }}"


def has_reference(text: str) -> bool:
    return _REFERENCE.search(text) is not None


def expression(source: str) -> str:
    """One reference, without its braces, as a parenthesised Go template expression."""
    source = source.strip()
    if source.startswith("="):
        return f"({source[1:].strip()})"
    head, _, pipeline = source.partition("|")
    head = head.strip()
    value = _KNOWN[head[1:]] if head.startswith("@") else path(head)
    return f"({value} | {pipeline.strip()})" if pipeline else value


def path(dotted: str) -> str:
    """A path of values that yields nothing, rather than an error, when a part of it is missing."""
    value = "$.Values"
    for key in dotted.split("."):
        if _IDENTIFIER.fullmatch(key):
            value = f"{value}.{key}" if value == "$.Values" else f"({value}).{key}"
        else:
            value = f'(get ({value} | default dict) "{key}")'
    return f"({value})"
