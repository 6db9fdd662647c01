"""The environment of a model server: made once for each content of its requirements, by uv where present.

What a project or a model needs comes before what aiga pins, except for the server itself, whose versions are the only
ones that work together. What nobody names is as aiga pins it, unless that does not go together with what is needed.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aiga.environments import Environment, answers, uv
from aiga.errors import UserError
from aiga.spec.serve import Server

_HERE = Path(__file__).resolve().parent.parent
REQUIREMENTS, CONSTRAINTS = "requirements.txt", "constraints.txt"
_RANGE = ((3, 11), (3, 12))
"""Versions of Python that MLServer works with."""
_KEPT = ("mlserver", "fastapi", "uvloop", "httptools", "orjson")
_REPLACED = ("seldon-core",)
"""Cannot be installed beside MLServer; `aiga.serving.runtimes.seldon_core` stands in for what classes use of it."""
_FILES: Mapping[Server, str] = {server: f"requirements-{server}.txt" for server in ("sklearn", "xgboost", "mlflow")}
_OVERRIDES: Mapping[Server, str] = {"xgboost": "overrides-xgboost.txt"}
"""What is taken in place of requirements of packages, by uv; pip can only take all of them."""
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


def lines(needs: Needs, *, bounded: bool | None = None) -> tuple[list[str], list[str]]:
    """The requirements and the constraints that pip is given.

    Args:
        needs: what they are of.
        bounded: whether there are constraints; unless told, where no file may have requirements against them.

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
    if bounded is None:
        bounded = not needs.files
    bounds = [line for line in _read(_HERE / CONSTRAINTS) if _name(line) not in own] if bounded else []
    return asked, bounds


def of(needs: Needs) -> Environment:
    """The environment, made or not."""
    asked, bounds = lines(needs)
    text = "\n".join(["serving", *asked, "", *bounds, *(line for file in _overrides(needs) for line in _read(file))])
    version = f"{sys.version_info[:2] if sys.version_info[:2] in _RANGE else _RANGE[-1]}"
    servers = ", ".join(sorted(needs.servers)) or "onnx"
    files = "".join(f", {file}" for file in needs.files)
    digest = hashlib.sha256(f"{version}\n{text}".encode()).hexdigest()
    return Environment(digest, f"the model server ({servers}{files})")


def ensure(needs: Needs, say: Say) -> Path:
    """The interpreter that the server runs with.

    Raises:
        UserError: there is no Python that MLServer works with, or a requirement cannot be satisfied.
        TransientError: the package index did not answer.
    """
    environment = of(needs)
    if needs.files:
        try:
            return environment.ensure(_interpreter, lambda folder: _arguments(needs, folder, bounded=True), say)
        except UserError:
            say("environment: without the versions that aiga pins, with which these requirements do not go together")
    return environment.ensure(_interpreter, lambda folder: _arguments(needs, folder), say)


def _arguments(needs: Needs, folder: Path, *, bounded: bool | None = None) -> list[str]:
    """What the installer is given, written to files of the environment's folder."""
    asked, bounds = lines(needs, bounded=bounded)
    for name, content in {REQUIREMENTS: asked, CONSTRAINTS: bounds}.items():
        (folder / name).write_text("\n".join(content) + "\n")
    given = ["-r", str(folder / REQUIREMENTS), "-c", str(folder / CONSTRAINTS)]
    return given + [word for file in _overrides(needs) if uv() for word in ("--override", str(file))]


def _overrides(needs: Needs) -> list[Path]:
    return [_HERE / _OVERRIDES[server] for server in sorted(needs.servers) if server in _OVERRIDES]


def _interpreter() -> str:
    """A Python that MLServer works with: this one, one on PATH, or one that uv finds or fetches."""
    if sys.version_info[:2] in _RANGE:
        return sys.executable
    for version in reversed(_RANGE):
        found = shutil.which(f"python{version[0]}.{version[1]}")
        if found and answers([found, "--version"]):
            return found
    if uv():
        return ".".join(map(str, _RANGE[-1]))
    raise UserError(
        f"serve: MLServer needs Python 3.11 or 3.12, this is {sys.version_info[0]}.{sys.version_info[1]} and none is "
        "on PATH (install one, or uv, which brings its own)"
    )


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
