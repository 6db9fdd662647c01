"""What classes use of the package `seldon_core`, which cannot be installed beside MLServer.

`install` puts it where `import seldon_core.user_model` and its like find it, unless the real one is there.
"""

from __future__ import annotations

import importlib.util
import sys

_MODULES = ("user_model", "metrics", "flask_utils")


def install() -> None:
    """Makes `import seldon_core` work in this process."""
    if "seldon_core" in sys.modules or importlib.util.find_spec("seldon_core") is not None:
        return
    sys.modules["seldon_core"] = sys.modules[__name__]
    for name in _MODULES:
        sys.modules[f"seldon_core.{name}"] = importlib.import_module(f"{__name__}.{name}")
