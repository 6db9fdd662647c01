"""Stand-ins for Pulumi's kubernetes and random plugins, where the simulator cannot have the official ones."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

PACKAGES = ("kubernetes", "random")
CHOICE = "AIGA_PLUGINS"
"""`official` or `standin` in the environment overrides what `serving` finds."""

Plugins = Literal["official", "standin"]


def bin_dir() -> Path:
    """The directory to put on PATH so that the engine finds the stand-ins."""
    return Path(__file__).resolve().parent / "bin"


def version(package: str) -> str:
    """The version that the installed SDK package asks for."""
    return importlib.metadata.version(f"pulumi_{package}")


def official_installed(pulumi_home: Path | str) -> bool:
    """Whether both official plugins can be found: in the plugin cache in the SDK's version, or on PATH."""
    return all(_cached(Path(pulumi_home), package) or _on_path(package) for package in PACKAGES)


def serving(pulumi_home: Path | str, environment: Mapping[str, str] | None = None) -> Plugins:
    """Which plugins an engine with this home is to be given."""
    environment = os.environ if environment is None else environment
    chosen = environment.get(CHOICE, "")
    if chosen not in ("", "official", "standin"):
        raise ValueError(f"{CHOICE}={chosen}: must be official or standin")
    if chosen == "official" or (not chosen and official_installed(pulumi_home)):
        return "official"
    return "standin"


def _cached(pulumi_home: Path, package: str) -> bool:
    name = f"resource-{package}-v{version(package)}"
    return (pulumi_home / "plugins" / name / f"pulumi-resource-{package}").is_file()


def _on_path(package: str) -> bool:
    places = [place for place in os.environ.get("PATH", "").split(os.pathsep) if place]
    elsewhere = [place for place in places if Path(place).resolve() != bin_dir()]
    return shutil.which(f"pulumi-resource-{package}", path=os.pathsep.join(elsewhere)) is not None
