"""A version of a source: what was read, as it is recorded in a run's evidence, and where the bytes are now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiga.errors import UserError

SNAPSHOT = "snapshot"
"""Key of `origin`: the store's key of the bytes, where the source itself does not keep versions."""


@dataclass(frozen=True)
class Version:
    """What a source was when it was read."""

    name: str
    """The source's name in the project."""
    digest: str
    """`sha256:<hex>` of the file or folder."""
    path: Path
    """The file or folder on this machine."""
    kind: str
    origin: dict[str, Any] = field(default_factory=dict)
    """Where it came from: plain values, among them what `restore` needs and when it was read."""
    rows: int | None = None
    """Rows, where they are known without reading it all."""
    mark: str = ""
    """Of files that are used where they are, when they were read; empty for a copy of our own."""

    def evidence(self) -> dict[str, Any]:
        """Plain values, without anything of this machine."""
        return {
            "name": self.name,
            "kind": self.kind,
            "digest": self.digest,
            "file": self.path.name,
            "rows": self.rows,
            "origin": self.origin,
        }

    @classmethod
    def recorded(cls, evidence: Mapping[str, Any], path: Path | None = None) -> Version:
        """The version that `evidence` was made of; its path is only a name when none is given.

        Raises:
            UserError: it is no evidence of a version.
        """
        try:
            return cls(
                name=evidence["name"],
                digest=evidence["digest"],
                path=path or Path(evidence["file"]),
                kind=evidence["kind"],
                origin=dict(evidence["origin"]),
                rows=evidence["rows"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"evidence of a source: not as aiga records it: {error} (restore the file)") from error


def now() -> str:
    """The time of a read, ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
