"""Whether loading a folder of MLflow runs code that it holds, as its MLmodel file tells.

Only what is known to run none is let through: scikit-learn saved by skops, MLflow's default, and XGBoost.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from aiga.errors import UserError

MARK = "MLmodel"
REQUIREMENTS = "requirements.txt"
_PACKAGE = re.compile(r"[A-Za-z0-9][\w.-]*(\[[\w, -]*\])?\s*([=<>!~][^@/]*)?(;.*)?")
"""A requirement of a package index, unlike a path, an address, or an option."""


def code(model: Path) -> str:
    """What in the folder runs code when it is loaded, as the end of `model m: …`; empty where nothing does.

    What MLflow cannot load at all runs none either.

    Raises:
        UserError: its MLmodel file cannot be read.
    """
    flavors = _mapping(_read(model / MARK).get("flavors"))
    loading = _mapping(flavors.get("python_function"))
    if not loading:
        return ""
    if loading.get("code"):
        return "brings Python files that are imported (code_paths)"
    if len(list(model.rglob(MARK))) > 1:
        return f"has an {MARK} file within, which may be loaded in its place"
    foreign = [line for line in _requirements(model) if not _PACKAGE.fullmatch(line)]
    if foreign:
        return f"has a requirement that is no package's name and version ({foreign[0]})"
    return _loaded(str(loading.get("loader_module")), flavors)


def _loaded(loader: str, flavors: Mapping[str, Any]) -> str:
    if loader == "mlflow.sklearn":
        return _sklearn(_mapping(flavors.get("sklearn")))
    if loader == "mlflow.xgboost":
        made = str(_mapping(flavors.get("xgboost")).get("model_class", "xgboost.core.Booster"))
        return "" if made.startswith("xgboost.") else f"is a {made}, which is no class of XGBoost"
    return f"is loaded by {loader}, which may run what it holds"


def _sklearn(flavor: Mapping[str, Any]) -> str:
    form = flavor.get("serialization_format", "pickle")
    if form != "skops":
        return f"is pickled (MLflow's serialization_format {form})"
    if flavor.get("skops_trusted_types"):
        return "names types that are to be trusted (skops_trusted_types)"
    return ""


def _read(file: Path) -> Mapping[str, Any]:
    try:
        return _mapping(yaml.safe_load(file.read_bytes()))  # as MLflow reads it
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f"{file}: cannot be read: {' '.join(str(error).split())}") from error


def _requirements(model: Path) -> list[str]:
    file = model / REQUIREMENTS
    lines = file.read_text(errors="replace").splitlines() if file.is_file() else []
    return [said for line in lines if (said := re.sub(r"(^|\s)#.*", "", line).strip())]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
