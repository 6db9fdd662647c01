"""One model laid out for each server that can serve it, so that another server needs no other training.

Which format goes where is the table `SERVED`; every layout is a function of the model, its name and the new folder.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from aiga.errors import UserError
from aiga.registry import layouts_mlflow, triton
from aiga.registry.formats import PICKLED, Format
from aiga.spec.serve import Server

ONNX_FILE = "model.onnx"
SETTINGS_FILE = "model-settings.json"
"""Of MLServer."""


def lay_out(
    model: Path, model_format: Format, server: Server, name: str, folder: Path, *, allow_pickle: bool = False
) -> Path:
    """Make `folder` what `server` is pointed at to serve `model` under `name`; `folder` itself.

    Args:
        model: the model's file or folder, verified.
        folder: must not be there, or be empty.
        allow_pickle: whether formats may be laid out whose loading runs code that the file holds.

    Raises:
        UserError: the server cannot serve this format (it names those that can), or it is pickled and must not be.
    """
    layout = SERVED[server].get(model_format)
    if layout is None:
        raise UserError(f"model {name}: {_unserved(model_format, server)}")
    code = "" if allow_pickle else _code(model, model_format)
    if code:
        raise UserError(
            f"model {name}: {code}: loading it runs any code that is in it "
            "(serve.allowPickle: true if you trust who made it, or export it to ONNX)"
        )
    if folder.exists() and any(folder.iterdir()):
        raise UserError(f"{folder}: must be empty, for what {server} serves is laid out there")
    folder.mkdir(parents=True, exist_ok=True)
    layout(model, name, folder)
    return folder


def _code(model: Path, model_format: Format) -> str:
    """Why loading it runs code that it holds; empty where it does not."""
    if model_format == "mlflow":
        return layouts_mlflow.code(model)
    return f"is pickled ({model_format})" if model_format in PICKLED else ""


def servers(model_format: Format) -> tuple[Server, ...]:
    """The servers that can serve a format."""
    return tuple(server for server, formats in SERVED.items() if model_format in formats)


def _unserved(model_format: Format, server: Server) -> str:
    able = ", ".join(servers(model_format))
    takes = ", ".join(SERVED[server])
    return f"server {server} serves {takes}, not {model_format} (choose one of {able}, or export the model to {takes})"


def _copy(model: Path, target: Path) -> None:
    if model.is_dir():
        shutil.copytree(model, target, dirs_exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(model, target)


def _onnx(model: Path, name: str, folder: Path) -> None:
    _copy(model, folder if model.is_dir() else folder / ONNX_FILE)


def _triton(model: Path, name: str, folder: Path) -> None:
    graph = model / ONNX_FILE if model.is_dir() else model
    config = triton.config(graph, name)
    _onnx(model, name, folder / name / "1")
    (folder / name / "config.pbtxt").write_text(config)


def _tensorflow(model: Path, name: str, folder: Path) -> None:
    _copy(model, folder / name / "1")


def _as_is(model: Path, name: str, folder: Path) -> None:
    _copy(model, folder if model.is_dir() else folder / model.name)


def _mlserver(implementation: str) -> Callable[[Path, str, Path], None]:
    def layout(model: Path, name: str, folder: Path) -> None:
        beside = "model" + ("" if model.is_dir() else model.suffix)
        _copy(model, folder / beside)
        settings = {"name": name, "implementation": implementation, "parameters": {"uri": f"./{beside}"}}
        (folder / SETTINGS_FILE).write_text(json.dumps(settings, indent=2) + "\n")

    return layout


_sklearn = _mlserver("mlserver_sklearn.SKLearnModel")
Layout = Callable[[Path, str, Path], None]
SERVED: Mapping[Server, Mapping[Format, Layout]] = {
    "onnx": {"onnx": _onnx},
    "triton": {"onnx": _triton},
    "tensorflow": {"savedmodel": _tensorflow},
    "sklearn": {"joblib": _sklearn, "pickle": _sklearn},
    "xgboost": {"xgboost": _mlserver("mlserver_xgboost.XGBoostModel")},
    "mlflow": {"mlflow": _mlserver("mlserver_mlflow.MLflowRuntime")},
    "custom": dict.fromkeys(("onnx", "joblib", "pickle", "skops", "xgboost", "mlflow", "savedmodel", "other"), _as_is),
}
"""Server to the formats that it can serve. MLServer's scikit-learn runtime loads joblib and pickle only, not skops."""
