"""projects/digits as the README has it: from data to a model in production, again, and reproduced."""

from __future__ import annotations

import shutil

import pytest
import yaml
from runner_projects import ROOT, Made, states, tag

STEPS = {"extract", "check", "split", "train", "evaluate"}


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("projects") / "digits"
    shutil.copytree(ROOT / "projects" / "digits", folder, ignore=shutil.ignore_patterns(".aiga", "__pycache__"))
    return Made(folder, folder.parent / "home")


@pytest.fixture(scope="module")
def ran(digits: Made) -> str:
    """What the first run printed."""
    return digits.aiga("run")


def test_it_ends_with_an_accurate_model_in_production(digits: Made, ran: str) -> None:
    assert "model digits@1 is in production" in ran
    assert states(ran) == dict.fromkeys(STEPS, "done")
    (evidence,) = (digits.home / "store").rglob("model.yaml")
    assert yaml.safe_load(evidence.read_text())["metrics"]["accuracy"] >= 0.97
    trained = digits.home / "store" / "digits" / "runs" / tag(ran) / "train" / "metadata.yaml"
    trials = yaml.safe_load(trained.read_text())["trials"]
    assert len(trials) >= 12
    assert len({trial["state"] for trial in trials} & {"complete", "pruned"}) >= 1


def test_its_lineage_ends_at_the_datas_digest(digits: Made, ran: str) -> None:
    told = digits.aiga("lineage", tag(ran))
    assert "digits@1" in digits.aiga("lineage", "production")
    extracted = digits.home / "store" / "digits" / "runs" / tag(ran) / "extract" / "metadata.yaml"
    digest = yaml.safe_load(extracted.read_text())["outputs"]["digits"]["digest"]
    assert digest[:19] in told, "a digest is shortened, as people compare them"


def test_a_page_shows_trials_confusion_and_lineage(digits: Made, ran: str) -> None:
    digits.aiga("report", "--out", "page.html")
    page = (digits.folder / "page.html").read_text()
    assert page.count("<svg") >= 3
    assert all(word in page.lower() for word in ("trial", "confusion", "lineage"))


def test_the_second_run_does_nothing_again(digits: Made, ran: str) -> None:
    again = states(digits.aiga("run"))
    assert again.keys() >= STEPS
    assert set(again.values()) == {"reused"}


def test_the_model_can_be_reproduced(digits: Made, ran: str) -> None:
    assert "digits@1: equal" in digits.aiga("reproduce", "1")
