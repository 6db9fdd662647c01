"""What a preview shows: each resource that would change, field by field, on the screen or as Markdown for a review."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pulumi.automation.events import OpType, StepEventMetadata

from stacks.progress import Board, short

_SIGNS = {OpType.CREATE: "+", OpType.UPDATE: "~", OpType.DELETE: "-", OpType.REPLACE: "±"}
_WORDS = {OpType.CREATE: "create", OpType.UPDATE: "update", OpType.DELETE: "delete", OpType.REPLACE: "replace"}
_STEP = re.compile(r'\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.\[\]]+)')
_UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_ECHO = "pulumi:providers:pulumi-python"
"""The provider of dynamic resources changes with every key of the configuration, and does nothing by it."""
_SECRET_MARK = "4dabf18193072939515e22adb298388d"
_LIVE = re.compile(r"^status|metadata\.(managedFields|resourceVersion|generation)")
"""Fields that every object changes by itself."""
_LONGEST_VALUE = 100
_LONGEST_COMMENT = 60_000
_MISSING = object()


def changed(board: Board) -> list[StepEventMetadata]:
    """Return the steps a reader counts; of the three that make a replacement, one."""
    return [step for step in board.changed if step.op in _SIGNS and not step.type.startswith(_ECHO)]


def lines(board: Board) -> Iterator[str]:
    """Yield one line for each resource that changes, and one for each of its fields."""
    for step in changed(board):
        yield f"{_SIGNS[step.op]} {short(step.urn)}"
        if step.op in (OpType.UPDATE, OpType.REPLACE):
            yield from (f"    {line}" for line in fields(step))


def fields(step: StepEventMetadata, *, ahead: bool = True) -> list[str]:
    """Return the changed fields of one resource: path, value before, value after; `ahead`: they are still to come."""
    old = (step.old.inputs if step.old else None) or {}
    new = (step.new.inputs if step.new else None) or {}
    if step.detailed_diff:
        shown = []
        for path, difference in sorted(step.detailed_diff.items()):
            forced = " (replaces it)" if ahead and difference.diff_kind.value.endswith("-replace") else ""
            shown.append(_field(path, _at(old, path), _at(new, path)) + forced)
        return shown
    return [_field(path, before, after) for path, before, after in _compare("", old, new)]


def drift(step: StepEventMetadata) -> list[str]:
    """Return what a refresh found changed on the cluster: in our fields, else in those that others set."""
    ours = fields(step, ahead=False)
    if ours or step.op != OpType.UPDATE:
        return ours
    old = (step.old.outputs if step.old else None) or {}
    new = (step.new.outputs if step.new else None) or {}
    return [_field(path, before, after) for path, before, after in _compare("", old, new) if not _LIVE.search(path)]


def counted(board: Board) -> str:
    """Return the counts in words: 3 to update, 408 unchanged."""
    counts = {_WORDS[op]: sum(step.op == op for step in changed(board)) for op in _SIGNS}
    parts = [f"{count} to {word}" for word, count in counts.items() if count]
    same = board.counts.get("same", 0)
    return ", ".join([*(parts or ["no changes"]), *([f"{same} unchanged"] if same else [])])


def markdown(board: Board, title: str) -> str:
    """Return the preview as a comment of a pull request, short enough for one."""
    body = "\n".join(lines(board))
    if len(body) > _LONGEST_COMMENT:
        cut = body[:_LONGEST_COMMENT].rpartition("\n")[0]
        body = f"{cut}\n… {body.count(chr(10)) - cut.count(chr(10))} more lines: see the job's log"
    # A diff block colours by the first character; ± would stay grey.
    body = re.sub(r"^±", "-+", body, flags=re.MULTILINE).replace("\n~", "\n!")
    body = f"!{body[1:]}" if body.startswith("~") else body
    details = f"\n<details><summary>Resources</summary>\n\n```diff\n{body}\n```\n\n</details>\n" if body else ""
    warnings = "".join(f"\n> {warning}" for warning in board.warnings)
    return f"### {title}\n\n**{counted(board)}**\n{warnings}{details}"


def _field(path: str, before: Any, after: Any) -> str:
    if before is _MISSING:
        return f"{path}: + {_value(after)}"
    if after is _MISSING:
        return f"{path}: - {_value(before)}"
    return f"{path}: {_value(before)} => {_value(after)}"


def _value(value: Any) -> str:
    if value is _MISSING:
        return "?"
    if isinstance(value, dict) and _SECRET_MARK in value:
        return "[secret]"
    if value == _UNKNOWN:
        return "(known later)"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


def _at(value: Any, path: str) -> Any:
    for key, index, name in _STEP.findall(path):
        step: Any = int(index) if index else (key.replace('\\"', '"') or name)
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return _MISSING
    return value


def _compare(path: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    if old == new:
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping) and _SECRET_MARK not in {*old, *new}:
        for key in sorted({*old, *new}):
            if not str(key).startswith("__"):
                yield from _compare(_join(path, str(key)), old.get(key, _MISSING), new.get(key, _MISSING))
    elif _is_list(old) and _is_list(new) and len(old) == len(new):
        for index, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from _compare(f"{path}[{index}]", before, after)
    else:
        yield path, old, new


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _join(path: str, key: str) -> str:
    if re.fullmatch(r"[\w-]+", key):
        return f"{path}.{key}" if path else key
    return f'{path}["{key}"]'
