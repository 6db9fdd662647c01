"""The tools that aiga runs, each in a version that fits: on PATH, in the cache, downloaded, or built from Go modules.

`tools.yaml` is the one list. `AIGA_CACHE` moves the cache; `AIGA_TOOLS_DOWNLOAD=0` leaves downloads out.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from tools import catalogue
from tools.catalogue import Target
from tools.errors import ToolError
from tools.install import Installer
from tools.launcher import dynamic_plugin
from tools.progress import Progress
from tools.store import cache

__all__ = ["Target", "ToolError", "cache", "dynamic_plugin", "ensure", "needed_by"]


def ensure(names: Iterable[str], progress: Callable[[str], None] | None = None) -> dict[str, Path]:
    """Executables by name, what is missing installed first. ToolError lists every tool that cannot be had."""
    downloads = os.environ.get("AIGA_TOOLS_DOWNLOAD", "1") != "0"
    with Progress(progress) as screen:
        return Installer(catalogue.default(), cache(), screen, downloads=downloads).ensure(names)


def needed_by(target: Target) -> tuple[str, ...]:
    """The tools that a target needs: sim, k3d, up (a cluster of your own), test."""
    return catalogue.default().needed_by(target)
