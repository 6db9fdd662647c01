"""Mistakes in a project file, each on one line: what, where, the value, the rule and the remedy."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from aiga.errors import UserError
from aiga.spec.places import Path, Positions, line, spelled, within, written

HIDDEN = "[hidden]"
MISSING = "missing"
_LONGEST = 60
_URL_PASSWORD = re.compile(r"(://[^\s/:@]*:)[^\s@]+@")


@dataclass(frozen=True)
class Finding:
    """A wrong value, by its path in the models: what it is, the rule it breaks, and what to do."""

    path: Path
    value: object
    rule: str
    remedy: str
    uses: tuple[Path, ...] = ()
    """What else the rule looked at: where that is wrong too, the rule says nothing."""

    def stands(self, broken: Collection[Path]) -> bool:
        """Whether nothing that the rule looked at is among the broken paths."""
        looked_at = (self.path, *self.uses)
        return not any(within(mine, path) or within(path, mine) for mine in looked_at for path in broken)

    def moved(self, to: Callable[[Path], Path]) -> Finding:
        """The finding with its paths as the function gives them."""
        return replace(self, path=to(self.path), uses=tuple(map(to, self.uses)))

    def at(self, file: str, data: Any, positions: Positions) -> Mistake:
        """The mistake that it is in a file."""
        path = spelled(self.path, data)
        hidden = path[:1] == ("secrets",) and self.value != MISSING
        text = HIDDEN if hidden else shown(self.value)
        return Mistake(file, line(path, positions), written(path), text, self.rule, self.remedy)


@dataclass(frozen=True)
class Mistake:
    """A wrong value in a file."""

    file: str
    line: int
    path: str
    """Keys with dots between them: `train.search.space.lr`."""
    value: str
    rule: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.path}: {self.value}: {self.rule} ({self.remedy})"


class SpecError(UserError):
    """A project file with mistakes: all of them, by line."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(sorted(dict.fromkeys(mistakes), key=lambda found: (found.file, found.line, found.path)))
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))


def shown(value: object, longest: int | None = _LONGEST) -> str:
    """The value as a message shows it: short, on one line, without the password of a URL."""
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False, default=str)
    text = _URL_PASSWORD.sub(rf"\1{HIDDEN}@", " ".join(text.split()))
    text = "".join(char if char.isprintable() else "�" for char in text)
    return text if longest is None or len(text) <= longest else f"{text[: longest - 1]}…"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most like this one, if any is like it."""
    lowered = {_plain(candidate): candidate for candidate in known}
    found = get_close_matches(_plain(name), list(lowered), n=1, cutoff=0.6)
    return lowered[found[0]] if found else None


def meant(name: str, known: Collection[str], where: str = "known here") -> str:
    """The remedy for an unknown name: the nearest known one, else all of them."""
    near = nearest(name, known)
    if near:
        return f"did you mean {near}?"
    return f"{where}: {', '.join(sorted(known)) or 'none'}"


def _plain(name: str) -> str:
    return re.sub(r"[_-]", "", name).lower()
