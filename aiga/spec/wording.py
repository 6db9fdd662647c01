"""Pydantic's errors in words of the project file."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from aiga.spec.base import WORDING, Model
from aiga.spec.mistakes import HIDDEN, MISSING, Finding, meant, nearest
from aiga.spec.places import Path, Place, alternatives, by_alias, located, value

_SECRET_KEY = re.compile(r"passw|secret|token|credential|private|api_?key|access_?key", re.IGNORECASE)
_MAP = ("must be a map", "key: value, indented under it")
_WHOLE = ("must be a whole number", "such as 2, without quotes")
_TYPES = {
    "bool_type": ("must be true or false", "without quotes"),
    "int_type": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": ("must be a number", "such as 0.5, without quotes"),
    "string_type": ("must be text", "put it in quotes"),
    "tuple_type": ("must be a list", "in brackets, or one item a line after a hyphen"),
    "dict_type": _MAP,
    "model_type": _MAP,
    "finite_number": ("must be a finite number", "leave it out for no bound"),
    "string_too_short": ("must not be empty", "write something, or leave the key out"),
}
_BOUNDS = {
    "greater_than": ("gt", "must be above"),
    "greater_than_equal": ("ge", "must be at least"),
    "less_than": ("lt", "must be below"),
    "less_than_equal": ("le", "must be at most"),
    "too_short": ("min_length", "its number of items must be at least"),
    "too_long": ("max_length", "its number of items must be at most"),
}


def findings(model: type[Model], error: ValidationError, data: Any) -> list[Finding]:
    """What is wrong with the data, one finding a place."""
    found: dict[Path, Finding] = {}
    for details in error.errors(include_url=False):
        wrong = _Wrong.of(model, details, data)
        finding = _WORDED.get(details["type"], _Wrong.typed)(wrong)
        earlier = found.get(finding.path)
        found[finding.path] = _either(earlier, finding) if earlier else finding
    return list(found.values())


@dataclass(frozen=True)
class _Wrong:
    """One error of pydantic's with what stands at its place."""

    place: Place
    details: ErrorDetails
    data: Any

    @classmethod
    def of(cls, model: type[Model], details: ErrorDetails, data: Any) -> _Wrong:
        return cls(located(model, details["loc"]), details, data)

    @property
    def path(self) -> Path:
        return self.place.path

    @property
    def given(self) -> Any:
        return value(self.data, self.path)

    @property
    def context(self) -> dict[str, Any]:
        return self.details.get("ctx", {})

    @property
    def about(self) -> str:
        """What the field is, as a remedy."""
        text = (self.place.field.description if self.place.field else None) or "see the schema"
        return text.rstrip(".")

    def unknown(self) -> Finding:
        name = str(self.path[-1])
        known = by_alias(self.place.owner) if self.place.owner else {}
        near = nearest(name, known)
        uses = ((*self.path[:-1], near),) if near else ()
        given = HIDDEN if _SECRET_KEY.search(name) else self.given
        return Finding(self.path, given, "unknown key", meant(name, known), uses)

    def missing(self) -> Finding:
        return Finding(self.path, MISSING, "is required", f"add {self.path[-1]}: {self.about}")

    def untagged(self) -> Finding:
        key = str(self.context["discriminator"]).strip("'")
        tags = list(alternatives(self.place.kind))
        if self.details["type"] == "union_tag_not_found":
            return Finding((*self.path, key), MISSING, "is required", f"add {key}: one of {', '.join(tags)}")
        return self._of_these((*self.path, key), tags)

    def unlisted(self) -> Finding:
        return self._of_these(self.path, re.findall(r"'([^']*)'", str(self.context["expected"])))

    def _of_these(self, path: Path, allowed: list[str]) -> Finding:
        given = value(self.data, path)
        near = nearest(str(given), allowed)
        remedy = f"did you mean {near}?" if near else f"such as {allowed[0]}"
        several = "one of " if len(allowed) > 1 else ""
        return Finding(path, given, f"must be {several}{', '.join(allowed)}", remedy)

    def ruled(self) -> Finding:
        return Finding(self.path, self.given, str(self.context["rule"]), str(self.context["remedy"]))

    def dimension(self) -> Finding:
        return Finding(self.path, self.given, self.details["msg"], "such as {log: [0.0001, 0.1]}")

    def unmatched(self) -> Finding:
        pattern = self.context["pattern"]
        rule, remedy = WORDING.get(pattern, (f"must match {pattern}", self.about))
        if self.details["loc"][-1] == "[key]":
            return Finding(self.path, self.path[-1], rule, remedy)
        secret = any(_SECRET_KEY.search(str(part)) for part in self.path)
        return Finding(self.path, HIDDEN if secret else self.given, rule, remedy)

    def bounded(self) -> Finding:
        name, words = _BOUNDS[self.details["type"]]
        return Finding(self.path, self.given, f"{words} {self.context[name]:g}", self.about)

    def typed(self) -> Finding:
        message = self.details["msg"]
        rule, remedy = _TYPES.get(self.details["type"], (message[:1].lower() + message[1:], self.about))
        return Finding(self.path, self.given, rule, remedy)


_WORDED: dict[str, Callable[[_Wrong], Finding]] = {
    "extra_forbidden": _Wrong.unknown,
    "missing": _Wrong.missing,
    "union_tag_invalid": _Wrong.untagged,
    "union_tag_not_found": _Wrong.untagged,
    "literal_error": _Wrong.unlisted,
    "rule": _Wrong.ruled,
    "dimension": _Wrong.dimension,
    "string_pattern_mismatch": _Wrong.unmatched,
    **dict.fromkeys(_BOUNDS, _Wrong.bounded),
}


def _either(earlier: Finding, other: Finding) -> Finding:
    """The finding of a value that is no member of a union: what each member would be."""
    words = other.rule.removeprefix("must be ")
    if words in earlier.rule or other.rule == earlier.rule:
        return earlier
    return Finding(earlier.path, earlier.value, f"{earlier.rule} or {words}", "a single value of these kinds")
