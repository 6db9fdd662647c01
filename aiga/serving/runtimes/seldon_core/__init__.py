"""What classes use of the package `seldon_core` 1.17.1, which cannot be installed beside MLServer.

`install` puts it where `import seldon_core` and its like find it, unless the real one is there. What a class asks of
it beyond that is refused with what there is, and with the remedy.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType
from typing import Any, NoReturn

from aiga.serving.runtimes.seldon_core.storage import Storage

__all__ = ["Storage"]
__version__ = "1.17.1"

_NAME = "seldon_core"
_MODULES = ("env_utils", "flask_utils", "metrics", "proto", "proto.prediction_pb2", "storage", "user_model", "utils")


def install() -> None:
    """Makes `import seldon_core` work in this process."""
    if _NAME in sys.modules or importlib.util.find_spec(_NAME) is not None:
        return
    ours = {
        "": sys.modules[__name__],
        **{f".{name}": importlib.import_module(f"{__name__}.{name}") for name in _MODULES},
    }
    for name, module in ours.items():
        sys.modules[_NAME + name] = module
        _refuse_others(module, _NAME + name)
    if _REFUSAL not in sys.meta_path:
        sys.meta_path.append(_REFUSAL)


class _Refusal(MetaPathFinder):
    """Is asked last, for what nobody has."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        name = f"{_NAME}{fullname.removeprefix(__name__)}" if fullname.startswith(f"{__name__}.") else fullname
        if name.startswith(f"{_NAME}."):
            raise ImportError(_reason(name), name=name)


_REFUSAL = _Refusal()


def _refuse_others(module: ModuleType, name: str) -> None:
    """Makes it tell of names that it does not have. Its path, empty, lets `from name import other` ask `_REFUSAL`."""
    module.__dict__.setdefault("__path__", [])
    module.__dict__["__getattr__"] = _getter(name)


def _getter(module: str) -> Callable[[str], Any]:
    def get(name: str) -> NoReturn:
        full = f"{module}.{name}"
        raise AttributeError(full if name.startswith("__") else _reason(full), name=name)

    return get


def _reason(name: str) -> str:
    parent = name.rpartition(".")[0]
    has = ", ".join(sorted(sys.modules[__name__ + parent.removeprefix(_NAME)].__all__))
    if parent == _NAME:
        has = f"{has} and the modules {', '.join(_MODULES)}"
    return (
        f"{name}: is not in what aiga has in place of seldon-core {__version__}, where {parent} has {has} "
        "(put a copy of what the class needs of it into the project, or do without it)"
    )
