"""What `vendor/` gives simulator and tests: the true definitions, and a whole set of charts where it has a few."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kube.yaml import dump
from simulator.standins import render
from simulator.standins.crds import ROOT
from simulator.standins.output import DIGEST, StandinError, build, renewed
from simulator.standins.table import Table, tables

RECORD = "digests.yaml"
"""What the program found its vendored entries to be at first use."""


def completed(home: Path, vendor: Path, crds: Path | None = None) -> Path:
    """A folder to be used in place of `vendor`, in which stand-ins are there for whatever `vendor` has not.

    Args:
        home: where generated files go: the stand-ins, and links to both kinds where both are needed.
        vendor: the folder of real charts and manifests; it need not be there.
        crds: as of `build`.
    """
    absent = render.missing(vendor)
    if not absent:
        return vendor
    made = build(home / "standins", crds)
    if len(absent) == len(tables()):
        return made
    links = [_link(made if table in absent else vendor, table) for table in tables()]
    record = vendor / RECORD
    known = record.read_text() if record.is_file() else ""

    def make(fresh: Path) -> None:
        for name, target in links:
            link = fresh / name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(target)
        (fresh / RECORD).write_text(known)

    parts = [(made / DIGEST).read_text(), known, *(f"{name} {target}" for name, target in links)]
    return renewed(home / "cache" / "vendor", hashlib.sha256("\n".join(parts).encode()).hexdigest(), make)


def label(vendor: Path) -> str:
    """Which charts a program that looks in `vendor`, then among the stand-ins, renders."""
    absent = [table.stem for table in render.missing(vendor)]
    if not absent:
        return "real charts"
    if len(absent) == len(tables()):
        return "stand-in charts"
    return f"real charts, stand-ins for {', '.join(absent)}"


def _link(root: Path, table: Table) -> tuple[str, Path]:
    path = render.where(root, table).absolute()
    return f"{table.kind}s/{path.name}", path


def extract(vendor: Path) -> Path:
    """Writes the definitions that the real charts and manifests bring to `<vendor>/crds/<source>-<version>.yaml`.

    All of them or none: a folder with a few would be taken for what there is.

    Raises:
        StandinError: an entry with definitions is not in `vendor`, or does not bring one that it should.
    """
    bringing = [table for table in tables() if table.crds]
    absent = [table.stem for table in bringing if not render.where(vendor, table).exists()]
    if absent:
        raise StandinError(f"{vendor / 'crds'}: not written, for {vendor} has no {', '.join(absent)} (`make vendor`)")
    files: dict[str, dict[str, dict[str, Any]]] = {}
    wanted: set[str] = set()
    for table in bringing:
        source = table.crds[0]["source"]
        version = (table.app_version or table.version).removeprefix("v")
        files.setdefault(f"{source}-{version}.yaml", {}).update(_definitions(vendor, table))
        wanted |= {name for group in table.crds for name in group["kinds"]}
    lacking = wanted - {name for found in files.values() for name in found}
    if lacking:
        raise StandinError(f"{vendor / 'crds'}: not written, for no chart brings {', '.join(sorted(lacking))}")

    def make(fresh: Path) -> None:
        fresh.mkdir()
        for name, found in files.items():
            (fresh / name).write_text(dump([found[each] for each in sorted(found)]))

    digest = hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()
    return renewed(vendor / "crds", digest, make)


def _definitions(vendor: Path, table: Table) -> Iterator[tuple[str, dict[str, Any]]]:
    """As the chart comes, else as the program installs it: each of the two may leave definitions to somebody else."""
    profiles = dict(render.profiles(ROOT / "components" / "values", table))
    for values in (profiles.get("laptop", {}), {}):
        for o in render.objects(vendor, table, values):
            if o["kind"] == "CustomResourceDefinition":
                name = o["metadata"]["name"]
                # Schemas alone: a webhook that converts is the chart's, and is not there where only they are wanted.
                spec = {key: value for key, value in o["spec"].items() if key != "conversion"}
                yield name, {"apiVersion": o["apiVersion"], "kind": o["kind"], "metadata": {"name": name}, "spec": spec}
