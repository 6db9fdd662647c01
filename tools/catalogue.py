"""The one list of tools (tools.yaml) and of the digests of their downloads (sums.txt), read and checked."""

from __future__ import annotations

import platform
import re
from functools import cache as memoised
from pathlib import Path
from typing import Literal, NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from tools import versions
from tools.errors import ToolError

HERE = Path(__file__).resolve().parent
Target = Literal["sim", "k3d", "up", "test"]
ALL_PLATFORMS = ("linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64")


class Platform(NamedTuple):
    """Operating system and processor, in Go's words."""

    os: str
    arch: str

    def __str__(self) -> str:
        return f"{self.os}/{self.arch}"


def this_platform() -> Platform:
    machine = platform.machine().lower()
    return Platform(platform.system().lower(), {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine))


class Asset(NamedTuple):
    """One file that a publisher offers for one platform."""

    url: str
    checksums: str | None
    member: str | None


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Download(_Entry):
    """Where the publisher's own build lies."""

    url: str
    checksums: str | None = None
    member: str | None = None
    os: dict[str, str] = {}
    arch: dict[str, str] = {}
    published: tuple[str, ...] = ALL_PLATFORMS

    def asset(self, version: str, where: Platform) -> Asset | None:
        """The file for this platform, None where the publisher has none."""
        if str(where) not in self.published:
            return None
        words = {
            "version": version,
            "os": self.os.get(where.os, where.os),
            "arch": self.arch.get(where.arch, where.arch),
        }
        url = self.url.format(**words)
        checksums = self.checksums.format(url=url, **words) if self.checksums else None
        return Asset(url, checksums, self.member.format(**words) if self.member else None)


class GoModule(_Entry):
    """How the tool is built from Go modules."""

    module: str
    package: str
    version: str | None = None
    """Where it differs from the download's: what the module proxy serves."""
    ldflags: str = ""
    beside: dict[str, str] = {}
    """Scripts written next to the built tool, by name."""


class Tool(_Entry):
    """One tool: its version, what else fits, and the ways to it."""

    name: str
    version: str
    fits: str
    asks: tuple[str, ...]
    prints: str
    licence: str
    needed_by: tuple[Target, ...] = Field(min_length=1)
    download: Download | None = None
    go: GoModule | None = None

    @field_validator("fits")
    @classmethod
    def _is_a_range(cls, value: str) -> str:
        versions.bounds(value)
        return value

    @field_validator("prints")
    @classmethod
    def _has_one_group(cls, value: str) -> str:
        if re.compile(value).groups != 1:
            raise ValueError(f"must hold exactly one group, the version, got {value!r}")
        return value

    @property
    def built_version(self) -> str:
        return (self.go and self.go.version) or self.version


class Catalogue:
    """All tools by name, the folder with their Go modules, the pinned digests by URL."""

    def __init__(self, folder: Path = HERE) -> None:
        self.file = folder / "tools.yaml"
        self.sums_file = folder / "sums.txt"
        self.modules = folder / "go"
        self.tools = self._read()
        self.sums = read_sums(self.sums_file.read_text()) if self.sums_file.exists() else {}

    def _read(self) -> dict[str, Tool]:
        try:
            raw = yaml.safe_load(self.file.read_text())["tools"]
            return {name: Tool(name=name, **entry) for name, entry in raw.items()}
        except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
            raise ToolError(f"{self.file}: cannot be read: {error}") from error
        except ValidationError as error:
            mistakes = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise ToolError(f"{self.file}: {mistakes}") from error

    def get(self, name: str) -> Tool:
        if name not in self.tools:
            raise ToolError(f"no tool is called {name!r}; {self.file.name} has: {', '.join(self.tools)}")
        return self.tools[name]

    def needed_by(self, target: Target) -> tuple[str, ...]:
        return tuple(name for name, tool in self.tools.items() if target in tool.needed_by)

    def module(self, tool: Tool) -> Path:
        """The folder of the tool's Go module."""
        assert tool.go is not None, tool.name
        return self.modules / tool.go.module


def read_sums(text: str) -> dict[str, str]:
    """Lines `<sha256>  <url>` → url: sha256."""
    return {url: digest for digest, url in (line.split() for line in text.splitlines() if line.strip())}


@memoised
def default() -> Catalogue:
    """The list that comes with the project."""
    return Catalogue()
