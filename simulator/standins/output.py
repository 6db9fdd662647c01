"""Writes the stand-ins as a folder that can be used in place of `vendor/`."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kube.charts import content_digest, file_digest
from kube.yaml import dump
from simulator.standins import crds as definitions
from simulator.standins import expand, template
from simulator.standins.expressions import expression
from simulator.standins.table import FOLDER, Table, tables

_HERE = Path(__file__).parent
DIGEST = ".inputs.sha256"
LOCK = "upstream.lock.yaml"


class StandinError(Exception):
    """The stand-ins cannot be built or compared, with the reason in one line."""


def build(out: Path, crds: Path | None = None) -> Path:
    """Builds all stand-ins below `out`, unless it already holds those of the same inputs.

    Args:
        out: becomes `charts/<name>-<version>/`, `manifests/<name>-<version>.yaml` and the lock with their digests.
        crds: a folder of true definitions; without it every definition takes any content.

    Raises:
        StandinError: the folder of true definitions does not exist.
    """
    if crds is not None and not crds.is_dir():
        raise StandinError(f"{crds}: no such folder of custom resource definitions (unset AIGA_CRDS, or correct it)")
    return renewed(out, _inputs(crds), lambda fresh: write(fresh, crds))


def renewed(out: Path, digest: str, make: Callable[[Path], None]) -> Path:
    """The folder that `make` fills, whole or as it was; made only when what it depends on, by digest, has changed."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with _alone(out):
        if not _is_current(out, digest):
            fresh, old = out.with_name(f"{out.name}.new"), out.with_name(f"{out.name}.old")
            _remove(fresh, old)
            make(fresh)
            (fresh / DIGEST).write_text(digest)
            if out.exists():
                out.rename(old)
            fresh.rename(out)
            _remove(old)
    return out


def write(out: Path, crds: Path | None) -> None:
    """Writes every stand-in and their lock."""
    digests = {}
    known = definitions.Known(crds)
    for table in tables():
        path = _chart(out, table, known) if table.kind == "chart" else _manifest(out, table, known)
        digests[table.stem] = content_digest(path)
    lines = [f"{stem}: {digest}\n" for stem, digest in sorted(digests.items())]
    (out / LOCK).write_text("# Digests of the stand-ins in this folder, generated with them.\n" + "".join(lines))


def _chart(out: Path, table: Table, known: definitions.Known) -> Path:
    root = out / "charts" / table.stem
    guards = []
    for group, definition in definitions.definitions(table, known):
        name = definition["metadata"]["name"]
        static = group.get("static", False)
        file = root / ("crds" if static else "files/crds") / f"{name}.{'yaml' if static else 'json'}"
        _write(file, json.dumps(definition, separators=(",", ":")))
        if not static:
            guards.append(_include(f"files/crds/{name}.json", group.get("when")))
    _write(root / "Chart.yaml", _yaml(_about(table)))
    _write(root / "values.yaml", _yaml(dict(table.values)))
    _write(root / "templates" / "_standin.tpl", (_HERE / "standin.tpl").read_text())
    helpers = FOLDER / f"{table.name}.tpl"
    if helpers.is_file():
        _write(root / "templates" / "_helpers.tpl", helpers.read_text())
    if guards:
        _write(root / "templates" / "crds.yaml", "\n".join(guards) + "\n")
    _write(root / "templates" / "objects.yaml", template.text(expand.objects(table)))
    return root


def _manifest(out: Path, table: Table, known: definitions.Known) -> Path:
    objects = [definition for _, definition in definitions.definitions(table, known)] + expand.objects(table)
    path = out / "manifests" / f"{table.stem}.yaml"
    _write(path, dump(objects))
    return path


def _about(table: Table) -> dict[str, Any]:
    about = {
        "apiVersion": "v2",
        "name": table.name,
        "version": table.version,
        "appVersion": table.app_version,
        "description": f"Stand-in for the chart {table.stem}: its objects by name, for a cluster with simulated nodes.",
        "annotations": {"aiga.dev/simulated": "true"},
    }
    return {**about, "kubeVersion": table.kube_version} if table.kube_version else about


def _include(file: str, when: str | None) -> str:
    document = f'---\n{{{{ .Files.Get "{file}" }}}}'
    return f"{{{{- if {expression(when)} }}}}\n{document}\n{{{{- end }}}}" if when else document


def _inputs(crds: Path | None) -> str:
    """The digest of all that the result depends on: this package and the true definitions."""
    own = [p for p in _HERE.rglob("*") if p.suffix in {".py", ".tpl", ".yaml"}]
    total = hashlib.sha256()
    for base, files in ((_HERE, own), (crds, list(crds.glob("*.yaml")) if crds else [])):
        for file in sorted(files):
            total.update(f"{file.relative_to(base or _HERE).as_posix()}\0{file_digest(file)}\n".encode())
    return total.hexdigest()


def _is_current(out: Path, digest: str) -> bool:
    record = out / DIGEST
    return record.is_file() and record.read_text() == digest


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """One builder at a time for one folder; the lock goes with the process that holds it."""
    with out.with_name(f".{out.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _remove(*paths: Path) -> None:
    for path in paths:
        if path.exists():
            shutil.rmtree(path)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.chmod(path, 0o644)


def _yaml(value: dict[str, Any]) -> str:
    return dump([value])
