"""Hypothesis's valid projects, as the data of their files."""

from __future__ import annotations

import json
from typing import Any

import yaml
from hypothesis import strategies as st

SCALARS = st.one_of(
    st.booleans(),
    st.integers(-(2**60), 2**60),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"], exclude_characters="\ufeff\ufffe\uffff\u2028\u2029")),
)
DURATIONS = st.sampled_from(["1s", "10m", "1h30m", "250ms", "0.5d"])
DIMENSIONS = st.sampled_from(
    [{"float": [0, 1]}, {"log": [0.001, 1]}, {"int": [1, 9], "step": 2}, {"choice": ["a", 1, True, 0.5]}]
)


@st.composite
def projects(draw: st.DrawFn) -> dict[str, Any]:
    """A project whose steps take anything from sources and from steps before them, and stand in any order."""
    sources = [f"source_{index}" for index in range(draw(st.integers(0, 3)))]
    given: list[str] = [draw(st.sampled_from([name, f"source:{name}"])) for name in sources]
    steps = []
    for index in range(draw(st.integers(0, 6))):
        step = _work(draw, f"s{index}", given)
        steps.append({"name": f"step-{index}", **step})
        given += [f"step-{index}.{name}" for name in (*step["out"], *step["returns"])]
    file: dict[str, Any] = {"apiVersion": "aiga.dev/v1", "name": "made-up"}
    file["sources"] = {name: {"kind": "files", "path": f"{name}.csv"} for name in sources}
    file["etl"] = draw(st.permutations(steps))
    if draw(st.booleans()):
        file["train"] = _work(draw, "train", given)
        file["train"]["out"]["model"] = "model.onnx"
        if draw(st.booleans()):
            space = draw(st.dictionaries(st.sampled_from(["lr", "depth", "kind"]), DIMENSIONS, min_size=1))
            file["train"]["search"] = {"space": space, "objective": {"metric": "accuracy"}}
        if draw(st.booleans()):
            file["evaluate"] = _work(draw, "evaluate", [*given, "train.model"])
            file["evaluate"]["out"]["predictions"] = "predictions.csv"
            file["evaluate"]["gates"] = [{"kind": "threshold", "metric": "accuracy", "min": 0.5}]
    if draw(st.booleans()):
        file["timeout"] = draw(DURATIONS)
    return file


def _work(draw: st.DrawFn, prefix: str, given: list[str]) -> dict[str, Any]:
    taken = draw(st.lists(st.sampled_from(given), max_size=4)) if given else []
    made = range(draw(st.integers(0, 2)))
    return {
        "run": draw(st.sampled_from(["steps:do", "python do.py --fast"])),
        "in": {f"{prefix}_in_{index}": name for index, name in enumerate(taken)},
        "out": {f"{prefix}_out_{index}": f"{prefix}/{index}.csv" for index in made},
        "returns": {f"{prefix}_value_{index}": "number" for index in made},
        "parameters": {f"{prefix}_p_{index}": draw(SCALARS) for index in made},
    }


def text(file: dict[str, Any]) -> str:
    """The file's text: JSON, which is YAML 1.2."""
    return json.dumps(file, indent=1, ensure_ascii=False)


FULL: dict[str, Any] = yaml.safe_load(
    """
apiVersion: aiga.dev/v1
name: full
description: every block
sources:
  raw:
    kind: files
    path: data/*.csv
    expect:
      columns: {age: {type: integer, min: 0, max: 120}, kind: {values: [a, b]}}
      rows: {min: 10, duplicates: false}
  web: {kind: http, url: "https://example.org/a.csv", secret: token}
  bucket: {kind: s3, uri: "s3://bucket/prefix/", endpoint: "https://s3.example.org"}
  rows: {kind: sql, url: "sqlite:///a.db", query: select 1}
  other: {kind: dataset, dataset: clean, project: other, version: 3}
etl:
  - name: clean
    run: steps:clean
    in: [raw, web]
    out: [table.parquet, test.parquet]
    returns: {threshold: number}
    parameters: {rate: 0.5, fast: true}
    expect: {table: {only: true}}
    publish: {clean: {output: table}}
    resources: {cpu: 2, memory: 1Gi, tolerations: [{key: spot}], nodeSelector: {disk: ssd}}
    retries: {limit: 2, delay: 1s}
    secrets: [token]
label: {data: clean.table, need: 10}
train:
  run: train:train
  in: [table, labels, threshold]
  out: {model: model.onnx}
  search:
    method: tpe
    space: {lr: {log: [0.0001, 0.1]}, depth: {int: [1, 9]}, drop: {float: [0, 1]}, kind: {choice: [a, 1, true]}}
    objective: {metric: acc, goal: max}
    prune: {method: asha}
    budget: 1h
evaluate:
  run: evaluate:evaluate
  in: [test]
  out: [predictions.parquet]
  returns: {cost: number}
  metrics: [accuracy, f1]
  gates:
    - {kind: threshold, metric: cost, max: 3}
    - {kind: slice, metric: f1, by: kind, min: 0.5}
    - {kind: gap, metric: accuracy, by: kind, max: 0.1}
    - {kind: production, metric: accuracy}
    - {kind: latency, max: 20ms}
  suites: [{name: hard, version: 1, data: bucket}]
approve: {who: [ann], onTimeout: reject}
serve:
  server: onnx
  graph:
    name: top
    kind: router
    run: route:Router
    children: [{name: a, kind: model}, {name: b, kind: transformer, run: a:B, children: [{name: c, kind: model}]}]
  strategy: {type: canary, steps: [5, 50, 100]}
  replicas: {min: 1, max: 3}
  log: {sample: 0.5, redact: [name]}
monitors:
  - {name: inputs, kind: drift, test: psi}
  - {name: odd, kind: outlier}
  - {name: attack, kind: adversarial}
  - {name: quality, kind: quality, min: 0.9}
policy:
  - {when: inputs.drift, do: [alert, label, retrain], confirm: {alarms: 3, windows: 5}}
  - {when: attack, do: [takedown, rollback]}
alerts: [{name: slow, expression: up == 0}]
secrets: {token: {env: TOKEN}, hook: {env: HOOK}}
schedule: {retrain: "0 3 * * 0", evaluateProduction: "0 6 * * *", watch: 1h}
resources: {cpu: 1}
retries: {limit: 1}
timeout: 2h
notify: [{kind: slack, secret: hook}]
image: example.org/image
"""
)
"""A valid project with every block."""
