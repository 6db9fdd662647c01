"""Environments of servers: what is installed, and when it is made anew; nothing is installed here."""

from __future__ import annotations

from pathlib import Path

import pytest

from aiga.errors import UserError
from aiga.serving.servers import environment
from aiga.serving.servers.environment import Needs, lines, of

ONNX = Needs(frozenset({"onnx"}))


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIGA_ENVIRONMENTS", str(tmp_path / "environments"))


def written(folder: Path, text: str) -> Path:
    file = folder / "requirements.txt"
    file.write_text(text)
    return file


def names(said: list[str]) -> set[str]:
    return {line.split("==")[0].split(";")[0].strip() for line in said}


def folder(needs: Needs) -> Path:
    return of(needs).folder


def test_every_requirement_of_ours_is_exact_and_bounded() -> None:
    asked, bounds = lines(Needs(frozenset({"onnx", "sklearn", "xgboost", "mlflow"})))
    assert all("==" in line for line in (*asked, *bounds))
    assert set(asked) <= set(bounds), "constraints.txt is of other requirements: resolve them again"


def test_the_common_server_needs_none_of_the_others_packages() -> None:
    assert not names(lines(ONNX)[0]) & {"scikit-learn", "xgboost", "mlflow"}
    assert "mlflow" in names(lines(Needs(frozenset({"mlflow"})))[0])


def test_a_model_brings_its_own_version(tmp_path: Path) -> None:
    asked, bounds = lines(Needs(frozenset({"sklearn"}), packages={"scikit-learn": "1.5.2"}))
    assert [line for line in asked if line.startswith("scikit-learn")] == ["scikit-learn==1.5.2"]
    assert not [line for line in bounds if line.startswith("scikit-learn==")]


def test_a_projects_requirements_come_first_but_the_server_stays_what_it_is(tmp_path: Path) -> None:
    file = written(tmp_path, "NumPy==1.26.4  # old\nmlserver==1.0\nseldon_core==1.17.1\n-r more.txt\ntorch>=2\n")
    asked, bounds = lines(Needs(frozenset({"custom"}), (file,)))
    assert {"NumPy==1.26.4", "torch>=2", f"-r {tmp_path.resolve() / 'more.txt'}"} <= set(asked)
    assert "mlserver==1.7.1" in asked and not {"mlserver==1.0", "seldon_core==1.17.1", "numpy==2.4.6"} & set(asked)
    assert bounds == []


def test_an_environment_is_named_by_content(tmp_path: Path) -> None:
    first = written(tmp_path, "torch==2.0\n")
    one = folder(Needs(frozenset({"custom"}), (first,)))
    elsewhere = tmp_path / "copy"
    elsewhere.mkdir()
    assert folder(Needs(frozenset({"custom"}), (written(elsewhere, "torch==2.0\n"),))) == one
    written(tmp_path, "torch==2.1\n")
    assert folder(Needs(frozenset({"custom"}), (first,))) != one
    assert folder(ONNX) == folder(Needs()) and folder(ONNX) != one


def test_needs_of_several_models_come_together() -> None:
    both = Needs(frozenset({"onnx"}), (Path("a"),)) | Needs(frozenset({"sklearn"}), (Path("a"), Path("b")), {"x": "1"})
    assert both == Needs(frozenset({"onnx", "sklearn"}), (Path("a"), Path("b")), {"x": "1"})


def test_without_a_python_that_fits_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment.sys, "version_info", (3, 13, 0))
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(UserError, match=r"MLServer needs Python 3\.11 or 3\.12, this is 3\.13.*or uv"):
        environment.ensure(ONNX, lambda line: None)
