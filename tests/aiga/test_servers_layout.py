"""Folders that servers are pointed at: from a registered model, verified, to MLServer's settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import registry_world
from servers_world import doubling, project

from aiga.errors import UserError
from aiga.registry import Registry, SigningKey, Untrusted, resolve_model
from aiga.serving.servers.layout import CLASS, ONNX, Served, arrange, fetch
from aiga.store import open_store


def settings(folder: Path, name: str) -> dict[str, Any]:
    said: dict[str, Any] = json.loads((folder / name / "model-settings.json").read_text())
    return said


def model(folder: Path, name: str) -> Path:
    return registry_world.model_file(folder, b"content", name)


def test_a_registered_model_is_verified_and_served_by_the_onnx_runtime(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry_world.own_keys(tmp_path, monkeypatch)
    store = open_store(str(tmp_path / "store"))
    registry = Registry(store, "digits")
    version = registry_world.register(registry, tmp_path)
    found = resolve_model("digits@latest", store)
    served = fetch("digits", "onnx", found, tmp_path / "fetched")
    laid = arrange([served], tmp_path / "served", tmp_path)
    said = settings(laid.folder, "digits")
    assert said["implementation"] == ONNX and said["parameters"]["version"] == str(version)
    assert (laid.folder / "digits" / "model.onnx").read_bytes() == served.model.read_bytes()
    assert laid.models == ("digits",) and laid.needs.servers == {"onnx"}


def test_a_model_that_nobody_trusted_signed_is_not_even_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry_world.own_keys(tmp_path, monkeypatch)
    store = open_store(str(tmp_path / "store"))
    registry_world.register(Registry(store, "digits"), tmp_path)
    found = resolve_model("digits@latest", store)
    monkeypatch.setenv("AIGA_KEYS", str(tmp_path / "other"))
    SigningKey.load_or_create("digits")
    with pytest.raises(Untrusted):
        fetch("digits", "onnx", found, tmp_path / "fetched")
    assert not list((tmp_path / "fetched").glob("*"))


@pytest.mark.parametrize("server", ["triton", "tensorflow"])
def test_servers_of_a_cluster_are_stood_in_for_where_the_model_is_onnx(tmp_path: Path, server: Any) -> None:
    served = Served("mnist", server, doubling(tmp_path / "m.onnx"), "onnx")
    laid = arrange([served], tmp_path / "served", tmp_path)
    assert settings(laid.folder, "mnist")["implementation"] == ONNX
    saved_model = Served("mnist", server, model(tmp_path / "saved", "saved_model.pb").parent, "savedmodel")
    with pytest.raises(UserError, match=f"server {server} does not run on this machine.*export the model to ONNX"):
        arrange([saved_model], tmp_path / "other", tmp_path)


def test_pickled_models_need_leave_and_bring_the_versions_that_pickled_them(tmp_path: Path) -> None:
    packages = {"scikit-learn": "1.5.2", "numpy": "1.26.4", "matplotlib": "3.0.0"}
    served = Served("m", "sklearn", model(tmp_path, "m.joblib"), "joblib", "2", packages)
    with pytest.raises(UserError, match="allowPickle"):
        arrange([served], tmp_path / "refused", tmp_path)
    laid = arrange([served], tmp_path / "served", tmp_path, allow_pickle=True)
    assert settings(laid.folder, "m")["implementation"] == "mlserver_sklearn.SKLearnModel"
    assert settings(laid.folder, "m")["parameters"] == {"uri": "./model.joblib", "version": "2"}
    assert laid.needs.packages == {"scikit-learn": "1.5.2", "numpy": "1.26.4"}


def test_an_mlflow_model_brings_its_own_requirements(tmp_path: Path) -> None:
    folder = model(tmp_path / "mlflow", "MLmodel").parent
    (folder / "requirements.txt").write_text("scikit-learn==1.5.2\n")
    laid = arrange([Served("m", "mlflow", folder, "mlflow")], tmp_path / "served", tmp_path)
    assert [file.read_text() for file in laid.needs.files] == ["scikit-learn==1.5.2\n"]


def test_a_class_gets_its_parameters_its_model_and_the_projects_requirements(tmp_path: Path) -> None:
    source = project(tmp_path / "project")
    (source / "requirements.txt").write_text("numpy\n")
    served = Served(
        "scorer", "custom", model(tmp_path, "m.bin"), "other", run="scorer:Scorer", parameters={"factor": 2}
    )
    laid = arrange([served], tmp_path / "served", source)
    said = settings(laid.folder, "scorer")
    assert said["implementation"] == CLASS
    extra = said["parameters"]["extra"]
    assert extra["run"] == "scorer:Scorer" and extra["parameters"] == {"factor": 2}
    assert Path(extra["source"]) == source and (Path(extra["model"]) / "m.bin").read_bytes() == b"content"
    assert laid.needs.files == (source / "requirements.txt",)


def test_all_that_cannot_be_served_is_said_at_once(tmp_path: Path) -> None:
    wrong = [
        Served("a", "onnx"),
        Served("b", "onnx", model(tmp_path, "m.ubj"), "xgboost"),
        Served("c", "custom"),
        Served("d", "custom", run="python serve.py"),
    ]
    with pytest.raises(UserError) as refused:
        arrange(wrong, tmp_path / "served", tmp_path)
    lines = str(refused.value).splitlines()
    assert len(lines) == 4
    assert "there is none to serve" in lines[0] and "server onnx serves onnx, not xgboost" in lines[1]
    assert "c: must be module:Class" in lines[2] and "got 'python serve.py'" in lines[3]
