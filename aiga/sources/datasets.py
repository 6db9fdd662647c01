"""Published datasets: `<project>/datasets/<name>/<version>/dataset.yaml` says which data of the store it is.

The data lies with the snapshots, by digest, and is there before the record: no version is ever half published.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from aiga.errors import UserError
from aiga.sources import tables
from aiga.sources.context import Context, snapshot_key
from aiga.sources.version import SNAPSHOT, Version, now
from aiga.spec.sources import DatasetSource
from aiga.store.base import Store
from aiga.store.digest import path_digest
from aiga.store.errors import Corrupt, Missing
from aiga.store.progress import Progress

_RECORD = "dataset.yaml"


@dataclass(frozen=True)
class Published:
    """One version of a dataset."""

    project: str
    name: str
    version: int
    digest: str
    file: str
    """Name of the file or folder."""
    key: str
    """Where the store has it."""
    rows: int | None
    evidence: dict[str, Any]
    """What the publisher says of how it was made."""


def publish(
    store: Store, project: str, name: str, path: Path, evidence: Mapping[str, Any], *, progress: Progress | None = None
) -> int:
    """Publish the file or folder at `path` as the next version; its number.

    What the newest version is already is not published again: it gives that version's number.
    """
    digest = path_digest(path)
    newest = max(versions(store, project, name), default=0)
    if newest and resolve(store, project, name, newest).digest == digest:
        return newest
    key = snapshot_key(project, digest)
    if not store.exists(key) and (stored := store.upload(path, key, progress)) != digest:
        raise UserError(f"dataset {name}: {path.name} changed while it was published, it is {stored} now")
    record = {
        "digest": digest,
        "file": path.name,
        "key": key,
        "rows": tables.count(path),
        "published": now(),
        "evidence": dict(evidence),
    }
    version = newest + 1
    while not store.create(_key(project, name, version), _dump({"name": name, "version": version} | record)):
        if resolve(store, project, name, version).digest == digest:
            return version
        version += 1
    return version


def versions(store: Store, project: str, name: str) -> list[int]:
    """The versions there are, sorted."""
    return sorted(int(each) for each in store.children(f"{project}/datasets/{name}") if each.isdecimal())


def resolve(store: Store, project: str, name: str, version: int | Literal["latest"]) -> Published:
    """A version of a dataset.

    Raises:
        UserError: there is none; it says what there is.
    """
    there = versions(store, project, name)
    number = max(there, default=0) if version == "latest" else version
    if number not in there:
        named = f"versions {', '.join(map(str, there))}" if there else _datasets(store, project)
        raise UserError(f"dataset {project}/{name}: there is no version {version} in {store.address} ({named})")
    key = _key(project, name, number)
    try:
        found = yaml.safe_load(store.read(key))
        fields = {field: found[field] for field in ("digest", "file", "key", "rows", "evidence")}
    except (yaml.YAMLError, TypeError, KeyError) as error:
        raise Corrupt(f"{store.address}: {key} is damaged (publish the dataset again)") from error
    return Published(project, name, number, **fields)


def read(name: str, source: DatasetSource, context: Context) -> Version:
    """The version that the source names, from the cache where it is there."""
    owner = source.project or context.project
    try:
        found = resolve(context.store, owner, source.dataset, source.version)
        path = context.fetch(found.key, found.digest, found.file)
    except Missing as error:
        raise Missing(f"source {name}: dataset {owner}/{source.dataset}: its data is gone: {error}") from error
    except UserError as error:
        raise UserError(f"source {name}: {error}") from error
    origin = {"project": owner, "dataset": found.name, "version": found.version, SNAPSHOT: found.key, "read": now()}
    return Version(name, found.digest, path, source.kind, origin, found.rows)


def changed(source: DatasetSource, last: Version, context: Context) -> str | None:
    """Why it is another version than `last`: a newer one was published, or the source names another."""
    owner = source.project or context.project
    named = (owner, source.dataset)
    if named != (last.origin["project"], last.origin["dataset"]):
        return f"source {last.name}: another dataset"
    newest = max(versions(context.store, *named), default=0) if source.version == "latest" else source.version
    was = last.origin["version"]
    return (
        None if newest == was else f"source {last.name}: dataset {owner}/{source.dataset}: version {newest}, was {was}"
    )


def _key(project: str, name: str, version: int) -> str:
    return f"{project}/datasets/{name}/{version}/{_RECORD}"


def _dump(record: Mapping[str, Any]) -> bytes:
    return yaml.safe_dump(dict(record), sort_keys=False, allow_unicode=True).encode()


def _datasets(store: Store, project: str) -> str:
    there = store.children(f"{project}/datasets")
    return f"{project} has published {', '.join(there)}" if there else f"{project} has published nothing"
