"""Custom resource definitions of the stand-ins: the true ones where they are at hand, open ones otherwise."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from kube.yaml import load_all
from simulator.standins.table import Table

ROOT = Path(__file__).resolve().parents[2]
_API = "apiextensions.k8s.io/v1"
_ANYTHING = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_WHOLE = {**_ANYTHING, "x-kubernetes-map-type": "atomic"}
_ATOMIC = {
    "type": "object",
    "required": ["metadata", "spec"],
    "properties": {"metadata": {"type": "object"}, "spec": _WHOLE, "status": _WHOLE},
}
"""What upstream itself installs where the full schema is too large: a spec of anything, replaced as a whole."""

REMEDY = "no true CRD schemas here: `make vendor` fetches them, or AIGA_CRDS=<folder of CRD files> make test"
"""What a test says that is skipped without them."""


def folder() -> Path | None:
    """Where true definitions are: `$AIGA_CRDS`, else `../shared/crds`, else `vendor/crds`. No other place looks."""
    named = os.environ.get("AIGA_CRDS")
    if named:
        return Path(named)
    candidates = (ROOT.parent / "shared" / "crds", ROOT / "vendor" / "crds")
    return next((path for path in candidates if path.is_dir()), None)


class Known:
    """The true definitions of a folder, each file read once; none when there is no folder."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._read: dict[tuple[str, frozenset[str]], dict[str, dict[str, Any]]] = {}

    def specs(self, source: str, wanted: AbstractSet[str]) -> dict[str, dict[str, Any]]:
        """The specs of the wanted definitions, by name, out of `<source>-<version>.yaml`."""
        key = source, frozenset(wanted)
        if key not in self._read:
            found = [o for text in self._documents(source, wanted) for o in load_all(text)]
            self._read[key] = {o["metadata"]["name"]: o["spec"] for o in found if o["metadata"]["name"] in wanted}
        return self._read[key]

    def _documents(self, source: str, wanted: AbstractSet[str]) -> Iterator[str]:
        """The texts of the wanted ones only: the others are large and would be parsed for nothing."""
        for path in sorted(self._folder.glob(f"{source}-[0-9]*.yaml")) if self._folder else ():
            for document in path.read_text().split("\n---"):
                if any(f"  name: {name}\n" in document[:2000] for name in wanted):
                    yield document


def definitions(table: Table, known: Known) -> Iterator[tuple[Mapping[str, Any], dict[str, Any]]]:
    """Each definition of a table with the group it stands in, which says when and where it is installed."""
    sources: dict[str, set[str]] = {}
    for group in table.crds:
        sources.setdefault(group["source"], set()).update(set(group["kinds"]) - set(group.get("minimal", ())))
    for group in table.crds:
        true = known.specs(group["source"], sources[group["source"]])
        for name, short in group["kinds"].items():
            facts, labels = (short["is"], short["labels"]) if isinstance(short, Mapping) else (short, {})
            minimal = name in group.get("minimal", ())
            spec = true.get(name) or _open(name, facts, _ATOMIC if minimal else _ANYTHING)
            if name in group.get("conversion", {}):
                spec = {**spec, "conversion": group["conversion"][name]}
            schema = "true" if name in true else "minimal" if minimal else "open"
            metadata = {"name": name, **_marks(table, group, labels, schema)}
            yield group, {"apiVersion": _API, "kind": "CustomResourceDefinition", "metadata": metadata, "spec": spec}


def _marks(table: Table, group: Mapping[str, Any], labels: Mapping[str, str], schema: str) -> dict[str, Any]:
    common = table.labels if group.get("labelled", True) else {}
    own = {key: value for key, value in common.items() if "${" not in value}
    return {
        "labels": {**own, **group.get("labels", {}), **labels, "aiga.dev/simulated": "true"},
        "annotations": {**group.get("annotations", {}), "aiga.dev/stand-in": table.stem, "aiga.dev/schema": schema},
    }


def _open(name: str, facts: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """A definition out of its kind, its versions (`*` the stored one, `!` one without status) and what is unusual."""
    kind, versions, *flags = facts.split()
    plural, _, group = name.partition(".")
    short = [flag.removeprefix("short=") for flag in flags if flag.startswith("short=")]
    return {
        "group": group,
        "names": {
            "kind": kind,
            "listKind": f"{kind}List",
            "plural": plural,
            "singular": kind.lower(),
            **({"shortNames": short[0].split(",")} if short else {}),
        },
        "scope": "Cluster" if "cluster" in flags else "Namespaced",
        "versions": [_version(version, schema) for version in versions.split(",")],
    }


def _version(version: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": version.rstrip("*!"),
        "served": True,
        "storage": "*" in version,
        "schema": {"openAPIV3Schema": schema},
        **({} if "!" in version else {"subresources": {"status": {}}}),
    }
