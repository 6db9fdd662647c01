"""Another share for the canary of a running gateway: its configuration, and the command's refusals."""

from __future__ import annotations

from pathlib import Path

import gateway_world as gw
import pytest

from aiga.errors import UserError
from aiga.serving.deploy import claim
from aiga.serving.deploy.shift import shift, write
from aiga.serving.gateway.deployment import Deployment, load


def configured(folder: Path, *weights: tuple[str, float]) -> Path:
    file = folder / "gateway.json"
    predictors = [gw.predictor(name, weight, kind="raw") for name, weight in weights]
    write(file, Deployment.model_validate(gw.config(*predictors)))
    return file


@pytest.mark.parametrize("share", [0, 50, 100])
def test_what_the_canary_does_not_get_the_main_version_gets(tmp_path: Path, share: float) -> None:
    file = configured(tmp_path, ("main", 90), ("canary", 10))
    shift(file, share)
    assert {p.name: p.weight for p in load(file).predictors} == {"main": 100 - share, "canary": share}
    assert list(tmp_path.iterdir()) == [file], "no draft is left"


@pytest.mark.parametrize("share", [-1, 100.5])
def test_a_share_that_is_none_changes_nothing(tmp_path: Path, share: float) -> None:
    file = configured(tmp_path, ("main", 90), ("canary", 10))
    before = file.read_bytes()
    with pytest.raises(UserError, match="between 0 and 100"):
        shift(file, share)
    assert file.read_bytes() == before


def test_without_a_canary_it_says_how_to_have_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"without a canary \(aiga serve --canary staging\)"):
        shift(configured(tmp_path, ("main", 100)), 10)


def test_who_serves_a_project_can_be_told(tmp_path: Path) -> None:
    lock = tmp_path / "digits.lock"
    assert not claim.held(lock)
    with claim.project("digits", lock, "http://127.0.0.1:1"):
        assert claim.held(lock)
        with (
            pytest.raises(UserError, match=r"digits: is served already: at http://127\.0\.0\.1:1"),
            claim.project("digits", lock, "http://127.0.0.1:2"),
        ):
            pass
    assert not claim.held(lock)
