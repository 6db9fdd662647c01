"""The virtual environment of a project: made once for each content of its `requirements.txt`."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path

from aiga.environments import Environment

REQUIREMENTS = "requirements.txt"
NEEDED = "PyYAML==6.0.3"
"""What the step wrapper needs beside the standard library."""


def of(project: Path) -> Environment | None:
    """The environment of the project in a folder; None where it has no requirements."""
    file = project / REQUIREMENTS
    return Environment(digest(project), str(file)) if file.is_file() else None


def digest(project: Path) -> str:
    """Digest of what the environment is made of: requirements, and the version of Python."""
    file = project / REQUIREMENTS
    text = file.read_text() if file.is_file() else ""
    return hashlib.sha256(f"{sys.version_info[:2]}\n{NEEDED}\n{text}".encode()).hexdigest()


def ensure(project: Path, say: Callable[[str], None]) -> Path:
    """The interpreter that the project's steps run with; this one where the project has no requirements.

    Raises:
        UserError: a requirement cannot be satisfied.
        TransientError: the package index did not answer.
    """
    environment = of(project)
    if environment is None:
        return Path(sys.executable)
    arguments = [NEEDED, "-r", str(project / REQUIREMENTS)]
    return environment.ensure(lambda: sys.executable, lambda _: arguments, say)
