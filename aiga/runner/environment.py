"""The virtual environment of a project: made once for each content of its `requirements.txt`, by uv where present."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import aiga
from aiga.errors import TransientError, UserError

REQUIREMENTS = "requirements.txt"
NEEDED = "PyYAML==6.0.3"
"""What the step wrapper needs beside the standard library."""
_READY = ".ready"


def folder_of_all() -> Path:
    """Where environments are kept; $AIGA_ENVIRONMENTS moves it."""
    given = os.environ.get("AIGA_ENVIRONMENTS")
    return Path(given) if given else Path.home() / ".cache" / "aiga" / "environments"


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
    file = project / REQUIREMENTS
    if not file.is_file():
        return Path(sys.executable)
    target = folder_of_all() / digest(project)[:16]
    python = target / "bin" / "python"
    if (target / _READY).is_file():
        return python
    with _alone(target):
        if not (target / _READY).is_file():
            say(f"environment: {file} is installed into {target} (once for each content of the file)")
            shutil.rmtree(target, ignore_errors=True)
            _install(file, target)
            _link_aiga(target)
            (target / _READY).touch()
    return python


def _install(file: Path, target: Path) -> None:
    python = str(target / "bin" / "python")
    uv = shutil.which("uv")
    if uv:
        create = [uv, "venv", "--quiet", "--python", sys.executable, str(target)]
        install = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, NEEDED, "-r", str(file)]
    else:
        create = [sys.executable, "-m", "venv", str(target)]
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", NEEDED, "-r", str(file)]
    for command in (create, install):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            shutil.rmtree(target, ignore_errors=True)
            _refuse(file, done.stderr.strip() or done.stdout.strip())


def _refuse(file: Path, output: str) -> None:
    reason = " ".join(output.split())[-400:]
    network = ("connection", "timed out", "name resolution", "dns error", "temporarily", "network")
    if any(word in reason.lower() for word in network):
        raise TransientError(f"{file}: the package index could not be reached: {reason} (run again)")
    raise UserError(f"{file}: its packages cannot be installed together: {reason} (correct the file)")


def _link_aiga(target: Path) -> None:
    """Lets the environment import `aiga`, and nothing else of where `aiga` is installed."""
    library = target / "aiga-only"
    library.mkdir()
    (library / "aiga").symlink_to(Path(aiga.__file__).resolve().parent, target_is_directory=True)
    packages = next((target / "lib").glob("python*/site-packages"))
    (packages / "aiga-only.pth").write_text(f"{library}\n")


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """One process at a time makes an environment; the lock of a killed one is gone with it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
