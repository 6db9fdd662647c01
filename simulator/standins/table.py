"""Reads the tables: one file for each upstream chart or manifest, facts about its objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from kube.yaml import load

FOLDER = Path(__file__).with_name("tables")


@dataclass(frozen=True, kw_only=True)
class Table:
    """What stands in for one upstream entry."""

    kind: Literal["chart", "manifest"] = "chart"
    name: str
    version: str
    app_version: str = ""
    kube_version: str = ""
    namespace: str = "${@namespace}"
    """What upstream writes into `metadata.namespace`; empty where it leaves that to the installer."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """On every object, beside its own."""
    crds: Sequence[Mapping[str, Any]] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    objects: Sequence[Mapping[str, Any]] = ()
    release: str = ""
    """`namespace/name` it is installed as, for comparing it with upstream's."""
    adds: Mapping[str, Any] = field(default_factory=dict)
    """Values that the program's layer gives beside the profile's, where comparing needs them."""
    omits: Sequence[str] = ()
    """Objects that upstream has and the stand-in has not, as `Kind/namespace/name`: the only ones that may miss."""

    @property
    def stem(self) -> str:
        return f"{self.name}-{self.version}"


def read(path: Path) -> Table:
    """One table, with its `parts`. Keys that begin with `x-` hold only anchors."""
    raw = {key: value for key, value in load(path.read_text()).items() if not key.startswith("x-")}
    for part in raw.pop("parts", []):
        more = load((path.parent / "parts" / part).read_text())
        raw["objects"] = [*raw.get("objects", []), *more.get("objects", [])]
        raw["values"] = {**raw.get("values", {}), **more.get("values", {})}
    return Table(**raw)


@cache
def tables() -> tuple[Table, ...]:
    """All tables, by name."""
    return tuple(read(path) for path in sorted(FOLDER.glob("*.yaml")))


def table(name: str) -> Table:
    return next(t for t in tables() if t.name == name)
