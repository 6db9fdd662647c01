"""The environment of a model server: made once for each content of its requirements, by uv where present.

What a project or a model needs comes before what aiga pins, except for the server itself, whose versions are the only
ones that work together.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiga
from aiga.errors import TransientError, UserError
from aiga.spec.serve import Server

_HERE = Path(__file__).resolve().parent.parent
REQUIREMENTS, CONSTRAINTS = "requirements.txt", "constraints.txt"
_READY = ".ready"
_RANGE = ((3, 11), (3, 12))
"""Versions of Python that MLServer works with."""
_KEPT = ("mlserver", "fastapi", "uvloop", "httptools", "orjson")
_REPLACED = ("seldon-core",)
"""Cannot be installed beside MLServer; `aiga.serving.runtimes.seldon_core` stands in for what classes use of it."""
_FILES: Mapping[Server, str] = {server: f"requirements-{server}.txt" for server in ("sklearn", "xgboost", "mlflow")}
Say = Callable[[str], None]


@dataclass(frozen=True)
class Needs:
    """What an environment is made of besides the server."""

    servers: frozenset[Server] = frozenset()
    files: tuple[Path, ...] = ()
    """Requirements of a project or a model."""
    packages: Mapping[str, str] = field(default_factory=dict)
    """Exact versions by name, such as that of the scikit-learn which pickled a model."""

    def __or__(self, other: Needs) -> Needs:
        return Needs(
            self.servers | other.servers,
            tuple(dict.fromkeys((*self.files, *other.files))),
            {**self.packages, **other.packages},
        )


def folder_of_all() -> Path:
    """Where environments are kept; $AIGA_ENVIRONMENTS moves it."""
    given = os.environ.get("AIGA_ENVIRONMENTS")
    return Path(given) if given else Path.home() / ".cache" / "aiga" / "environments"


def lines(needs: Needs) -> tuple[list[str], list[str]]:
    """The requirements and the constraints that pip is given.

    Raises:
        UserError: a file of requirements cannot be read.
    """
    theirs = [line for file in needs.files for line in _read(file)]
    theirs = [line for line in theirs if _name(line) not in (*_KEPT, *_REPLACED)]
    pinned = [f"{name}=={version}" for name, version in sorted(needs.packages.items())]
    own = {_name(line) for line in (*theirs, *pinned)} - {""}
    files = (REQUIREMENTS, *(_FILES[server] for server in sorted(needs.servers) if server in _FILES))
    ours = [line for file in files for line in _read(_HERE / file) if _name(line) not in own]
    named = {_name(line) for line in pinned}
    asked = [*ours, *pinned, *(line for line in theirs if _name(line) not in named)]
    bounds = [] if needs.files else [line for line in _read(_HERE / CONSTRAINTS) if _name(line) not in own]
    return asked, bounds


def target(needs: Needs) -> Path:
    """The environment's folder, whether or not it is made."""
    asked, bounds = lines(needs)
    text = "\n".join(["serving", *asked, "", *bounds])
    version = f"{sys.version_info[:2] if sys.version_info[:2] in _RANGE else _RANGE[-1]}"
    return folder_of_all() / hashlib.sha256(f"{version}\n{text}".encode()).hexdigest()[:16]


def made(needs: Needs) -> bool:
    """Whether nothing is left to install."""
    return (target(needs) / _READY).is_file()


def ensure(needs: Needs, say: Say) -> Path:
    """The interpreter that the server runs with.

    Raises:
        UserError: there is no Python that MLServer works with, or a requirement cannot be satisfied.
        TransientError: the package index did not answer.
    """
    folder = target(needs)
    python = folder / "bin" / "python"
    if (folder / _READY).is_file():
        return python
    with _alone(folder):
        if not (folder / _READY).is_file():
            what = ", ".join(sorted(needs.servers)) or "onnx"
            say(f"environment: the model server ({what}) is installed into {folder} (once)")
            shutil.rmtree(folder, ignore_errors=True)
            try:
                _install(needs, folder)
                _link_aiga(folder)
                (folder / _READY).touch()
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
    return python


def _install(needs: Needs, folder: Path) -> None:
    python, uv = str(folder / "bin" / "python"), _uv()
    base = _interpreter(uv)
    if uv:
        create = [uv, "venv", "--quiet", "--python", base, str(folder)]
        install = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python]
    else:
        create = [base, "-m", "venv", str(folder)]
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run(create, needs)
    asked, bounds = lines(needs)
    files = {REQUIREMENTS: asked, CONSTRAINTS: bounds}
    for name, content in files.items():
        (folder / name).write_text("\n".join(content) + "\n")
    _run([*install, "-r", str(folder / REQUIREMENTS), "-c", str(folder / CONSTRAINTS)], needs)


def _uv() -> str | None:
    """uv, if it runs: what is on PATH may be a stand-in for one that is not installed."""
    found = shutil.which("uv")
    return found if found and _answers([found, "--version"]) else None


def _interpreter(uv: str | None) -> str:
    """A Python that MLServer works with: this one, one on PATH, or one that uv finds or fetches."""
    if sys.version_info[:2] in _RANGE:
        return sys.executable
    for version in reversed(_RANGE):
        found = shutil.which(f"python{version[0]}.{version[1]}")
        if found and _answers([found, "--version"]):
            return found
    if uv:
        return ".".join(map(str, _RANGE[-1]))
    raise UserError(
        f"serve: MLServer needs Python 3.11 or 3.12, this is {sys.version_info[0]}.{sys.version_info[1]} and none is "
        "on PATH (install one, or uv, which brings its own)"
    )


def _answers(command: Sequence[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _run(command: list[str], needs: Needs) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        _refuse(needs, done.stderr.strip() or done.stdout.strip())


def _refuse(needs: Needs, output: str) -> None:
    reason = " ".join(output.split())[-400:]
    network = ("connection", "timed out", "name resolution", "dns error", "temporarily", "network")
    if any(word in reason.lower() for word in network):
        raise TransientError(f"environment of the model server: the package index cannot be reached: {reason} (again)")
    where = ", ".join(map(str, needs.files)) or "environment of the model server"
    raise UserError(f"{where}: cannot be installed beside MLServer: {reason} (choose versions that go together)")


def _read(file: Path) -> list[str]:
    """Lines that say something. Options with a relative path, such as `-r more.txt`, are made absolute."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror}") from error
    said = (re.sub(r"(^|\s)#.*", "", line).strip() for line in text.splitlines())
    return list(_absolute((line for line in said if line), file.parent))


def _absolute(said: Iterable[str], folder: Path) -> Iterator[str]:
    for line in said:
        option = re.fullmatch(r"(-r|--requirement|-c|--constraint)[ =]*(\S+)", line)
        if option and "://" not in option[2]:
            yield f"{option[1]} {(folder / option[2]).resolve()}"
        else:
            yield line


def _name(line: str) -> str:
    """The normalised name of the package that a line asks for; empty for an option."""
    found = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", line)
    return re.sub(r"[._-]+", "-", found[0]).lower() if found else ""


def _link_aiga(folder: Path) -> None:
    """Lets the environment import `aiga`, and nothing else of where `aiga` is installed."""
    library = folder / "aiga-only"
    library.mkdir()
    (library / "aiga").symlink_to(Path(aiga.__file__).resolve().parent, target_is_directory=True)
    packages = next((folder / "lib").glob("python*/site-packages"))
    (packages / "aiga-only.pth").write_text(f"{library}\n")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time makes an environment; the lock of a killed one is gone with it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
