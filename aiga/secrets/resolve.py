"""Secrets on this machine: from the environment, else from the operating system's keyring; and kept out of text."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import quote, quote_plus

import keyring
from keyring.errors import KeyringError

from aiga.errors import UserError
from aiga.spec.project import Secret

MASK = "***"
_LEAST_LINE = 8
"""Characters from which on a line of a secret of several lines is itself a secret; `-----` and `}` are not."""


def service(project: str) -> str:
    """The name under which a keyring keeps the secrets of a project."""
    return f"aiga/{project}"


def resolve(names: Iterable[str], declared: Mapping[str, Secret], project: str) -> dict[str, str]:
    """Environment variable to value, for each of `names`. An empty variable counts as unset.

    Raises:
        UserError: names every secret that is not declared or has no value.
    """
    found: dict[str, str] = {}
    missing: list[str] = []
    for name in dict.fromkeys(names):
        if name not in declared:
            missing.append(f"secret {name!r}: not declared: add it under `secrets:` with the variable that holds it")
            continue
        variable = declared[name].env
        value = os.environ.get(variable) or _from_keyring(project, name)
        if value:
            found[variable] = value
        else:
            missing.append(
                f"secret {name!r}: no value in ${variable} nor in the keyring: "
                f"`export {variable}=…` or `aiga secret set {name}`"
            )
    if missing:
        raise UserError("\n".join(missing))
    return found


def lookup(declared: Mapping[str, Secret], project: str) -> Callable[[str], str]:
    """A function from a secret's name to its value, for what asks as it goes. It raises as `resolve` does."""

    def value(name: str) -> str:
        return next(iter(resolve([name], declared, project).values()))

    return value


def keep(project: str, name: str, value: str) -> None:
    """Put a value in the keyring.

    Raises:
        UserError: this machine has no keyring that works.
    """
    try:
        keyring.set_password(service(project), name, value)
    except (KeyringError, RuntimeError, OSError) as error:
        raise UserError(
            f"secret {name!r}: the keyring of this machine takes no value ({type(error).__name__}): "
            "export its environment variable instead"
        ) from error


def mask(text: str, values: Iterable[str]) -> str:
    """`text` with every secret value as ***: as it is, line by line, and as it stands in URLs and in JSON."""
    forms = {form for value in values for form in _forms(value)}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, MASK)
    return text


def _from_keyring(project: str, name: str) -> str | None:
    """None, too, where there is no keyring or it fails: then the message says that there is no value."""
    try:
        return keyring.get_password(service(project), name)
    except (KeyringError, RuntimeError, OSError):
        return None


def _forms(value: str) -> set[str]:
    wholes = {value, value.strip()}
    lines = {line.strip() for line in value.splitlines() if len(line.strip()) >= _LEAST_LINE and "-----" not in line}
    plain = wholes | lines
    return {form for each in plain for form in (each, quote(each, ""), quote_plus(each), json.dumps(each)[1:-1])} - {""}
