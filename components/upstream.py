"""What comes from upstream: charts, manifests and images, each pinned once in `upstream.lock.yaml`.

An entry is found in `vendor/` first (the door of air-gapped sites), then among the simulator's stand-ins where the
stack says so, else fetched from its source into a cache. What has a digest in the lock is checked against it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pulumi
import yaml

from components import fetch
from kube.charts import content_digest, file_digest

ROOT = Path(__file__).resolve().parents[1]
LOCK_FILE = Path(__file__).with_name("upstream.lock.yaml")
OSI = frozenset({"Apache-2.0", "MIT", "BSD-3-Clause", "MPL-2.0", "AGPL-3.0-only", "GPL-2.0-only"})
"""The OSI-approved licences that parts of the platform carry; another one needs `acknowledge: true` in the lock."""

Mode = Literal["auto", "vendor", "source", "standins"]


@dataclass(frozen=True)
class Entry:
    """One chart or manifest of the lock."""

    kind: Literal["chart", "manifest"]
    name: str
    version: str
    sources: tuple[str, ...]
    sha256: str | None
    licence: str

    @property
    def stem(self) -> str:
        """`<name>-<version>`, what its file or folder is called."""
        return f"{self.name}-{self.version}"


@dataclass(frozen=True)
class Image:
    """One container image of the lock."""

    name: str
    ref: str
    digest: str | None
    licence: str
    acknowledge: bool = False

    @property
    def reference(self) -> str:
        """What a pod names: by digest where the lock has one."""
        return f"{self.ref}@{self.digest}" if self.digest else self.ref

    @property
    def repository(self) -> str:
        return self.ref.rpartition(":")[0]

    @property
    def tag(self) -> str:
        """The tag, with the digest behind it where the lock has one: charts paste it behind the repository."""
        tag = self.ref.rpartition(":")[2]
        return f"{tag}@{self.digest}" if self.digest else tag


@dataclass(frozen=True)
class Lock:
    charts: Mapping[str, Entry]
    manifests: Mapping[str, Entry]
    images: Mapping[str, Image]


def read_lock(path: Path = LOCK_FILE) -> Lock:
    """Reads a lock file; a malformed one is the program's own fault and fails as such."""
    raw = yaml.safe_load(path.read_text())

    def entry(kind: Literal["chart", "manifest"], name: str, e: dict[str, Any]) -> Entry:
        source = e["source"]
        sources = (source,) if isinstance(source, str) else tuple(source)
        return Entry(kind, name, str(e["version"]), sources, e["sha256"], e["licence"])

    return Lock(
        charts={n: entry("chart", n, e) for n, e in raw["charts"].items()},
        manifests={n: entry("manifest", n, e) for n, e in raw["manifests"].items()},
        images={n: Image(n, **e) for n, e in raw["images"].items()},
    )


@cache
def lock() -> Lock:
    """The project's own lock."""
    return read_lock()


def image(name: str) -> Image:
    return lock().images[name]


@dataclass(frozen=True)
class Located:
    """Where an entry was found. `digest` names its content, whatever its form."""

    entry: Entry
    path: Path
    origin: Literal["vendor", "standin", "source"]
    digest: str
    verified: bool


@dataclass(frozen=True, kw_only=True)
class Upstream:
    """Finds entries on behalf of one stack."""

    mode: Mode = "auto"
    vendor: Path = field(default_factory=lambda: Path(os.environ.get("AIGA_VENDOR") or ROOT / "vendor"))
    """$AIGA_VENDOR names a folder that several checkouts share."""
    standins: Path | None = None
    cache: Path = ROOT / ".aiga" / "cache" / "upstream"
    allow_unverified: bool = True
    _located: dict[Entry, Located] = field(default_factory=dict, init=False, compare=False, repr=False)
    """What was found and checked: once a run, for a digest reads every file of a chart."""

    def check(self, entries: Iterable[Entry], images: Iterable[Image] = ()) -> None:
        """Finds all of them before anything is registered, and tells of images that the lock has no digest for.

        Raises:
            pulumi.RunError: naming every one that is not to be had or not what it should be.
        """
        mistakes, unverified = [], []
        for entry in entries:
            try:
                found = self.locate(entry)
            except pulumi.RunError as error:
                mistakes.append(str(error))
            else:
                unverified += [] if found.verified else [entry.stem]
        # Where there are stand-ins no container runs, and no image is pulled.
        loose = [] if self.standins else [image.name for image in images if image.digest is None]
        if loose and not self.allow_unverified:
            mistakes.append(
                f"{LOCK_FILE.name}: images: no digest, and this stack takes nothing unverified: {', '.join(loose)} (run"
                " `make lock` on a machine with network, or set aiga:allowUnverified: true)"
            )
        if mistakes:
            raise pulumi.RunError("\n".join(mistakes))
        if unverified:
            pulumi.log.warn(f"unverified, for {LOCK_FILE.name} has no sha256 (`make lock`): {', '.join(unverified)}")
        if loose:
            some = ", ".join(loose[:4]) + (f" and {len(loose) - 4} more" if len(loose) > 4 else "")
            pulumi.log.warn(f"unverified images, for {LOCK_FILE.name} has no digest (`make lock`): {some}")

    def locate(self, entry: Entry) -> Located:
        """The entry's files, checked.

        Raises:
            pulumi.RunError: it is nowhere, its digest is not the lock's, or the stack refuses what has no digest.
        """
        if entry not in self._located:
            self._located[entry] = self._locate(entry)
        return self._located[entry]

    def _locate(self, entry: Entry) -> Located:
        ways = {
            "auto": (self._vendored, self._standin, self._source),
            "vendor": (self._vendored, self._missing),
            "source": (self._source,),
            "standins": (self._standin, self._missing),
        }
        found = next(located for way in ways[self.mode] if (located := way(entry)) is not None)
        if not found.verified and not self.allow_unverified:
            raise pulumi.RunError(
                f"{LOCK_FILE.name}: {entry.kind}s.{entry.name}: {entry.version} from {found.origin} has no sha256, and"
                " this stack takes nothing unverified (run `make lock` on a machine with network, or set"
                " aiga:allowUnverified: true)"
            )
        return found

    def _vendored(self, entry: Entry) -> Located | None:
        for path in _candidates(self.vendor, entry):
            if path.is_file() and entry.sha256 is not None:
                return Located(entry, path, "vendor", _checked(entry, path), verified=True)
            if path.exists():
                return Located(entry, path, "vendor", _recorded(self.vendor, path), verified=False)
        return None

    def _missing(self, entry: Entry) -> Located:
        if self.mode == "standins":
            raise pulumi.RunError(
                f"aiga:upstream: standins: {entry.kind} {entry.stem} is not in {self.standins} (only the simulator has"
                " stand-ins, and `make up` makes them; elsewhere use auto, vendor or source)"
            )
        raise pulumi.RunError(
            f"aiga:upstream: vendor: {entry.kind} {entry.stem} is not in {self.vendor} (run `make vendor` on a machine"
            " with network and copy the folder here)"
        )

    def _standin(self, entry: Entry) -> Located | None:
        if self.standins is None:
            return None
        own = self.standins / LOCK_FILE.name
        if not own.is_file():
            raise pulumi.RunError(f"aiga:standins: {own} is not there (run through `make`, which writes the stand-ins)")
        recorded = yaml.safe_load(own.read_text()).get(entry.stem)
        for path in _candidates(self.standins, entry):
            if path.exists():
                digest = content_digest(path)
                if digest != recorded:
                    raise pulumi.RunError(
                        f"{path}: its content is {digest}, the stand-ins' lock says {recorded} (delete"
                        f" {self.standins} and run again)"
                    )
                return Located(entry, path, "standin", digest, verified=True)
        return None

    def _source(self, entry: Entry) -> Located:
        try:
            path = fetch.into(self.cache, entry)
        except fetch.FetchError as error:
            raise pulumi.RunError(
                f"{LOCK_FILE.name}: {entry.kind}s.{entry.name}: {entry.version} could not be fetched: {error} (put it"
                " into vendor/, see `make vendor`, or use the simulator: STACK=sim)"
            ) from error
        return Located(entry, path, "source", _checked(entry, path), verified=entry.sha256 is not None)


def _candidates(root: Path, entry: Entry) -> list[Path]:
    folder = root / f"{entry.kind}s"
    names = [entry.stem, f"{entry.stem}.tgz"] if entry.kind == "chart" else [f"{entry.stem}.yaml"]
    return [folder / name for name in names]


def _checked(entry: Entry, path: Path) -> str:
    digest = file_digest(path)
    if entry.sha256 is not None and digest != entry.sha256:
        raise pulumi.RunError(
            f"{path}: sha256 {digest}, but {LOCK_FILE.name} says {entry.sha256} for {entry.stem} (the file is damaged"
            " or was changed: delete it, then fetch it again with `make vendor`)"
        )
    return digest


def _recorded(vendor: Path, path: Path) -> str:
    """The digest of what is vendored and in no lock: recorded at first use, held against that ever after."""
    record = vendor / "digests.yaml"
    known: dict[str, str] = (yaml.safe_load(record.read_text()) or {}) if record.is_file() else {}
    name = path.relative_to(vendor).as_posix()
    digest = content_digest(path)
    if name not in known:
        _record(record, {**known, name: digest})
    elif known[name] != digest:
        raise pulumi.RunError(
            f"{path}: its content is {digest}, but it was {known[name]} when first used (restore it, or remove its line"
            f" from {record.name} there if you changed it on purpose)"
        )
    return digest


def _record(file: Path, digests: Mapping[str, str]) -> None:
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        draft.write_text(yaml.safe_dump(dict(digests)))
        draft.replace(file)
    except OSError as error:
        raise pulumi.RunError(
            f"{file}: {error.strerror} (digests that no lock has are recorded there at first use: let it be written"
            " once)"
        ) from error
