"""One model, laid out for each server that can serve it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import onnx
import pytest
import registry_world
from onnx import TensorProto, helper

from aiga.errors import UserError
from aiga.registry.formats import Format, detect
from aiga.registry.layouts import SERVED, lay_out, servers
from aiga.spec.serve import Server

FLOAT, INT64, STRING = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def folder_model(path: Path, *names: str) -> Path:
    for name in names:
        registry_world.model_file(path, b"content", name)
    return path


def config_of(tmp_path: Path, content: bytes) -> str:
    model = registry_world.model_file(tmp_path, content)
    lay_out(model, "onnx", "triton", "digits", tmp_path / "served")
    return (tmp_path / "served" / "digits" / "config.pbtxt").read_text()


def test_onnx_is_served_as_it_is_and_by_triton(tmp_path: Path) -> None:
    model = registry_world.model_file(tmp_path)
    assert files(lay_out(model, "onnx", "onnx", "digits", tmp_path / "a")) == {"model.onnx"}
    assert files(lay_out(model, "onnx", "triton", "digits", tmp_path / "b")) == {
        "digits/1/model.onnx",
        "digits/config.pbtxt",
    }
    assert (tmp_path / "b" / "digits" / "1" / "model.onnx").read_bytes() == model.read_bytes()


def test_tritons_config_leaves_the_batch_to_triton(tmp_path: Path) -> None:
    graph = registry_world.graph(
        [("image", FLOAT, ["N", 1, 28, 28]), ("name", STRING, [None, 2])],
        [("label", INT64, ["N"]), ("scores", FLOAT, [None, 10])],
    )
    assert config_of(tmp_path, graph) == (
        'name: "digits"\n'
        'backend: "onnxruntime"\n'
        "max_batch_size: 64\n"
        "input [\n"
        '  {\n    name: "image"\n    data_type: TYPE_FP32\n    dims: [ 1, 28, 28 ]\n  },\n'
        '  {\n    name: "name"\n    data_type: TYPE_STRING\n    dims: [ 2 ]\n  }\n'
        "]\n"
        "output [\n"
        '  {\n    name: "label"\n    data_type: TYPE_INT64\n    dims: [ 1 ]\n    reshape: { shape: [ ] }\n  },\n'
        '  {\n    name: "scores"\n    data_type: TYPE_FP32\n    dims: [ 10 ]\n  }\n'
        "]\n"
        "dynamic_batching { }\n"
    )


def test_tritons_config_of_a_fixed_shape_does_not_batch(tmp_path: Path) -> None:
    config = config_of(tmp_path, registry_world.graph([("x", FLOAT, [1, "T"])], [("y", FLOAT, [1, "T"])]))
    assert "max_batch_size: 0" in config and config.count("dims: [ 1, -1 ]") == 2 and "dynamic_batching" not in config


def test_weights_that_a_graph_lists_among_its_inputs_are_none(tmp_path: Path) -> None:
    model = onnx.load_from_string(
        registry_world.graph([("x", FLOAT, ["N", 2]), ("w", FLOAT, [2])], [("y", FLOAT, ["N", 2])])
    )
    model.graph.initializer.append(helper.make_tensor("w", FLOAT, [2], [0, 1]))
    assert '"w"' not in config_of(tmp_path, model.SerializeToString())


def test_what_triton_cannot_take_is_said_all_at_once(tmp_path: Path) -> None:
    maps = helper.make_sequence_type_proto(helper.make_map_type_proto(INT64, helper.make_tensor_type_proto(FLOAT, [])))
    model = onnx.load_from_string(registry_world.graph([("x", FLOAT, None)], [("label", INT64, ["N"])]))
    model.graph.output.append(helper.make_value_info("probabilities", maps))
    with pytest.raises(UserError) as caught:
        config_of(tmp_path, model.SerializeToString())
    assert "input x: must have a known type and number of dimensions" in str(caught.value)
    assert "output probabilities: is a sequence" in str(caught.value) and "zipmap" in str(caught.value)
    with pytest.raises(UserError, match="is no ONNX"):
        config_of(tmp_path / "other", b"no model")


def test_a_model_of_scikit_learn_gets_a_config(tmp_path: Path) -> None:
    sklearn = pytest.importorskip("sklearn.linear_model")
    skl2onnx = pytest.importorskip("skl2onnx")
    fitted = sklearn.LogisticRegression().fit([[0.0, 1.0], [1.0, 0.0]], [0, 1])
    kind = skl2onnx.common.data_types.FloatTensorType([None, 2])
    graph = skl2onnx.to_onnx(fitted, initial_types=[("x", kind)], options={id(fitted): {"zipmap": False}})
    config = config_of(tmp_path, graph.SerializeToString())
    assert "max_batch_size: 64" in config and "dims: [ 2 ]" in config and "TYPE_INT64" in config


def test_a_saved_model_is_a_version_of_tensorflow_serving(tmp_path: Path) -> None:
    model = folder_model(tmp_path / "keras", "saved_model.pb", "variables/variables.index")
    assert detect(model) == "savedmodel"
    assert files(lay_out(model, "savedmodel", "tensorflow", "mnist", tmp_path / "served")) == {
        "mnist/1/saved_model.pb",
        "mnist/1/variables/variables.index",
    }


@pytest.mark.parametrize(
    ("server", "name", "implementation"),
    [
        ("sklearn", "model.joblib", "mlserver_sklearn.SKLearnModel"),
        ("sklearn", "model.pkl", "mlserver_sklearn.SKLearnModel"),
        ("xgboost", "model.ubj", "mlserver_xgboost.XGBoostModel"),
    ],
)
def test_mlserver_gets_a_folder_with_settings(tmp_path: Path, server: Server, name: str, implementation: str) -> None:
    model = registry_world.model_file(tmp_path, b"content", f"trained{Path(name).suffix}")
    folder = lay_out(model, detect(model), server, "digits", tmp_path / "served", allow_pickle=True)
    assert files(folder) == {"model-settings.json", name}
    settings = json.loads((folder / "model-settings.json").read_text())
    assert settings == {"name": "digits", "implementation": implementation, "parameters": {"uri": f"./{name}"}}


def test_mlserver_gets_an_mlflow_model_as_a_folder(tmp_path: Path) -> None:
    model = folder_model(tmp_path / "flow", "MLmodel", "model.onnx")
    assert detect(model) == "mlflow"
    folder = lay_out(model, "mlflow", "mlflow", "digits", tmp_path / "served")
    assert files(folder) == {"model-settings.json", "model/MLmodel", "model/model.onnx"}


def test_a_pickled_model_is_laid_out_only_on_request(tmp_path: Path) -> None:
    model = registry_world.model_file(tmp_path, b"content", "m.joblib")
    with pytest.raises(UserError, match=r"is pickled \(joblib\).*serve.allowPickle: true"):
        lay_out(model, "joblib", "sklearn", "digits", tmp_path / "served")
    assert not (tmp_path / "served").exists()


@pytest.mark.parametrize("server", get_args(Server))
@pytest.mark.parametrize("model_format", get_args(Format))
def test_a_server_that_cannot_names_those_that_can(tmp_path: Path, server: Server, model_format: Format) -> None:
    if model_format in SERVED[server]:
        assert server in servers(model_format)
        return
    with pytest.raises(UserError) as caught:
        lay_out(tmp_path / "model", model_format, server, "digits", tmp_path / "served")
    for able in servers(model_format):
        assert able in str(caught.value)
    assert model_format in str(caught.value) and servers(model_format)


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path: Path) -> None:
    folder_model(tmp_path / "served", "mine")
    with pytest.raises(UserError, match="must be empty"):
        lay_out(registry_world.model_file(tmp_path), "onnx", "onnx", "digits", tmp_path / "served")


def test_a_format_is_told_by_its_files(tmp_path: Path) -> None:
    booster = registry_world.model_file(tmp_path, b'{"learner":{}}', "booster.json")
    other = registry_world.model_file(tmp_path, b'{"weights":[]}', "other.json")
    named = {
        name: registry_world.model_file(tmp_path, b"x", name) for name in ("a.joblib", "a.PKL", "a.skops", "a.bin")
    }
    assert (detect(booster), detect(other)) == ("xgboost", "other")
    assert [detect(path) for path in named.values()] == ["joblib", "pickle", "skops", "other"]
    assert detect(registry_world.model_file(tmp_path)) == "onnx"


def test_an_onnx_file_whose_weights_lie_elsewhere_is_refused_alone(tmp_path: Path) -> None:
    model = onnx.load_from_string(registry_world.graph([("x", FLOAT, ["N", 2])], [("y", FLOAT, ["N", 2])]))
    model.graph.initializer.append(helper.make_tensor("w", FLOAT, [2000], bytes(8000), raw=True))
    folder = tmp_path / "model"
    folder.mkdir()
    onnx.save(model, folder / "model.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    with pytest.raises(UserError, match=r"its weights are in weights\.bin, which would stay behind"):
        detect(folder / "model.onnx")
    assert detect(folder) == "onnx"
    assert files(lay_out(folder, "onnx", "triton", "digits", tmp_path / "served")) == {
        "digits/1/model.onnx",
        "digits/1/weights.bin",
        "digits/config.pbtxt",
    }
