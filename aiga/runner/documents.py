"""YAML of records, by libyaml where it is there: ten times quicker than without."""

from __future__ import annotations

from typing import Any

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def load(text: bytes | str) -> Any:
    """What a document holds. Raises yaml.YAMLError."""
    return yaml.load(text, Loader=_LOADER)


def dump(data: Any) -> bytes:
    """Plain values as a document, in their order."""
    found: bytes = yaml.dump(data, Dumper=_DUMPER, sort_keys=False, allow_unicode=True, encoding="utf-8")
    return found
