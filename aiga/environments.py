"""Cached virtual environments: one for each content of their requirements, made by uv where it is there.

$AIGA_ENVIRONMENTS is where they are kept, ~/.cache/aiga/environments otherwise.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import aiga
from aiga.errors import TransientError, UserError

NETWORK = ("connection", "timed out", "name resolution", "dns error", "temporarily", "network")
"""Words of an installer's message that tell of the package index, not of the requirements."""
_READY = ".ready"


def folder_of_all() -> Path:
    """Where environments are kept."""
    given = os.environ.get("AIGA_ENVIRONMENTS")
    return Path(given) if given else Path.home() / ".cache" / "aiga" / "environments"


@dataclass(frozen=True)
class Environment:
    """One environment, made or not."""

    digest: str
    """Of all that it is made of."""
    what: str
    """For people: `requirements.txt of digits`."""

    @property
    def folder(self) -> Path:
        return folder_of_all() / self.digest[:16]

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def made(self) -> bool:
        """Whether nothing is left to install, and the Python that it was built on is still there."""
        return (self.folder / _READY).is_file() and self.python.exists()

    def ensure(
        self, base: Callable[[], str], arguments: Callable[[Path], Sequence[str]], say: Callable[[str], None]
    ) -> Path:
        """The environment's interpreter, installed now where it was not.

        Args:
            base: finds the Python to build on: a path, or a version for uv.
            arguments: what the installer is given after `install`, from the environment's folder.
            say: tells a person that it takes a moment.

        Raises:
            UserError: a requirement cannot be satisfied.
            TransientError: the package index did not answer.
        """
        if self.made:
            return self.python
        with self._alone():
            if not self.made:
                say(f"environment: {self.what} is installed into {self.folder} (once for each content)")
                shutil.rmtree(self.folder, ignore_errors=True)
                try:
                    self._install(base(), arguments)
                    (self.folder / _READY).touch()
                except BaseException:
                    shutil.rmtree(self.folder, ignore_errors=True)
                    raise
        return self.python

    def _install(self, base: str, arguments: Callable[[Path], Sequence[str]]) -> None:
        tool = uv()
        if tool:
            create = [tool, "venv", "--quiet", "--python", base, str(self.folder)]
            install = [tool, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(self.python)]
        else:
            create = [base, "-m", "venv", str(self.folder)]
            install = [str(self.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        self._run(create)
        self._run([*install, *arguments(self.folder)])

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        reason = " ".join((done.stderr.strip() or done.stdout.strip()).split())[-400:]
        if any(word in reason.lower() for word in NETWORK):
            raise TransientError(f"{self.what}: the package index could not be reached: {reason} (run again)")
        raise UserError(f"{self.what}: cannot be installed: {reason} (choose versions that go together)")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One process at a time makes an environment; the lock of a killed one is gone with it."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with open(self.folder.with_suffix(".lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def with_aiga(inherited: Mapping[str, str]) -> dict[str, str]:
    """Variables with which an environment's Python imports this very `aiga`, and nothing else of where it is installed.

    Nothing of the kind is kept in the environment itself: that is there for every copy of `aiga`, and outlives them.
    """
    package = Path(aiga.__file__).resolve().parent
    library = folder_of_all() / f"aiga-{hashlib.sha256(bytes(package)).hexdigest()[:16]}"
    library.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        (library / package.name).symlink_to(package, target_is_directory=True)
    paths = [str(library), *filter(None, [inherited.get("PYTHONPATH")])]
    return {**inherited, "PYTHONPATH": os.pathsep.join(paths)}


def uv() -> str | None:
    """uv, if it runs: what is on PATH may be a stand-in for one that is not installed."""
    found = shutil.which("uv")
    return found if found and answers([found, "--version"]) else None


def answers(command: Sequence[str]) -> bool:
    """Whether a command can be run and ends well."""
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
