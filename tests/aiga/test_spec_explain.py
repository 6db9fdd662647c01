"""Every value that holds, and where it comes from; blocks that nothing acts on yet."""

from __future__ import annotations

import pytest
from spec_world import loaded, project

from aiga.spec.explain import explain, inactive

TEXT = """\
timeout: 1h
resources: {memory: 2Gi}
sources:
  raw: {kind: files, path: data.csv}
etl:
  - name: clean
    run: a:b
    in:
      - raw
    parameters: {rate: 1e-4, on: on}
  - {name: next, run: a:b, timeout: 5m}
"""


@pytest.fixture(scope="module")
def rows() -> dict[str, tuple[str, str]]:
    return {row.path: (row.value, row.origin) for row in explain(loaded(TEXT))}


@pytest.mark.parametrize(
    ("path", "value", "origin"),
    [
        ("name", "digits", "project.yaml:2"),
        ("timeout", "1h", "project.yaml:3"),
        ("resources.memory", "2Gi", "project.yaml:4"),
        ("resources.gpu", "0", "default"),
        ("sources.raw.path", "data.csv", "project.yaml:6"),
        ("sources.raw.expect", "none", "default"),
        ("etl[0].in.raw", "raw", "project.yaml:11"),
        ("etl[0].parameters.rate", "0.0001", "project.yaml:12"),
        ("etl[0].parameters.on", "on", "project.yaml:12"),
        ("etl[0].timeout", "1h", "timeout, project.yaml:3"),
        ("etl[0].resources.memory", "2Gi", "resources, project.yaml:4"),
        ("etl[0].retries.limit", "0", "retries, default"),
        ("etl[1].timeout", "5m", "project.yaml:13"),
        ("etl[1].cache", "true", "default"),
        ("train", "none", "default"),
    ],
)
def test_each_value_has_its_origin(rows: dict[str, tuple[str, str]], path: str, value: str, origin: str) -> None:
    assert rows[path] == (value, origin)


def test_no_value_is_shortened(rows: dict[str, tuple[str, str]]) -> None:
    long = "x" * 500
    assert any(row.value == long for row in explain(loaded(f"description: {long}\n")))
    assert len(rows) == len(explain(loaded(TEXT))), "each path is there once"


def test_blocks_that_nothing_acts_on_say_so() -> None:
    found = inactive(
        project(
            "serve: {model: a@1}\nmonitors: [{name: a, kind: drift}]\npolicy: [{when: a, do: [alert]}]\n"
            "alerts: [{name: a, expression: up}]\nnotify: [{kind: slack, secret: s}]\nsecrets: {s: {env: S}}\n"
            "evaluate: {run: a:b, model: a@1}\nschedule: {evaluateProduction: 0 3 * * 0}\n"
        )
    )
    blocks = [line.split(":")[0] for line in found]
    assert blocks == ["monitors", "policy", "alerts", "notify", "schedule.evaluateProduction"]
    assert all("does not act on it" in line and "\n" not in line for line in found)


def test_what_serving_does_not_act_on_is_told_where_the_file_says_it() -> None:
    serve = "{model: a@1, replicas: {max: 3}, strategy: {type: canary, steps: [10, 100], abortOn: [errors>1%]}}"
    found = inactive(project(f"serve: {serve}\n"))
    keys = [line.split(":")[0] for line in found]
    assert keys == ["serve.replicas", "serve.strategy.abortOn", "serve.strategy.steps"]
    assert inactive(project("serve: {model: a@1, strategy: {type: canary}}\n")) == []


def test_what_only_a_cluster_has_is_told() -> None:
    steps = "etl: [{name: a, run: a:b, image: x, resources: {spot: true}}]\nresources: {gpu: 1, cpu: 2}\n"
    keys = [line.split(":")[0] for line in inactive(project(steps))]
    assert keys == ["resources.gpu", "etl[0].image", "etl[0].resources.spot"]


def test_a_project_without_them_says_nothing() -> None:
    assert inactive(project(TEXT)) == []
