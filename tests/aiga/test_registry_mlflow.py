"""Folders of MLflow: which of them run code when they are loaded."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from aiga.errors import UserError
from aiga.registry.layouts import lay_out

PYFUNC = {"loader_module": "mlflow.sklearn", "model_path": "model.skops"}
SKOPS = {"serialization_format": "skops", "skops_trusted_types": None}


@pytest.mark.parametrize(
    ("flavors", "reason"),
    [
        ({"python_function": PYFUNC, "sklearn": SKOPS}, ""),
        ({"python_function": PYFUNC, "sklearn": {}}, "is pickled .*serialization_format pickle"),
        ({"python_function": PYFUNC, "sklearn": {"serialization_format": "cloudpickle"}}, "is pickled .*cloudpickle"),
        (
            {"python_function": PYFUNC, "sklearn": {**SKOPS, "skops_trusted_types": ["os.system"]}},
            "names types that are to be trusted",
        ),
        ({"python_function": {**PYFUNC, "code": "code"}, "sklearn": SKOPS}, "brings Python files"),
        ({"python_function": {"loader_module": "mlflow.pyfunc.model"}}, "is loaded by mlflow.pyfunc.model"),
        ({"python_function": {"loader_module": "mlflow.xgboost"}, "xgboost": {"data": "model.xgb"}}, ""),
        (
            {"python_function": {"loader_module": "mlflow.xgboost"}, "xgboost": {"model_class": "os.system"}},
            "is a os.system",
        ),
    ],
)
def test_a_folder_of_mlflow_that_runs_code_is_laid_out_only_on_request(
    tmp_path: Path, flavors: dict[str, Any], reason: str
) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "MLmodel").write_text(yaml.safe_dump({"flavors": flavors}))
    if reason:
        with pytest.raises(UserError, match=rf"model m: {reason}.*: loading it runs any code that is in it"):
            lay_out(model, "mlflow", "mlflow", "m", tmp_path / "refused")
    lay_out(model, "mlflow", "mlflow", "m", tmp_path / "served", allow_pickle=bool(reason))
    assert (tmp_path / "served" / "model" / "MLmodel").is_file()


@pytest.mark.parametrize(
    "line", ["./evil.whl", "evil @ file:///evil", "-r more.txt", "--index-url http://evil", "-e ."]
)
def test_a_folder_of_mlflow_whose_requirements_bring_code_is_laid_out_only_on_request(
    tmp_path: Path, line: str
) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "MLmodel").write_text(yaml.safe_dump({"flavors": {"python_function": PYFUNC, "sklearn": SKOPS}}))
    (model / "requirements.txt").write_text("mlflow==3.17.2\nnumpy>=1,<3 ; python_version < '4' # arrays\n\n")
    lay_out(model, "mlflow", "mlflow", "m", tmp_path / "served")
    (model / "requirements.txt").write_text(f"mlflow==3.17.2\n{line}\n")
    with pytest.raises(UserError, match=f"a requirement that is no package's name and version .{re.escape(line)}"):
        lay_out(model, "mlflow", "mlflow", "m", tmp_path / "refused")
