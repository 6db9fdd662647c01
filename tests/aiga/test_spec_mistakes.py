"""What is said of single wrong values, and that all of it is said at once."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spec_projects import FULL, projects, text
from spec_world import HEAD, SOURCE, TRAIN, mistakes, said

from aiga.errors import UserError
from aiga.spec import SpecError, load

TABLE = [
    ("train: {run: a:b, out: [model], serach: 1}\n", "3: train.serach: 1: unknown key (did you mean search?)", True),
    ("timout: 1h\n", "3: timout: 1h: unknown key (did you mean timeout?)", True),
    ("schedule:\n  evaluate_production: 0 3 * * 0\n", "did you mean evaluateProduction?", False),
    ("train:\n  in: []\n", "3: train.run: missing: is required (add run: Function (module:function) or command)", True),
    ("resources:\n  gpu: '1'\n", "4: resources.gpu: 1: must be a whole number (such as 2, without quotes)", True),
    ("resources:\n  gpu: 1.5\n", "4: resources.gpu: 1.5: must be a whole number (such as 2, without quotes)", True),
    ("resources:\n  cpu: true\n", "4: resources.cpu: true: must be a number (such as 0.5, without quotes)", True),
    ("resources:\n  cpu: .inf\n", "4: resources.cpu: Infinity: must be a finite number", False),
    ("resources:\n  cpu: 0\n", "4: resources.cpu: 0: must be above 0 (CPU cores; not limited when left out)", True),
    ("resources:\n  spot: yes\n", "4: resources.spot: yes: must be true or false (without quotes)", True),
    ("resources: 3\n", "3: resources: 3: must be a map (key: value, indented under it)", True),
    ("etl: {}\n", "3: etl: {}: must be a list (in brackets, or one item a line after a hyphen)", True),
    ("description: 3\n", "3: description: 3: must be text (put it in quotes)", True),
    ("timeout: 30\n", "3: timeout: 30: must be a duration: numbers with a unit of ms, s, m, h or d", False),
    ("resources:\n  memory: 2GB\n", "4: resources.memory: 2GB: must be a size in bytes", False),
    ("sources:\n  1st: {kind: files, path: a}\n", "4: sources.1st: 1st: must be at most 63 letters", False),
    ("sources:\n  a: {kind: fiels, path: a}\n", "(did you mean files?)", False),
    ("sources:\n  a:\n    path: a\n", "4: sources.a.kind: missing: is required (add kind: one of files, http", False),
    (
        "approve:\n  onTimeout: rejected\n",
        "4: approve.onTimeout: rejected: must be one of reject, approve (did you mean reject?)",
        True,
    ),
    (
        "sources:\n  a: {kind: dataset, dataset: 3, version: newest}\n",
        "4: sources.a.version: newest: must be a whole number or latest (a single value of these kinds)",
        False,
    ),
    ("schedule:\n  retrain: 61 * * * *\n", "4: schedule.retrain: 61 * * * *: must be a cron line: minute 61", False),
]


@pytest.mark.parametrize(("text", "message", "whole"), TABLE, ids=[row[1] for row in TABLE])
def test_a_wrong_value_is_told_with_its_line_the_rule_and_a_remedy(text: str, message: str, whole: bool) -> None:
    found = said(text)
    assert message in found if whole else any(message in line for line in found), found


def test_canary_steps_that_do_not_rise_to_100_say_which_they_are() -> None:
    text = "serve:\n  model: a@1\n  strategy: {type: canary, steps: [10, 50]}\n"
    assert said(text)[0].endswith("steps must rise and end at 100, got 10, 50 (such as steps: [10, 50, 100])")


def test_a_search_without_an_objective_is_told_on_the_line_of_the_search() -> None:
    text = SOURCE + "train:\n  run: a:b\n  out: [model.onnx]\n  search:\n    space: {lr: {log: [1e-4, 0.1]}}\n"
    assert said(text) == ["7: train.search.objective: missing: is required (add objective: What is sought)"]


def test_a_dimension_of_no_kind_is_told_what_there_is() -> None:
    text = "train:\n  run: a:b\n  out: [model]\n  search:\n    objective: {metric: a}\n    space: {lr: {lgo: [1, 2]}}\n"
    (found,) = said(text)
    assert found.startswith('8: train.search.space.lr: {"lgo": [1, 2]}: must be one of {float: [low, high]}')


def test_a_wrong_end_of_a_range_is_one_mistake() -> None:
    text = SOURCE + TRAIN.replace("}", ", search: {objective: {metric: a}, space: {lr: {log: [0.1, [x]]}}}}")
    assert said(text) == ['4: train.search.space.lr.log[1]: ["x"]: must be a number (such as 0.5, without quotes)']


def test_keys_of_a_model_whose_name_is_a_unions_tag_keep_their_path() -> None:
    found = said("sources:\n  a:\n    kind: dataset\n    dataset: own\n    project: [1]\n")
    assert found == ["7: sources.a.project: [1]: must be text (put it in quotes)"]


@pytest.mark.parametrize(
    "text",
    [
        "secrets: hunter2\n",
        "secrets: {token: hunter2}\n",
        "secrets: {token: {env: TOKEN, value: hunter2}}\n",
        "secrets: {token: {env: hunter2}}\n",
        "secrets: {token: {env: TOKEN, description: [hunter2]}}\n",
        "sources: {a: {kind: sql, url: 'postgresql://me:hunter2@host/db', query: select 1}}\n",
        "sources: {a: {kind: sql, url: 'sqlite://', query: select 1, password: hunter2}}\n",
        "notify: [{kind: slack, secret: 'https://hooks.example.org/hunter2'}]\n",
    ],
)
def test_no_message_shows_what_may_be_a_secret(text: str) -> None:
    found = said(text)
    assert found and not any("hunter2" in line for line in found), found


def test_long_and_many_lined_values_are_shortened_to_one_line() -> None:
    (found,) = said(f"timeout: |\n  {'x' * 300}\n  {'y' * 300}\n")
    assert "\n" not in found and len(found) < 250 and "x…" in found


ALL = """\
sources:
  raw: {kind: files, path: data.csv, patern: x}
etl:
  - {name: first, run: "a:b", in: [raww], out: [rows.csv]}
  - {name: second, in: [rows], out: [more.csv]}
  - {name: third, run: "a:b", in: [late], out: [early]}
  - {name: fourth, run: "a:b", in: [early], out: [late]}
evaluate:
  run: a:b
  model: digits@1
  gates:
    - {kind: thresh, metric: accuracy}
    - {kind: threshold, metric: recal, min: 0.9}
serve:
  model: digits@1
  timeout: 5
"""


def test_wrong_fields_and_broken_rules_are_told_together_in_the_order_of_lines() -> None:
    found = said(ALL)
    assert [line.split(": ")[:2] for line in found] == [
        ["4", "sources.raw.patern"],
        ["7", "etl[1].run"],
        ["8", "etl[2].in"],
        ["14", "evaluate.gates[0].kind"],
        ["15", "evaluate.gates[1].metric"],
        ["18", "serve.timeout"],
    ]


def test_a_rule_says_nothing_of_what_may_be_the_fault_of_another_mistake() -> None:
    text = SOURCE + "train:\n  run: a:b\n  in: [rows]\n  outs: [model.onnx]\netl:\n  - {name: clean, out: [rows.csv]}\n"
    assert [line.split(": ")[1] for line in said(text)] == ["train.outs", "etl[0].run"]


def test_a_wrong_name_and_version_do_not_hide_the_rest() -> None:
    found = mistakes("apiVersion: aiga.dev/v2\nname: Digits\n" + TRAIN)
    assert [line.split(": ")[1] for line in found] == ["apiVersion", "name", "train.in[0]"]


def test_a_folder_and_its_file_are_the_same_project(tmp_path: Path) -> None:
    (tmp_path / "project.yaml").write_text(HEAD)
    assert load(tmp_path) == load(tmp_path / "project.yaml")
    assert load(tmp_path).project.name == "digits"


def test_a_file_that_is_not_there_is_told_with_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such file"):
        load(tmp_path)


def test_mistakes_name_the_file_as_it_was_given(tmp_path: Path) -> None:
    file = tmp_path / "other.yaml"
    file.write_text("apiVersion: aiga.dev/v1\n")
    with pytest.raises(SpecError) as caught:
        load(file)
    assert str(caught.value) == f"{file}:1: name: missing: is required (add name: The project's name)"
    assert caught.value.exit_code == UserError.exit_code


ATOMS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.sampled_from(["", "a", "x.y"])
)
KEYS = st.sampled_from(["kind", "name", "run", "in", "serve", "[key]", "model", "", "1"])
JUNK = st.recursive(ATOMS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3))


@given(st.one_of(projects(), st.just(FULL)), st.data())
@settings(max_examples=80, deadline=None)
def test_a_file_with_any_parts_replaced_is_loaded_or_told_in_whole_lines(
    whole: dict[str, Any], data: st.DataObject
) -> None:
    file = copy.deepcopy(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        parent, key = data.draw(st.sampled_from(_places(file)))
        other = data.draw(st.one_of(st.none(), KEYS)) if isinstance(parent, dict) else None
        parent[key if other is None else other] = copy.deepcopy(data.draw(JUNK))
    for line in mistakes(text(file)):
        assert re.match(r"[1-9]\d*: .+: .+: .+ \(.+\)$", line), line


def _places(file: Any) -> list[tuple[Any, Any]]:
    """Every key of every map and every index of every list in the file."""
    keys = file.keys() if isinstance(file, dict) else range(len(file)) if isinstance(file, list) else ()
    return [found for key in keys for found in ((file, key), *_places(file[key]))]
