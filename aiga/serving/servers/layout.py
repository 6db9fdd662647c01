"""The folder that a model server is pointed at: what it serves, verified, with MLServer's settings."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiga.errors import UserError
from aiga.registry import Resolved, lay_out
from aiga.registry.formats import Format
from aiga.registry.layouts import SETTINGS_FILE
from aiga.serving.servers.environment import REQUIREMENTS, Needs
from aiga.spec.base import Scalar, is_function
from aiga.spec.serve import Server
from aiga.store import Progress

ONNX = "aiga.serving.runtimes.onnx.OnnxModel"
CLASS = "aiga.serving.runtimes.wrapped.WrappedClass"
_ELSEWHERE: tuple[Server, ...] = ("tensorflow", "triton")
"""Servers of a cluster, in whose place the ONNX runtime stands here, under the same names and protocols."""
_PICKLED_WITH = ("scikit-learn", "numpy")
"""Packages without whose versions a pickled model may be read wrongly."""


@dataclass(frozen=True)
class Served:
    """One model or class of a server."""

    name: str
    """That clients use: the model's, or the graph node's."""
    server: Server = "onnx"
    model: Path | None = None
    """Its file or folder, verified; None for a class that needs none."""
    format: Format | None = None
    version: str = ""
    """Of the registry."""
    packages: Mapping[str, str] = field(default_factory=dict)
    """What it was trained with."""
    run: str | None = None
    """`module:Class` of the project's folder."""
    parameters: Mapping[str, Scalar] = field(default_factory=dict)
    """Arguments of the class."""


@dataclass(frozen=True)
class Laid:
    """A folder ready to be served."""

    folder: Path
    models: tuple[str, ...]
    needs: Needs
    """Of the environment that serves it."""


def fetch(
    name: str,
    server: Server,
    found: Resolved,
    folder: Path,
    *,
    run: str | None = None,
    parameters: Mapping[str, Scalar] | None = None,
    progress: Progress | None = None,
) -> Served:
    """A registered model, brought to `folder` with its signature and digest verified.

    Raises:
        Missing: it is not in the store.
        Untrusted: its signature is wrong or of no trusted key.
        Corrupt: it is not what was signed.
    """
    path = found.registry.fetch(found.version, folder, progress)
    evidence = found.evidence
    return Served(
        name, server, path, evidence.format, str(found.version), evidence.packages, run, dict(parameters or {})
    )


def arrange(models: Sequence[Served], folder: Path, project: Path, *, allow_pickle: bool = False) -> Laid:
    """Lays out what one server process holds.

    Args:
        models: each with a name of its own.
        folder: empty, or not there yet.
        project: where classes are imported from, and their requirements.
        allow_pickle: whether formats are served whose loading runs code that they hold.

    Raises:
        UserError: something of it cannot be served; all that is wrong at once.
    """
    mistakes: list[str] = []
    needs = Needs()
    for served in models:
        try:
            needs |= _one(served, folder / served.name, project, allow_pickle)
        except UserError as error:
            mistakes.append(str(error))
    if mistakes:
        raise UserError("\n".join(mistakes))
    return Laid(folder, tuple(served.name for served in models), needs)


def _one(served: Served, folder: Path, project: Path, allow_pickle: bool) -> Needs:
    if served.run is not None or served.server == "custom":
        return _class(served, folder, project, allow_pickle)
    if served.model is None or served.format is None:
        raise UserError(f"model {served.name}: there is none to serve (give serve.model, or run the project)")
    server = _stand_in(served)
    lay_out(served.model, served.format, server, served.name, folder, allow_pickle=allow_pickle)
    if server == "onnx":
        threads = {key: value for key, value in served.parameters.items() if key == "threads"}
        _write(folder, served, ONNX, uri=".", extra=threads)
        return Needs(frozenset({server}))
    said = json.loads((folder / SETTINGS_FILE).read_text())
    _write(folder, served, said["implementation"], **said["parameters"])
    if server == "mlflow":
        own = folder / "model" / REQUIREMENTS
        return Needs(frozenset({server}), (own,) if own.is_file() else ())
    pinned = {name: served.packages[name] for name in _PICKLED_WITH if name in served.packages}
    return Needs(frozenset({server}), packages=pinned if server == "sklearn" else {})


def _stand_in(served: Served) -> Server:
    """The server that runs here."""
    if served.server not in _ELSEWHERE:
        return served.server
    if served.format != "onnx":
        raise UserError(
            f"model {served.name}: server {served.server} does not run on this machine, where ONNX Runtime stands in "
            f"its place, and that does not serve {served.format} (export the model to ONNX, or serve it on a cluster)"
        )
    return "onnx"


def _class(served: Served, folder: Path, project: Path, allow_pickle: bool) -> Needs:
    if served.run is None or not is_function(served.run):
        given = f"got {served.run!r}" if served.run else "it is missing"
        raise UserError(f"serve.run: {served.name}: must be module:Class of the project's folder, {given}")
    folder.mkdir(parents=True, exist_ok=True)
    extra: dict[str, Any] = {
        "run": served.run,
        "source": str(project.resolve()),
        "parameters": dict(served.parameters),
    }
    if served.model is not None:
        model = lay_out(
            served.model, served.format or "other", "custom", served.name, folder / "model", allow_pickle=allow_pickle
        )
        extra["model"] = str(model.resolve())
    _write(folder, served, CLASS, extra=extra)
    requirements = project / REQUIREMENTS
    return Needs(frozenset({"custom"}), (requirements,) if requirements.is_file() else ())


def _write(folder: Path, served: Served, implementation: str, **parameters: Any) -> None:
    if served.version:
        parameters["version"] = served.version
    said = {"name": served.name, "implementation": implementation, "parameters": parameters}
    (folder / SETTINGS_FILE).write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")
