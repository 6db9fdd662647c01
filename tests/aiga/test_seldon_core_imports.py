"""What classes import of seldon_core, and what they are told of the rest."""

from __future__ import annotations

import importlib
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aiga.errors import UserError
from aiga.serving.runtimes import seldon_core
from aiga.serving.runtimes.seldon_class import load_class


@pytest.fixture(autouse=True)
def _importing() -> Iterator[None]:
    """What a test imports is forgotten after it."""
    modules, path = set(sys.modules), list(sys.path)
    yield
    for name in set(sys.modules) - modules:
        if name == "unit" or name.partition(".")[0] == "seldon_core":
            del sys.modules[name]
    sys.path[:] = path


def loaded(folder: Path, code: str) -> type:
    (folder / "unit.py").write_text(f"{code}\nclass Unit: pass\n")
    return load_class("unit:Unit", folder)


@pytest.mark.parametrize(
    "code",
    [
        "import seldon_core; seldon_core.Storage.download, seldon_core.__version__",
        "from seldon_core import Storage, utils; utils.getenv",
        "from seldon_core.storage import Storage",
        "import seldon_core.utils as scu; scu.extract_request_parts_json",
        "from seldon_core.utils import getenv_as_bool, grpc_datadef_to_array",
        "from seldon_core.utils import *\nfrom seldon_core.user_model import *\nclient_predict, getenv, prediction_pb2",
        "from seldon_core.user_model import SeldonComponent, SeldonNotImplementedError, client_custom_tags",
        "from seldon_core.proto import prediction_pb2; prediction_pb2.SeldonMessage",
        "from seldon_core.proto.prediction_pb2 import DefaultData",
        "from seldon_core.flask_utils import SeldonMicroserviceException",
        "from seldon_core.metrics import DEFAULT_LABELS; DEFAULT_LABELS['seldon_deployment_name']",
        "from seldon_core.env_utils import NONIMPLEMENTED_MSG, get_model_name",
    ],
)
def test_imports_of_seldons_own_classes_work(tmp_path: Path, code: str) -> None:
    assert loaded(tmp_path, code).__name__ == "Unit"


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import seldon_core.wrapper", r"seldon_core\.wrapper: is not .* has Storage and the modules .*, utils \(put"),
        ("from seldon_core import microservice", r"seldon_core\.microservice: is not .* and the modules env_utils"),
        ("from seldon_core.seldon_client import SeldonClient", r"seldon_core\.seldon_client: is not "),
        (
            "from seldon_core.utils import setup_tracing",
            r"utils\.setup_tracing: is not .* seldon_core\.utils has .*getenv",
        ),
        (
            "from seldon_core.user_model import client_custom_metrics",
            r"client_custom_metrics: .* has SeldonComponent, ",
        ),
        ("from seldon_core.proto import prediction_pb2_grpc", r"seldon_core\.proto has prediction_pb2 \(put a copy"),
        ("from seldon_core.proto.prediction_pb2 import SeldonMessageList", r"has DefaultData, Feedback, Meta, "),
        ("import seldon_core.utils\nseldon_core.utils.setup_tracing", r"utils\.setup_tracing: is not in what aiga has"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(tmp_path: Path, code: str, told: str) -> None:
    with pytest.raises(UserError, match=told) as caught:
        loaded(tmp_path, code)
    assert "or do without it" in str(caught.value) and "requirements.txt" not in str(caught.value)


def test_a_class_may_try_an_import_and_go_on_without(tmp_path: Path) -> None:
    code = "try:\n from seldon_core.utils import setup_tracing\nexcept ImportError:\n setup_tracing = None"
    assert loaded(tmp_path, f"{code}\nimport seldon_core\nassert not hasattr(seldon_core, 'wrapper')")


def test_modules_of_ours_and_of_seldons_name_are_the_same() -> None:
    seldon_core.install()
    for name in ("user_model", "flask_utils", "proto.prediction_pb2"):
        ours = importlib.import_module(f"aiga.serving.runtimes.seldon_core.{name}")
        assert importlib.import_module(f"seldon_core.{name}") is ours, "what a class raises would not be recognised"


def test_an_object_without_a_module_can_still_be_pickled() -> None:
    seldon_core.install()

    def homeless() -> None: ...

    homeless.__module__, homeless.__qualname__ = None, "nowhere"  # pickle asks all modules for the name
    with pytest.raises((pickle.PicklingError, AttributeError), match="nowhere"):
        pickle.dumps(homeless)
