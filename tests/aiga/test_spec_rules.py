"""Rules that look at several fields: one table, a row for each way to break one."""

from __future__ import annotations

import pytest
from spec_projects import FULL, text
from spec_world import SOURCE, TRAIN, loaded, mistakes, said

from aiga.spec import Project

GATE = "evaluate:\n  run: a:b\n  model: a@1\n  in: [raw]\n"
GATES = SOURCE + GATE + "  gates: ["
BY_ROW = SOURCE + GATE + "  out: [predictions.csv]\n"
SUITES = SOURCE + GATE + "  out: [predictions]\n  suites: ["
SEARCH = SOURCE + "train:\n  run: a:b\n  in: [raw]\n  out: [model]\n  search:\n    objective: {metric: acc}\n"
GRAPH = "serve:\n  graph:\n    name: top\n    kind: router\n    run: a:B\n    children:\n"
STEP = SOURCE + "etl:\n  - name: clean\n    run: a:b\n    in: [raw]\n"

ROWS = [
    # what steps take from one another
    (SOURCE + "etl: [{name: a, run: a:b, in: [rwa]}]", "4: etl[0].in[0]: rwa: nobody produces it (did you mean raw?)"),
    (STEP + "    out: [rows.csv]\ntrain: {run: a:b, in: {x: clean.row}, out: [model]}", "(did you mean clean.rows?)"),
    (
        STEP + "    out: [rows.csv]\ntrain: {run: a:b, in: [clean], out: [model]}",
        "it is a step; take what it makes: clean.rows",
    ),
    (STEP + "    out: [raw.csv]\ntrain: {run: a:b, in: [raw], out: [model]}", "write source:raw or clean.raw"),
    (
        STEP + "    out: [rows.csv]\n  - {name: two, run: a:b, in: [own], out: [own]}",
        "9: etl[1].in[0]: own: nobody produces",
    ),
    (STEP.replace("[raw]", "{x: clean.y}") + "    out: [y]\n", "7: etl[0].in: clean -> clean: a cycle"),
    (
        "etl:\n  - {name: a, run: a:b, in: [y], out: [x]}\n  - {name: b, run: a:b, in: [x], out: [y]}\n"
        "  - {name: c, run: a:b, in: [w], out: [v]}\n  - {name: d, run: a:b, in: [v], out: [w]}\n",
        ["4: etl[0].in: a -> b -> a: a cycle: none of", "6: etl[2].in: c -> d -> c: a cycle: none of"],
    ),
    (STEP + "    returns: {n: integer}\nlabel: {data: n}", "9: label.data: n: is a value, not data"),
    # steps
    (STEP + "  - {name: clean, run: a:b}", "8: etl[1].name: clean: is the name of etl[0] too (rename one of them)"),
    (STEP + "  - {name: train, run: a:b}", "8: etl[1].name: train: is what the train block is called"),
    (STEP + "    parameters: {raw: 1}", "8: etl[0].parameters.raw: raw: is an input of this step too"),
    (
        STEP + "    parameters: {lambda: 1}",
        "8: etl[0].parameters.lambda: lambda: is a word of Python's (such as lambda_)",
    ),
    (
        TRAIN.replace("in: [raw]", "parameters: {seed: 1}"),
        "3: train.parameters.seed: seed: is an argument already: train.seed",
    ),
    (SOURCE + GATE + "  parameters: {model: x}", "8: evaluate.parameters.model: model: is an argument already"),
    (STEP + "    out: [n]\n    returns: {n: integer}", "8: etl[0].out[0]: n: is a value that this step returns too"),
    (STEP + "    out:\n      a: x.csv\n      b: ./x.csv", "10: etl[0].out.b: ./x.csv: is the file of output a too"),
    (STEP + "    out: {a: ../x}", "8: etl[0].out.a: ../x: must stay in the step's outputs"),
    (STEP + "    out: {a: /etc/x}", "must stay in the step's outputs"),
    (STEP + "    out: {a: x/../../y}", "must stay in the step's outputs"),
    (STEP + "    out: {a: ~/x}", "must stay in the step's outputs"),
    (STEP + "    out: {a: .}", "must name a file, not the folder of all outputs"),
    (STEP + "    out: {a: ''}", "must name a file"),
    (STEP + "    out: {a: 'x\\y'}", "must have / between folders"),
    (
        STEP + "    out: [rows.csv]\n    expect: {row: {}}",
        "9: etl[0].expect.row: row: is no output of this step (did you mean rows?)",
    ),
    (STEP + "    out: [rows.csv]\n    publish: {d: {output: row}}", "9: etl[0].publish.d.output: row: is no output"),
    (
        STEP
        + "    out: [r]\n    publish: {d: {output: r}}\n  - {name: two, run: a:b, out: [s], publish: {d: {output: s}}}",
        "10: etl[1].publish.d: d: is the name of etl[0].publish too",
    ),
    (SOURCE + "train: {run: a:b, in: [raw], out: [weights.pt]}", "4: train.out: weights: has no output model"),
    # search
    (SEARCH + "    space: {raw: {int: [1, 2]}}", "10: train.search.space.raw: raw: is an input of train too"),
    (SEARCH + "    space: {seed: {int: [1, 2]}}", "10: train.search.space.seed: seed: is an argument already"),
    (
        SEARCH + "    method: grid\n    space: {lr: {log: [1, 2]}}",
        '11: train.search.space.lr: {"log": [1.0, 2.0]}: a grid has no end',
    ),
    (SEARCH + "    method: grid\n    space: {lr: {float: [1, 2]}}", "a grid has no end of values here"),
    (
        SEARCH.replace("{metric: acc}", "{metric: acc}\n    space: {a: {int: [1, 2]}}") + "  returns: {acc: text}",
        "acc: is text, not a number",
    ),
    # evaluation
    (
        GATES + "{kind: threshold, metric: acuracy, min: 1}]",
        "8: evaluate.gates[0].metric: acuracy: nobody reports it (did you mean accuracy?",
    ),
    (GATES + "{kind: threshold, metric: cost, min: 1}]", "cost: nobody reports it (list it in evaluate.returns)"),
    (GATES + "{kind: threshold, metric: rmse, min: 1}]", "(list it in evaluate.returns or evaluate.metrics)"),
    (
        SOURCE + GATE + "  returns: {cost: text}\n  gates: [{kind: threshold, metric: cost, min: 1}]",
        "cost: is text, not a number",
    ),
    (
        BY_ROW + "  gates: [{kind: slice, metric: recall, by: g, min: 1}]",
        "recall: is not computed (add it to evaluate.metrics)",
    ),
    (
        BY_ROW + "  returns: {cost: number}\n  gates: [{kind: gap, metric: cost, by: g, max: 1}]",
        "cost: is not computed of predictions",
    ),
    (
        GATES + "{kind: production, metric: accuracy}]",
        "4: evaluate.out: nothing: has no output predictions, which gates[0] judges",
    ),
    (GATES + "{kind: threshold, metric: cost}]", "bounds nothing (give it min, max or both)"),
    (GATES + "{kind: threshold, metric: cost, min: 2, max: 1}]", "min 2 is above max 1"),
    (SUITES + "{name: s, version: 1, data: rwa}]", "9: evaluate.suites[0].data: rwa: nobody produces it"),
    (SUITES + "{name: s, version: 1, data: raw, argument: x}]", "x: is no input of evaluate (inputs are: raw)"),
    (
        SUITES.replace("[raw]", "{a: raw, b: raw}") + "{name: s, version: 1, data: raw}]",
        "evaluate has 2 inputs besides the model",
    ),
    ("evaluate: {run: a:b}", "3: evaluate.model: missing: is required where the project trains none"),
    (
        SOURCE + TRAIN + "evaluate: {run: a:b, model: a@1}",
        "5: evaluate.model: a@1: train makes the model (take it out)",
    ),
    ("approve: {}", "3: approve: approve: has no candidate to approve"),
    # serving
    ("serve: {server: custom}", "3: serve.run: missing: server custom needs run or graph"),
    ("serve: {}", "3: serve.model: missing: is required where the project trains none"),
    ("serve: {model: a@0}", "3: serve.model: a@0: must be a project's name, with @ and a version or a stage"),
    ("serve: {model: a@1, fallback: A}", "3: serve.fallback: A: must be a project's name, with @"),
    ("serve: {model: a@1, timeout: 0s}", "3: serve.timeout: 0s: must be above 0 and at most 1d"),
    ("serve: {model: a@1, circuit: {open: 2d}}", "3: serve.circuit.open: 2d: must be above 0 and at most 1d"),
    ("serve: {model: a@1, strategy: {type: ab, header: a b}}", "header: a b: must be at most 64 letters, digits"),
    ("serve: {server: custom, run: python a.py}", "3: serve.run: python a.py: must be module:Class"),
    ("serve: {model: a@1, parameters: {threds: 2}}", "3: serve.parameters.threds: 2: nothing takes it"),
    ("serve: {model: a@1, server: triton}", "3: serve.server: triton: its image is not under an OSI licence"),
    ("serve: {model: a@1, run: a:B}", "3: serve.run: a:B: is not for server onnx (write server: custom)"),
    (GRAPH + "      []\n", "8: serve.graph.children: missing: a router has some"),
    (
        GRAPH + "      - {name: top, kind: model, model: a@1}\n",
        "9: serve.graph.children[0].name: top: is the name of serve.graph too",
    ),
    (
        GRAPH + "      - {name: a, kind: model, model: a@1, children: [{name: b, kind: model, model: a@1}]}\n",
        "9: serve.graph.children[0].children: b: a model has none",
    ),
    (GRAPH + "      - {name: a, kind: combiner, run: a:B}\n", "a combiner has some"),
    (
        GRAPH + "      - {name: a, kind: transformer}\n",
        "9: serve.graph.children[0].run: missing: a transformer needs it",
    ),
    (
        GRAPH.replace("    run: a:B\n", "") + "      - {name: a, kind: model, model: a@1}\n",
        "7: serve.graph.children: a: a router without run chooses between two (add run: module:Class)",
    ),
    (
        GRAPH.replace("run: a:B", "parameters: {ratioA: 3}") + 2 * "      - {name: a, kind: model, model: a@1}\n",
        [
            "7: serve.graph.parameters.ratioA: 3: must be a share from 0 to 1 (such as 0.5)",
            "10: serve.graph.children[1].name: a: is the name of",
        ],
    ),
    (
        GRAPH + "      - {name: a, kind: model, model: a@1, parameters: {threds: 2}}\n",
        "9: serve.graph.children[0].parameters.threds: 2: nothing takes it: a model without run has no such parameter "
        "(write threads, or take it out)",
    ),
    (
        GRAPH + "      - {name: a, kind: model, server: custom}\n",
        "9: serve.graph.children[0].run: missing: server custom needs it (add run: module:Class)",
    ),
    (
        GRAPH + "      - {name: a, kind: model, server: sklearn, run: a:B}\n",
        "9: serve.graph.children[0].server: sklearn: runs no class (take it out: run says what serves)",
    ),
    (
        GRAPH.replace("router", "combiner").replace("run: a:B", "model: a@1")
        + "      - {name: a, kind: model, model: a@1}\n",
        "7: serve.graph.model: a@1: a combiner is no model (take it out, or write kind: model)",
    ),
    (GRAPH + "      - {name: a, kind: model, run: a}\n", "children[0].run: a: must be module:Class"),
    (GRAPH + "      - {name: a, kind: model}\n", "9: serve.graph.children[0].model: missing: is required"),
    (
        GRAPH + "      - {name: a, kind: model, model: a@1}\n  model: a@1",
        "10: serve.model: a@1: the graph stands in its place",
    ),
    (
        "serve: {model: a@1, strategy: {type: canary, abortOn: [errors]}}",
        "3: serve.strategy.abortOn[0]: errors: must be a name",
    ),
    # around them
    (
        "sources: {a: {kind: http, url: 'http://x', secret: tken}}\nsecrets: {token: {env: T}}",
        "3: sources.a.secret: tken: is no secret of this project (did you mean token?)",
    ),
    (STEP + "    secrets: [token]", "8: etl[0].secrets[0]: token: is no secret of this project (add secrets.token)"),
    ("notify: [{kind: slack, secret: hook}]", "3: notify[0].secret: hook: is no secret of this project"),
    ("secrets: {a: {env: T}, b: {env: T}}", "3: secrets.b.env: [hidden]: is the variable of secret a too"),
    ("secrets: {a: {env: AIGA_RUN}}", "variables that begin with AIGA_ are aiga's own"),
    ("schedule: {retrain: 0 3 * * 0}", "3: schedule.retrain: 0 3 * * 0: there is no train block for it"),
    ("schedule: {evaluateProduction: 0 3 * * 0}", "there is no evaluate block for it"),
    ("schedule: {watch: 1h}", "there is no sources block for it"),
    (
        "monitors: [{name: a, kind: drift}]",
        "3: monitors[0].model: missing: is required where the project neither trains nor serves one",
    ),
    (
        "monitors: [{name: a, kind: drift, model: m@1}, {name: a, kind: outlier, model: m}]",
        "3: monitors[1].name: a: is the name of monitors[0] too",
    ),
    (
        "alerts: [{name: a, expression: up}, {name: a, expression: up}]",
        "3: alerts[1].name: a: is the name of alerts[0] too",
    ),
    (
        "monitors: [{name: inputs, kind: drift, model: m@staging}]\npolicy: [{when: input.drift, do: [alert]}]",
        "4: policy[0].when: input.drift: is no monitor (did you mean inputs?)",
    ),
    (
        "monitors: [{name: a, kind: drift, model: m@1}]\npolicy: [{when: a, do: [alert, retrain]}]",
        "4: policy[0].do[1]: retrain: there is no train block for it",
    ),
    (
        "monitors: [{name: a, kind: drift, model: m@1}]\n"
        "policy: [{when: a, do: [alert], confirm: {alarms: 5, windows: 3}}]",
        "5 alarms never come in 3 windows",
    ),
    (
        "resources: {tolerations: [{key: a, operator: Equal}]}",
        "3: resources.tolerations[0].value: missing: operator Equal needs it",
    ),
    ("sources: {a: {kind: files, path: a, expect: {columns: {x: {min: 2, max: 1}}}}}", "min 2 is above max 1"),
    (
        "sources: {a: {kind: files, path: a, expect: {columns: {x: {pattern: '['}}}}}",
        "pattern is no regular expression",
    ),
]


@pytest.mark.parametrize(("file", "messages"), ROWS, ids=range(len(ROWS)))
def test_each_broken_rule_is_one_mistake_on_its_line(file: str, messages: str | list[str]) -> None:
    found = said(file)
    wanted = [messages] if isinstance(messages, str) else messages
    assert len(found) == len(wanted), found
    for line, message in zip(found, wanted, strict=True):
        assert message in line


SOUND = [
    SOURCE + TRAIN,
    "serve: {model: digits@3}\n",
    "serve: {server: custom, run: a:B}\n",
    "serve: {server: custom, run: a:B, parameters: {depth: 3}, timeout: 1d}\n",
    "serve: {model: a, parameters: {threads: 2}, strategy: {type: ab, header: X-User}}\n",
    "serve: {model: a@latest, fallback: '@staging'}\n",
    GRAPH.replace("run: a:B", "parameters: {ratioA: 0.9}")
    + "      - {name: a, kind: model, model: a@1}\n      - {name: b, kind: model, model: a@2}\n",
    "serve: {model: a@1, server: sklearn, allowPickle: true}\n",
    "serve: {model: a@1, server: triton, acceptLicence: true}\n",
    "monitors: [{name: inputs, kind: drift, model: m@staging}]\npolicy: [{when: inputs.drift, do: [alert]}]\n",
    STEP + "    out: {a: data/a.csv, b: data/b.csv}\n",
    STEP.replace("a:b", "python a.py") + "    parameters: {lambda: 1}\n",
    SOURCE + GATE + "  returns: {cost: number}\n  gates: [{kind: threshold, metric: cost, max: 1}]\n",
    SOURCE + GATE + "  out: [predictions]\n  gates: [{kind: threshold, metric: accuracy, min: 1}]\napprove: {}\n",
    SEARCH + "  " + "  method: grid\n    space: {a: {float: [0, 1], step: 0.5}, b: {choice: [x]}, c: {int: [1, 3]}}\n",
    SEARCH + "    space: {lr: {log: [1e-4, 1e-1]}}\n  parameters: {lr: 0.1}\n",
    STEP + "    out: [raw.csv]\ntrain: {run: a:b, in: {a: source:raw, b: clean.raw}, out: [model]}\n",
    GRAPH + "      - {name: a, kind: transformer, run: a:B, children: [{name: b, kind: model, model: a@1}]}\n",
    "sources: {my-data: {kind: files, path: a}}\netl: [{name: a, run: a:b, in: [my-data]}]\n",
]


@pytest.mark.parametrize("file", SOUND, ids=range(len(SOUND)))
def test_what_may_look_wrong_and_is_not_is_accepted(file: str) -> None:
    assert said(file) == []


def test_a_project_with_every_block_is_accepted() -> None:
    assert mistakes(text(FULL)) == []
    assert set(FULL) == {field.alias or name for name, field in Project.model_fields.items()}


def test_a_folder_may_have_a_slash_behind_it() -> None:
    project = loaded(SOURCE + "train: {run: a:b, in: [raw], out: {model: model/}}").project
    assert project.train is not None
    assert project.train.outputs == {"model": "model"}


def test_two_items_of_a_list_that_are_called_alike_are_not_merged() -> None:
    (found,) = said(STEP + "    out: [a.csv, a.parquet]\n")
    assert "8: etl[0].out" in found and "a.csv and a.parquet are both called a" in found


def test_an_objective_that_a_keyword_cannot_spell_is_a_warning() -> None:
    (warning,) = loaded(SEARCH.replace("metric: acc", "metric: val/acc") + "    space: {a: {int: [1, 2]}}\n").warnings
    assert str(warning).startswith("project.yaml:9: train.search.objective.metric: val/acc: is no Python name")
