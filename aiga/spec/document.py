"""Reads the text of a project file: YAML 1.2's plain data, with the line that each part begins on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from aiga.spec.mistakes import HIDDEN, Mistake, shown
from aiga.spec.places import Path, Positions, written

MAX_BYTES = 2**20
MAX_NODES = 100_000
MAX_DEPTH = 50
MAX_CHARACTERS = 10 * MAX_BYTES
MAX_DIGITS = 300

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WORDS: dict[str, bool | float | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **{f"{sign}{word}": float(f"{sign}inf") for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")},
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


@dataclass
class Document:
    """What a file says, and what is wrong with the way it says it."""

    file: str
    data: Any = None
    """The root's map; None when the text cannot be read."""
    positions: Positions = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)
    broken: set[Path] = field(default_factory=set)
    """Paths whose value is not what the text says, such as those of keys that stand there twice."""


class _Unreadable(Exception):
    """The text is refused as a whole."""

    def __init__(self, line: int, value: str, rule: str, remedy: str, path: Path = ()) -> None:
        self.line, self.value, self.rule, self.remedy, self.path = line, value, rule, remedy, path


def read(content: bytes, file: str) -> Document:
    """The document in a file's bytes; mistakes are in it, nothing is raised."""
    document = Document(file)
    try:
        root = _composed(_text(content))
        _Reader(document).read(root)
    except _Unreadable as no:
        document.data = None
        document.mistakes.append(Mistake(file, no.line, written(no.path), no.value, no.rule, no.remedy))
    return document


def _text(content: bytes) -> str:
    if len(content) > MAX_BYTES:
        remedy = "data belongs in sources, not in the project file"
        raise _Unreadable(1, f"{len(content)} bytes", f"must be at most {MAX_BYTES} bytes", remedy)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise _Unreadable(line, f"byte {content[error.start]:#x}", "must be UTF-8", "save it as UTF-8") from None


def _composed(text: str) -> yaml.Node:
    """The text's only document, once its events have shown that composing it is safe."""
    try:
        _look(yaml.parse(text, Loader=_Loader))
        root = yaml.compose(text, Loader=_Loader)
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise _Unreadable(line, f"character {error.character!r}", "is not for YAML", "take it out") from None
    except yaml.MarkedYAMLError as error:
        raise _syntax(error, text) from None
    if root is None:
        raise _Unreadable(1, "nothing", "must be a map of keys", "begin with apiVersion: aiga.dev/v1")
    if not isinstance(root, yaml.MappingNode):
        shape = "a list" if isinstance(root, yaml.SequenceNode) else shown(root.value)
        raise _Unreadable(1, shape, "must be a map of keys", "begin with apiVersion: aiga.dev/v1")
    return root


def _line(node: yaml.Node | yaml.Event) -> int:
    """The line that it begins on, counted from 1."""
    return node.start_mark.line + 1 if node.start_mark else 1


def _look(events: Iterator[yaml.Event]) -> None:
    depth = documents = 0
    for event in events:
        line = _line(event)
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise _Unreadable(line, "---", "must be one document", "one file a project")
        elif isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise _too_deep(line)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        tag = getattr(event, "tag", None)
        if tag:
            raise _Unreadable(line, shown(tag), "tags are not read", "take it out; quotes make text")


def _too_deep(line: int, path: Path = ()) -> _Unreadable:
    rule = f"must be at most {MAX_DEPTH} levels deep"
    return _Unreadable(line, f"level {MAX_DEPTH + 1}", rule, "close a bracket, or take an alias out", path)


def _syntax(error: yaml.MarkedYAMLError, text: str) -> _Unreadable:
    mark = error.problem_mark or error.context_mark
    index = mark.line if mark else 0
    lines = text.splitlines()
    if index < len(lines) and re.match(r" *\t", lines[index]):
        return _Unreadable(index + 1, "a tab", "must be indented with spaces", "put spaces in the tab's place")
    problem = " ".join(str(error.problem or "cannot be read").split())
    where = f" {error.context}" if error.context and error.problem else ""
    begun = f" of line {error.context_mark.line + 1}" if where and error.context_mark else ""
    return _Unreadable(index + 1, "YAML", f"{problem}{where}{begun}", "look at brackets, quotes, colons, indentation")


class _Reader:
    """Turns composed nodes into plain data; aliases are written out, within bounds."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._nodes = self._characters = 0
        self._open: list[int] = []

    def read(self, root: yaml.Node) -> None:
        self._document.data = self._value(root, ())

    def _value(self, node: yaml.Node, path: Path) -> Any:
        line = _line(node)
        self._document.positions.setdefault(path, line)
        self._count(node, path)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if id(node) in self._open:
            raise _Unreadable(line, "an alias", "contains itself", "take the alias out", path)
        if len(self._open) >= MAX_DEPTH:
            raise _too_deep(line, path)
        self._open.append(id(node))
        if isinstance(node, yaml.MappingNode):
            value: Any = self._map(node, path)
        else:
            value = [self._value(item, (*path, index)) for index, item in enumerate(node.value)]
        self._open.pop()
        return value

    def _count(self, node: yaml.Node, path: Path) -> None:
        self._nodes += 1
        self._characters += len(node.value) if isinstance(node, yaml.ScalarNode) else 0
        if self._nodes > MAX_NODES or self._characters > MAX_CHARACTERS:
            what = f"more than {MAX_NODES} values" if self._nodes > MAX_NODES else f"over {MAX_CHARACTERS} characters"
            rule = f"expands to {what} with its aliases written out"
            raise _Unreadable(_line(node), "a document", rule, "take aliases out", path)

    def _map(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key, value in node.value:
            line = _line(key)
            if not isinstance(key, yaml.ScalarNode):
                raise _Unreadable(line, "a list or a map", "a key must be text", "put the key in quotes", path)
            self._count(key, path)
            name = self._encodable(key)
            here = (*path, name)
            if name == "<<" and not key.style:
                self._refuse(here, line, "<<", "merge keys are not of YAML 1.2", "write the keys out")
            elif name in found:
                rule = f"the key is there twice, on lines {lines[name]} and {line}"
                self._refuse(here, line, name, rule, "take one of them out")
            else:
                lines[name] = self._document.positions[here] = line
                found[name] = self._value(value, here)
        return found

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        text = self._encodable(node)
        if node.style:
            return text
        if text in _WORDS:
            return _WORDS[text]
        if INTEGER.fullmatch(text):
            if len(text) > MAX_DIGITS:
                line = self._document.positions[path]
                rule = f"a number must have at most {MAX_DIGITS} digits"
                self._refuse(path, line, shown(text), rule, "put text in quotes")
                return 0
            return int(text, 0) if text[1:2] in ("o", "x") else int(text)
        return float(text) if FLOAT.fullmatch(text) else text

    def _encodable(self, node: yaml.ScalarNode) -> str:
        text: str = node.value
        try:
            text.encode()
        except UnicodeEncodeError:
            raise _Unreadable(
                _line(node), "half a surrogate pair", "must be Unicode", "write the character itself"
            ) from None
        return text

    def _refuse(self, path: Path, line: int, value: str, rule: str, remedy: str) -> None:
        value = HIDDEN if path[:1] == ("secrets",) else value
        self._document.broken.add(path)
        self._document.mistakes.append(Mistake(self._document.file, line, written(path), value, rule, remedy))
