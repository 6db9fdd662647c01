"""The graph of a project's steps."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from spec_projects import projects, text
from spec_world import FILE, SOURCE, graph

from aiga.errors import UserError
from aiga.spec import Graph, Project
from aiga.spec.base import plain
from aiga.spec.explain import explain
from aiga.spec.graph import Address
from aiga.spec.load import loads

WHOLE = """\
sources:
  raw: {kind: files, path: data.csv}
  edges: {kind: files, path: edges.csv}
evaluate:
  run: a:b
  in: [test]
  out: [predictions.csv]
  suites: [{name: hard, version: 1, data: edges}]
train:
  run: a:b
  in: [rows, threshold, labels]
  out: [model.onnx]
label: {data: split.rows}
etl:
  - {name: split, run: a:b, in: {table: clean.table}, out: [rows.csv, test.csv]}
  - {name: clean, run: a:b, in: [raw], out: [table.csv], returns: {threshold: number}}
  - {name: alone, run: a:b}
"""


def test_steps_stand_after_what_they_take_and_else_as_in_the_file() -> None:
    assert [node.name for node in graph(WHOLE).nodes] == ["clean", "split", "alone", "label", "train", "evaluate"]


def test_each_argument_is_what_one_source_or_step_gives() -> None:
    found = graph(WHOLE)
    assert found.node("clean").needs == {"raw": Address("source:raw", "raw")}
    assert found.node("label").needs == {"data": Address("split", "rows")}
    assert found.node("train").needs == {
        "rows": Address("split", "rows"),
        "threshold": Address("clean", "threshold", "number"),
        "labels": Address("label", "labels"),
    }


def test_values_are_told_from_files() -> None:
    needs = graph(WHOLE).node("train").needs
    assert needs["threshold"].scalar and not needs["rows"].scalar


def test_evaluation_gets_the_trained_model_unasked() -> None:
    node = graph(WHOLE).node("evaluate")
    assert node.needs["model"] == Address("train", "model")
    assert node.suites == {"hard": Address("source:edges", "edges")}


def test_evaluation_gets_the_model_of_an_address_where_none_is_trained() -> None:
    (node,) = graph("evaluate: {run: a:b, model: digits@3}").nodes
    assert node.needs["model"].model == "digits@3" and node.needs["model"].step is None


def test_who_takes_from_a_step_directly_and_in_the_end() -> None:
    found = graph(WHOLE)
    assert [node.name for node in found.consumers("clean")] == ["split", "train"]
    assert [node.name for node in found.downstream("split")] == ["label", "train", "evaluate"]
    assert [node.name for node in found.consumers("source:edges")] == ["evaluate"]
    assert found.downstream("evaluate") == ()


def test_a_step_may_give_an_output_the_name_of_its_own_input() -> None:
    found = graph(SOURCE + "etl: [{name: clean, run: a:b, in: [raw], out: [raw.csv]}]")
    assert found.node("clean").needs["raw"].source == "raw"


def test_a_project_that_was_not_loaded_from_a_file_is_refused_in_words() -> None:
    step = {"name": "a", "run": "a:b", "in": {"x": "y"}}
    project = Project.model_validate({"apiVersion": "aiga.dev/v1", "name": "p", "etl": [step]})
    with pytest.raises(UserError, match=r"etl\[0\]\.in\.x: y: produced by 0"):
        Graph.of(project)


@given(projects())
@settings(max_examples=60, deadline=None)
def test_any_valid_project_is_accepted_and_its_graph_has_no_cycle(file: dict[str, Any]) -> None:
    project = loads(text(file).encode(), FILE).project
    seen: set[str] = set()
    nodes = Graph.of(project).nodes
    for node in nodes:
        assert {address.step for address in node.takes if address.step} <= seen
        seen.add(node.name)
    expected = {step.name for step in project.etl} | {name for name in ("train", "evaluate") if name in file}
    assert seen == expected and len(nodes) == len(expected)
    for node in nodes:
        assert len(node.needs) == len(getattr(node.work, "inputs", ())) + (node.kind == "evaluate")


@given(projects())
@settings(max_examples=30, deadline=None)
def test_any_valid_project_says_what_its_file_says_twice_alike(file: dict[str, Any]) -> None:
    first, second = (loads(text(file).encode(), FILE) for _ in range(2))
    assert list(map(str, explain(first))) == list(map(str, explain(second)))
    for step, given_step in zip(plain(first.project)["etl"], file["etl"], strict=True):
        assert step["parameters"] == given_step["parameters"]
        assert list(map(type, step["parameters"].values())) == list(map(type, given_step["parameters"].values()))
    assert Project.model_validate(plain(first.project)) == first.project
