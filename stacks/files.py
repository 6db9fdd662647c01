"""Stack files: reading them, seeing their configuration as the program will, changing a copy."""

from __future__ import annotations

import copy
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from stacks.errors import UserError
from stacks.settings import PROJECT
from stacks.values import ENCRYPTED

_OTHERS = ("kubernetes", "random", "pulumi")
"""Namespaces of configuration that are read by providers and by Pulumi itself."""


def raw_config(stack_file: Mapping[str, Any]) -> tuple[dict[str, str], set[str], list[str]]:
    """Return a stack file's configuration as the program will see it.

    Returns:
        values by key without `aiga:`, the paths that are encrypted, and keys in no namespace that anything reads.
    """
    raw: dict[str, str] = {}
    hidden: set[str] = set()
    foreign: list[str] = []
    for key, value in (stack_file.get("config") or {}).items():
        namespace, _, name = str(key).rpartition(":")
        if namespace in _OTHERS:
            continue
        if namespace != PROJECT:
            foreign.append(str(key))
            continue
        raw[name] = _text(_revealed(value, name, hidden))
    return raw, hidden, foreign


def assign(config: Mapping[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """Apply `aiga:key.path=value` assignments to a configuration; the values are YAML."""
    changed = copy.deepcopy(dict(config))
    for text in assignments:
        match = re.fullmatch(rf"(?:{PROJECT}:)?([A-Za-z][\w.]*)=(.*)", text, re.DOTALL)
        if match is None:
            raise UserError(f"--config {text}: must be key=value (such as --config monitoring.retention=7d)")
        *parents, last = match[1].split(".")
        place = changed
        for index, part in enumerate(parents):
            key = f"{PROJECT}:{part}" if index == 0 else part
            place[key] = dict(place[key]) if isinstance(place.get(key), dict) else {}
            place = place[key]
        place[last if parents else f"{PROJECT}:{last}"] = _given(text, match[2])
    return changed


def _given(text: str, value: str) -> Any:
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError as error:
        why = getattr(error, "problem", None) or "not a value"
        raise UserError(f"--config {text}: is not YAML: {why} (put the value in quotes: key='\"value\"')") from None


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, default=str) if isinstance(value, dict | list) else str(value)


def _revealed(value: Any, path: str, hidden: set[str]) -> Any:
    """Replace each `secure:` ciphertext by a placeholder, and note its path."""
    if not isinstance(value, dict):
        return value
    if set(value) == {"secure"}:
        hidden.add(path)
        return ENCRYPTED
    return {key: _revealed(item, f"{path}.{key}", hidden) for key, item in value.items()}


def with_secrets(mine: Any, last: Any) -> Any:
    """Keep from the last copy what is encrypted and not in the committed file."""
    if not isinstance(last, dict):
        return mine
    if set(last) == {"secure"}:
        return last if mine is None else mine
    merged = dict(mine) if isinstance(mine, dict) else {}
    for key, value in last.items():
        kept = with_secrets(merged.get(key), value)
        if kept is not None:
            merged[key] = kept
    return merged or mine


def read(path: Path) -> dict[str, Any]:
    """Return a YAML file's map; empty when there is no file."""
    try:
        loaded = yaml.safe_load(path.read_text()) or {}
    except FileNotFoundError:
        return {}
    except yaml.YAMLError as error:
        raise UserError(f"{path.name}: is not YAML: {' '.join(str(error).split())} (mend the file)") from None
    if not isinstance(loaded, dict) or not isinstance(loaded.get("config") or {}, dict):
        raise UserError(f"{path.name}: must be a map with `config:` in it (see docs/configuration.md)")
    return loaded


def replace(path: Path, text: str, mode: int = 0o666) -> None:
    """Write a file whole or not at all; `mode` is what it may allow, before the umask."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text)
    fresh.replace(path)
