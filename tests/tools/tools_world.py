"""A little world to install into: a list of tools, what a web server publishes, and an own cache."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tools.catalogue import Catalogue, Platform
from tools.install import Installer
from tools.progress import Progress


def script(version: str, name: str = "demo") -> bytes:
    """A program that says its version."""
    return f"#!/bin/sh\necho {name} version v{version}\n".encode()


def archive(files: dict[str, bytes]) -> bytes:
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return body.getvalue()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class Publisher:
    """A web server: what it holds, what was asked of it, and where it breaks off."""

    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    cut_after: int | None = None
    hold: threading.Event | None = None
    url: str = ""


@dataclass
class World:
    """A list of tools under `folder`, a cache, and the lines an installation printed."""

    folder: Path
    cache: Path
    lines: list[str] = field(default_factory=list)

    def tool(self, name: str = "demo", **changes: Any) -> None:
        """Add a tool to the list; by default nothing publishes or builds it."""
        file = self.folder / "tools.yaml"
        listed = yaml.safe_load(file.read_text()) if file.exists() else {"tools": {}}
        entry = {
            "version": "1.2.3",
            "fits": ">=1.2,<2",
            "asks": ["--version"],
            "prints": r"version v(\d\S*)",
            "licence": "MIT",
            "needed_by": ["test"],
        }
        listed["tools"][name] = entry | changes
        file.write_text(yaml.safe_dump(listed))

    def pin(self, url: str, digest: str) -> None:
        with (self.folder / "sums.txt").open("a") as sums:
            sums.write(f"{digest}  {url}\n")

    def installer(self, heartbeat: float = 15.0, **options: Any) -> Installer:
        progress = Progress(self.lines.append, heartbeat)
        return Installer(Catalogue(self.folder), self.cache, progress, where=Platform("linux", "amd64"), **options)

    def ensure(self, *names: str, **options: Any) -> dict[str, Path]:
        return self.installer(**options).ensure(names or ("demo",))

    def leftovers(self) -> list[str]:
        """Everything in the cache but locks: whole tools and, if any, halves."""
        return sorted(path.name for path in self.cache.glob("tools/*/*") if path.name != ".lock")
