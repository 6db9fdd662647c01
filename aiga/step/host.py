"""The machine and the Python environment that a step ran in."""

from __future__ import annotations

import os
import platform
import re
import sys
from dataclasses import dataclass

_INSTALLED = re.compile(r"(?P<name>.+?)-(?P<version>[^-]+)(?:-py[\d.]+)?\.(?:dist|egg)-info")


@dataclass(frozen=True)
class Host:
    """The machine."""

    name: str
    os: str
    machine: str
    cpus: int
    memory: int
    """Bytes."""


def host() -> Host:
    system = os.uname()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Host(system.nodename, f"{system.sysname} {system.release}", system.machine, os.cpu_count() or 1, memory)


def python() -> str:
    return f"{platform.python_implementation()} {platform.python_version()}"


def packages() -> dict[str, str]:
    """Name to version of what is installed, sorted; the first on `sys.path` counts.

    Read from the names of the folders that installers leave, which their standard prescribes: importlib.metadata parses
    each package's description for it, a hundred times as long.
    """
    found: dict[str, str] = {}
    for folder in sys.path:
        try:
            entries = [entry.name for entry in os.scandir(folder or ".")]
        except OSError:
            continue
        for entry in entries:
            if match := _INSTALLED.fullmatch(entry):
                found.setdefault(re.sub(r"[-_.]+", "-", match["name"]).lower(), match["version"])
    return dict(sorted(found.items()))
