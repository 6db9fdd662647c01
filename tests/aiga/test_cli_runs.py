"""`aiga runs`, `compare`, `report`, `lineage`: what they print of runs, and the pages that they write."""

from __future__ import annotations

import html
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from runner_projects import PROJECT, STEPS, Made, made, tag

CURVED = STEPS.replace(
    '    print(json.dumps({"score": 1 - abs(rate - 0.3)}))\n',
    "    for epoch in range(4):\n"
    '        print(json.dumps({"step": epoch, "score": 1 - abs(rate - 0.3), "loss": 1 / (epoch + 1) / rate}))\n',
)
BROWSER = shutil.which("chromium")
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no browser; apt-get install chromium brings one")


@dataclass
class Twice:
    """A project that was run two times, with different parameters."""

    project: Made
    first: str
    second: str

    def aiga(self, *words: str, code: int = 0) -> str:
        return self.project.aiga(*words, code=code)


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> Twice:
    project = made(tmp_path_factory.mktemp("twice"), PROJECT, CURVED)
    for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "first")):
        named = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *words]
        subprocess.run(named, cwd=project.folder, check=True)
    first = tag(project.aiga("run"))
    project.write("notes.txt", "not committed")
    return Twice(project, first, tag(project.aiga("run", "-p", "rate=0.3")))


def page(path: Path) -> str:
    return html.unescape(path.read_text())


def test_a_comparison_has_a_plot_of_each_metric_and_its_curve_over_steps(twice: Twice, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "compare.html"
    told = twice.aiga("compare", twice.first, twice.second, "--out", str(out))
    assert f"comparison: {out}" in told and re.search(r"train\.rate\s+0\.25\s+0\.3\b", told)
    text = page(out)
    figures = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    titled = {name for name in ("accuracy", "train score", "train loss") for f in figures if f">{name}<" in f}
    assert titled == {"accuracy", "train score", "train loss"}
    loss = next(f for f in figures if ">train loss by step<" in f)
    assert twice.first in loss and twice.second in loss, "a legend says whose curve is whose"
    assert not re.search(r"""(src|href)=["'](?!#)""", text), "it needs no other file"
    assert "train.rate" in text and "make → numbers" not in text, "what is equal is left out"


@needs_browser
def test_a_comparison_is_seen_in_a_browser(twice: Twice, tmp_path: Path) -> None:
    out = tmp_path / "compare.html"
    twice.aiga("compare", twice.first, twice.second, "--out", str(out))
    assert BROWSER is not None
    shot = tmp_path / "seen.png"
    subprocess.run(
        [
            *(BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *(f"--user-data-dir={tmp_path}", f"--screenshot={shot}", "--window-size=1000,1600", out.as_uri()),
        ],
        check=True,
        timeout=60,
        capture_output=True,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    from matplotlib import image

    seen = image.imread(shot)[:, :, :3].reshape(-1, 3)
    for colour in ("#1769aa", "#d9822b"):
        wanted = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        assert (abs(seen - wanted) < 0.01).all(axis=1).sum() > 500, f"a run is drawn in {colour}"


def test_without_a_file_a_comparison_says_how_to_get_the_plots(twice: Twice) -> None:
    assert "--out" in twice.aiga("compare", twice.first, twice.second)
    assert "nothing differs" in twice.aiga("compare", twice.first, twice.first)


def test_a_report_is_written_where_it_is_told_to(twice: Twice, tmp_path: Path) -> None:
    assert f"{twice.project.home}/reports/line-{twice.second}.html" in twice.aiga("report")
    out = tmp_path / "report.html"
    assert f"report: {out}" in twice.aiga("report", twice.first, "--out", str(out))
    text = page(out)
    assert twice.first in text and "line@1" in text and ">accuracy<" in text and "<svg" in text
    assert "no such run" in twice.aiga("report", "20200101t000000-abcdef", code=2)


@pytest.mark.parametrize("words", [("report",), ("compare", "FIRST")])
def test_a_page_that_cannot_be_written_is_one_line(twice: Twice, words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / "page.html"
    told = twice.aiga(*(twice.first if word == "FIRST" else word for word in words), "--out", str(out), code=2)
    assert f"{out}: cannot be written: " in told and "(--out names another file)" in told


def test_the_lineage_of_a_run_is_that_of_what_it_ended_with(twice: Twice) -> None:
    told = twice.aiga("lineage", twice.second)
    assert f"run {twice.second}" in told and "model line@2" in told
    read = twice.project.home / "store" / "line" / "runs" / twice.first / "make" / "metadata.yaml"
    digest = yaml.safe_load(read.read_text())["outputs"]["numbers"]["digest"]
    assert digest[:19] in told, "it ends at the data"
    assert re.search(r"^└── predictions .*/evaluate", told, re.MULTILINE), "it ended with these"
    assert re.search(r"^    └── model .*/train", told, re.MULTILINE), "which were made of the model"
    assert "rate=0.3" in told
    assert "no such run" in twice.aiga("lineage", "20200101t000000-abcdef", code=2)


def test_lineage_tells_a_commit_with_changes_from_one_without(twice: Twice) -> None:
    commit = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=twice.project.folder, text=True)[:10]
    clean, changed = (twice.aiga("lineage", version) for version in ("line@1", "2"))
    assert f"commit {commit};" in clean and "with changes" not in clean
    assert f"commit {commit} with changes sha256:" in changed


def test_what_is_nowhere_is_said_with_where_ids_are_found(twice: Twice) -> None:
    told = twice.aiga("lineage", "a1b2c3", code=2)
    assert "a1b2c3: is no version and no run of line" in told and "seldon-puid" in told


def test_what_users_write_is_printed_as_it_is(tmp_path: Path) -> None:
    reason = "no data in [/data/x] or [abc], said :train:"
    head, raised = "def total(numbers: Path) -> dict:\n", f"    raise ValueError({reason!r})\n"
    failing = STEPS.replace(head, head + raised)
    project = made(tmp_path, PROJECT, failing)
    assert reason in project.aiga("run", code=1)
    assert reason in project.aiga("runs")
    project.change("steps.py", raised, "")
    project.change("project.yaml", "{count: 100}", '{count: 100, note: "[/red] [abc] :train:"}')
    project.change("steps.py", "count: int", "count: int, note: str")
    first = tag(project.aiga("run"))
    second = tag(project.aiga("run", "-p", "make.note=[bold] :rocket:"))
    compared = project.aiga("compare", first, second)
    assert "[/red] [abc] :train:" in compared and "[bold] :rocket:" in compared
    assert "note=[bold] :rocket:" in project.aiga("lineage", second)
    project.change("project.yaml", "run: steps:train\n", 'run: "train:train:"\n')
    assert "train:train:" in project.aiga("explain")


def test_what_seldom_is_right_is_told_when_a_file_is_checked(tmp_path: Path) -> None:
    search = "search: {objective: {metric: val/score, goal: max}, space: {rate: {float: [0, 1]}}}"
    train = f'train: {{run: "steps:train", out: {{model: model.json}}, {search}}}'
    project = made(tmp_path, f"apiVersion: aiga.dev/v1\nname: line\n{train}\n")
    told = project.aiga("validate")
    assert "warning: project.yaml:3: train.search.objective.metric: val/score: is no Python name" in told
    assert told.rstrip().endswith("valid")
