"""Starts a plugin quickly: python start.py kubernetes|random ENGINE-ADDRESS.

The engine starts both plugins in every operation, and a plugin needs of `pulumi` only the messages of its protocol, of
`simulator` only this folder. Standing in for the two packages without running their `__init__` spares each start half a
second of one core: a preview with nothing to do takes 1.5 s instead of 3.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

_BARE = ("pulumi", "pulumi.runtime", "simulator")


def _bare(name: str) -> None:
    parent, _, last = name.rpartition(".")
    places = list(sys.modules[parent].__path__) if parent else sys.path
    folder = next(Path(place, last) for place in places if Path(place, last, "__init__.py").is_file())
    module = ModuleType(name)
    module.__path__ = [str(folder)]
    sys.modules[name] = module


def main() -> None:
    """Serve until the engine is done."""
    package = sys.argv.pop(1)
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    for name in _BARE:
        _bare(name)
    plugin = importlib.import_module(f"simulator.provider.{package}_plugin")
    plugin.main()


if __name__ == "__main__":
    main()
