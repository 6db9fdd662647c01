"""Secrets of the configuration that come from the environment, for machines that keep nothing: CI above all.

The variable of a key is AIGA_SECRET_ and its path in capitals, words apart: AIGA_SECRET_MONITORING_ALERT_WEBHOOK.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from stacks.errors import UserError
from stacks.mistakes import HIDDEN
from stacks.rules import SECRETS
from stacks.settings import PROJECT, wrong_by_itself

_PREFIX = "AIGA_SECRET_"


def variable(path: str) -> str:
    """Return the variable of a key such as monitoring.alertWebhook."""
    return _PREFIX + re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", path).replace(".", "_").upper()


def secrets() -> dict[str, str]:
    """Return the values by key; a variable that is there and empty counts as not there.

    Raises:
        UserError: a variable is of no key, or a value is wrong. No value is shown.
    """
    known = {variable(path): path for path in SECRETS}
    found = {name: value for name, value in os.environ.items() if name.startswith(_PREFIX) and value}
    mistakes = [f"{name}: is of no secret (known: {', '.join(known)})" for name in sorted(found.keys() - known.keys())]
    given = {known[name]: value for name, value in found.items() if name in known}
    for path, value in given.items():
        mistakes += [
            f"{variable(path)}: {HIDDEN}: {wrong.rule} ({wrong.remedy})" for wrong in wrong_by_itself(path, value)
        ]
    if mistakes:
        raise UserError("\n".join(mistakes))
    return given


def marked(config: Mapping[str, Any], paths: Iterable[str]) -> dict[str, Any]:
    """Return the configuration with these keys as if encrypted in it; one in plain text stays, to be refused."""
    changed = dict(config)
    for path in paths:
        top, _, last = path.partition(".")
        section = changed.get(f"{PROJECT}:{top}") or {}
        if isinstance(section, dict) and not section.get(last):
            changed[f"{PROJECT}:{top}"] = {**section, last: {"secure": ""}}
    return changed
