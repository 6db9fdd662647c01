"""Version numbers: reading them, and whether one fits a range such as `>=3.14,<4`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable

Number = tuple[int, int, int]

_VERSION = re.compile(r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(.*)", re.DOTALL)
_UNFINISHED = re.compile(r"-(alpha|beta|rc|dev|pre)", re.IGNORECASE)
_BOUND = re.compile(r"(>=|<|==)(\d+(?:\.\d+){0,2})")
_COMPARE: dict[str, Callable[[Number, Number], bool]] = {">=": operator.ge, "<": operator.lt, "==": operator.eq}


def number(text: str) -> Number | None:
    """`v1.36.3-gke.1` → (1, 36, 3); None where no number stands at the start."""
    match = _VERSION.match(text)
    if match is None:
        return None
    major, minor, patch = (int(part or 0) for part in match.groups()[:3])
    return major, minor, patch


def fits(version: str, allowed: str) -> bool:
    """Whether `version` lies in `allowed`. A release candidate never does."""
    found = number(version)
    if found is None or _UNFINISHED.search(version):
        return False
    return all(_COMPARE[sign](found, bound) for sign, bound in bounds(allowed))


def bounds(allowed: str) -> list[tuple[str, Number]]:
    """The parts of a range; ValueError for one that cannot be read."""
    parts = []
    for part in allowed.split(","):
        match = _BOUND.fullmatch(part.strip())
        bound = number(match[2]) if match else None
        if match is None or bound is None:
            raise ValueError(f"range {allowed!r}: {part.strip()!r} is none of >=N, <N, ==N (N like 1.36 or 1.36.3)")
        parts.append((match[1], bound))
    return parts
