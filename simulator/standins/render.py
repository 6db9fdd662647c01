"""Renders a chart as the program does, for comparing stand-ins with the real charts."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from kube import charts
from kube.yaml import load_all
from simulator.standins.output import StandinError
from simulator.standins.table import Table, tables
from tools import ToolError, ensure

KUBE_VERSION = "1.36.3"


def objects(root: Path, table: Table, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The objects of one entry below `root` (stand-ins or `vendor/`); values are of charts only.

    Raises:
        StandinError: the entry is not there, helm is not, or helm refuses the chart.
    """
    path = where(root, table)
    if not path.exists():
        raise StandinError(f"{path}: no such {table.kind}")
    if table.kind == "manifest":
        return load_all(path.read_text())
    namespace, _, release = table.release.partition("/")
    flags = charts.flags(namespace, KUBE_VERSION)
    run = subprocess.run(
        [str(_helm()), "template", release, str(path), *flags, "--values", "-"],
        input=json.dumps(values), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if run.returncode:
        raise StandinError(f"{path} does not render: {run.stderr.strip()}")
    return load_all(run.stdout)


def where(root: Path, table: Table) -> Path:
    """Where an entry is below `root`, or would be: a chart as a folder or as the archive that `make vendor` fetches."""
    if table.kind == "manifest":
        return root / "manifests" / f"{table.stem}.yaml"
    folder = root / "charts" / table.stem
    archive = folder.with_name(f"{table.stem}.tgz")
    return archive if archive.is_file() and not folder.is_dir() else folder


def missing(root: Path) -> list[Table]:
    """The entries that are not below `root`."""
    return [table for table in tables() if not where(root, table).exists()]


@cache
def _helm() -> Path:
    try:
        return ensure(["helm"])["helm"]
    except ToolError as error:
        raise StandinError(str(error)) from error


def profiles(folder: Path, table: Table) -> Iterator[tuple[str, dict[str, Any]]]:
    """The values of each profile, out of the program's `<chart>.yaml`; none where it has none."""
    path = folder / f"{table.name}.yaml"
    if table.kind == "chart" and path.is_file():
        sections = yaml.safe_load(path.read_text())
        for profile, names in charts.PROFILES.items():
            yield profile, charts.merged(*(sections[name] for name in names), table.adds)
