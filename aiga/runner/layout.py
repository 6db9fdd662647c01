"""Where everything of a project is in its store: the same on disk and in S3."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime

TAG = re.compile(r"\d{8}t\d{6}-[0-9a-f]{6}")
"""A run's tag, as it stands in names: lower case."""
RECORD = "run.yaml"


def new_tag(now: datetime | None = None) -> str:
    """A tag that sorts by time, `YYYYMMDDthhmmss-xxxxxx` in UTC."""
    return f"{(now or datetime.now(UTC)).strftime('%Y%m%dt%H%M%S')}-{secrets.token_hex(3)}"


def runs(project: str) -> str:
    return f"{project}/runs"


def run(project: str, tag: str) -> str:
    return f"{runs(project)}/{tag}"


def step(project: str, tag: str, name: str) -> str:
    return f"{run(project, tag)}/{name}"


def trial(project: str, tag: str, name: str, number: int) -> str:
    return f"{step(project, tag, name)}/trials/{number:04d}"


def cached(project: str, key: str) -> str:
    """What tells in which run a step with this fingerprint was done."""
    return f"{project}/cache/{key}.json"


def searched(project: str, key: str) -> str:
    """What tells in which run a search with this fingerprint began, and which run went on with it last."""
    return f"{project}/cache/search-{key}.json"


def owner(project: str) -> str:
    """Where the project of this name is run from."""
    return f"{project}/owner.yaml"


def suites(project: str, name: str) -> str:
    """What each version of a suite held when it was first scored: `<version>.yaml`."""
    return f"{project}/suites/{name}"


def code(project: str, digest: str) -> str:
    """The project's source files as a run found them."""
    return f"{project}/code/{digest.removeprefix('sha256:')}"


def asked(project: str, tag: str, what: str) -> str:
    """What a waiting run says of whom it waits for."""
    return f"{run(project, tag)}/{what}/asked.yaml"


def decision(project: str, tag: str, what: str) -> str:
    """What a person decided of a waiting run: `approve` or `label`."""
    return f"{run(project, tag)}/{what}/decision.yaml"
