"""Custom resource definitions of the stand-ins: the true ones where they are at hand, open ones otherwise."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kube.yaml import load_all
from simulator.standins.table import Table

ROOT = Path(__file__).resolve().parents[2]
_ANYTHING = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def folder() -> Path | None:
    """Where true definitions are: `$AIGA_CRDS`, else `../shared/crds`, else `vendor/crds`."""
    named = os.environ.get("AIGA_CRDS")
    candidates = [Path(named)] if named else [ROOT.parent / "shared" / "crds", ROOT / "vendor" / "crds"]
    return next((path for path in candidates if path.is_dir()), None)


def definitions(table: Table, true: Path | None) -> Iterator[tuple[Mapping[str, Any], dict[str, Any]]]:
    """Each definition of a table with the group it stands in, which says when and where it is installed."""
    for group in table.crds:
        known = _true(true, group)
        for name, short in group["kinds"].items():
            facts, labels = (short["is"], short["labels"]) if isinstance(short, Mapping) else (short, {})
            spec = known.get(name) or _open(name, facts, group.get("conversion", {}).get(name))
            if name in group.get("minimal", ()):
                spec = _minimal(spec)
            yield group, _definition(table, group, name, spec, labels, opened=name not in known)


def _definition(
    table: Table, group: Mapping[str, Any], name: str, spec: dict[str, Any], labels: Mapping[str, str], *, opened: bool
) -> dict[str, Any]:
    own = {key: value for key, value in table.labels.items() if "${" not in value} if group.get("labelled", True) else {}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": name,
            "labels": {**own, **group.get("labels", {}), **labels, "aiga.dev/simulated": "true"},
            "annotations": {
                **group.get("annotations", {}),
                "aiga.dev/stand-in": table.stem,
                "aiga.dev/schema": "open" if opened else "true",
            },
        },
        "spec": spec,
    }


def _true(folder: Path | None, group: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The specs of the true definitions that this group may use, by name."""
    if folder is None:
        return {}
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob(f"{group['source']}-[0-9]*.yaml")):
        wanted = set(group["kinds"])
        for document in path.read_text().split("\n---"):
            if any(f"  name: {name}\n" in document[:2000] for name in wanted):
                found.update({o["metadata"]["name"]: o["spec"] for o in load_all(document)})
    return {name: spec for name, spec in found.items() if name in group["kinds"]}


def _open(name: str, facts: str, conversion: Mapping[str, Any] | None) -> dict[str, Any]:
    """A definition that takes any content: kind, versions (the stored one with a star), then what is unusual."""
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
        **({"conversion": dict(conversion)} if conversion else {}),
        "versions": [_version(version, status="stateless" not in flags) for version in versions.split(",")],
    }


def _version(version: str, *, status: bool) -> dict[str, Any]:
    return {
        "name": version.rstrip("*"),
        "served": True,
        "storage": version.endswith("*"),
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": _ANYTHING, "status": _ANYTHING}}},
        **({"subresources": {"status": {}}} if status else {}),
    }


def _minimal(spec: dict[str, Any]) -> dict[str, Any]:
    """The definition without the schema of its spec and status, as upstream itself ships it in its chart."""
    return {**spec, "versions": [{**version, "schema": _opened(version["schema"])} for version in spec["versions"]]}


def _opened(schema: Mapping[str, Any]) -> dict[str, Any]:
    whole = schema["openAPIV3Schema"]
    properties = {
        name: _ANYTHING if name in ("spec", "status") else part for name, part in whole.get("properties", {}).items()
    }
    return {"openAPIV3Schema": {**whole, "properties": properties}}
