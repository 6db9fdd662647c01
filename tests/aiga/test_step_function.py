"""Steps that are functions: how they are found, what they are given, and what they return."""

from __future__ import annotations

from pathlib import Path

import pytest
from step_world import World, records


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_function_gets_typed_arguments_and_its_files_and_values_are_recorded(world: World) -> None:
    world.code("""
        import aiga, json
        from pathlib import Path
        def step(data: Path, model: Path, epochs: int, rate: float, name: str, shuffle: bool, seed: int, checkpoint):
            for epoch in range(epochs):
                aiga.log(step=epoch, loss=1 / (epoch + 1))
            assert isinstance(checkpoint, Path) and checkpoint.is_dir()
            types = [type(each).__name__ for each in (data, model, epochs, rate, name, shuffle, seed)]
            model.write_text(json.dumps([data.read_text(), data.name, types]))
            return {"threshold": 1, "layers": 3, "good": True, "label": "a", "accuracy": 0.9}
    """)
    ran = world.run(
        inputs={"data": world.data("x\n", "d.csv.gz")},
        outputs={"model": "sub/model.json"},
        returns={"threshold": "number", "layers": "integer", "good": "boolean", "label": "text"},
        parameters={"epochs": 2, "rate": 1e-4, "name": "3", "shuffle": False},
        seed=7,
    )
    assert ran.code == 0, ran.errors
    types = '["PosixPath", "PosixPath", "int", "float", "str", "bool", "int"]'
    assert (ran.outputs / "sub/model.json").read_text() == f'["x\\n", "data.csv.gz", {types}]'
    told = ran.metadata
    assert (told.state, told.exit_code, told.error) == ("succeeded", 0, None)
    assert told.returned == {"threshold": 1.0, "layers": 3, "good": True, "label": "a"}
    assert isinstance(told.returned["threshold"], float) and isinstance(told.returned["layers"], int)
    assert told.metrics == {"loss": 0.5, "accuracy": 0.9}, "other numbers that are returned are metrics"
    assert told.parameters == {"epochs": 2, "rate": 0.0001, "name": "3", "shuffle": False} and told.seed == 7
    assert [line.step for line in records(ran.order)] == [0, 1, None]


def test_what_a_function_does_not_name_is_only_forced_on_it_if_the_file_asks_for_it(world: World) -> None:
    world.code("def step(): open(__import__('os').environ['AIGA_OUTPUTS'] + '/m', 'w').close()")
    assert world.run(outputs={"model": "m"}, seed=1).code == 0, "outputs, seed and checkpoint are offered, not forced"
    world.code("def step(**given): return {'n': len(given)}")
    ran = world.run(parameters={"a": 1}, inputs={"data": world.data()}, returns={"n": "integer"}, seed=1)
    assert ran.metadata.returned == {"n": 2}, "**given takes parameters and inputs"


def test_a_text_becomes_a_path_where_one_is_annotated_and_an_input_a_text(world: World) -> None:
    world.code("""
        from pathlib import Path
        from typing import Literal, Optional
        def step(where: Path, data: str, mode: Literal["a", "b"], most: Optional[int], rate: "float | str"):
            return {"kinds": " ".join(type(each).__name__ for each in (where, data, mode, most, rate))}
    """)
    parameters = {"where": "x", "mode": "b", "most": 1, "rate": 2}
    ran = world.run(inputs={"data": world.data()}, parameters=parameters, returns={"kinds": "text"})
    assert ran.metadata.returned == {"kinds": "PosixPath str str int int"}, ran.errors


def test_all_arguments_that_do_not_fit_are_told_at_once_with_the_nearest(world: World) -> None:
    world.code("""
        import collections
        def step(learning_rate: float, epochs: int, data: collections.OrderedDict, flag: bool, need): pass
    """)
    parameters = {"learning_rat": 0.1, "epochs": 1.5, "flag": "yes"}
    ran = world.run(parameters=parameters, inputs={"data": world.data()})
    assert ran.code == 2 and ran.metadata.state == "failed"
    assert ran.metadata.error is not None and ran.metadata.error.frames == (), "a user's mistake has no traceback"
    message = ran.metadata.error.message
    assert "parameter learning_rat: the function takes no such argument (nearest: learning_rate)" in message
    assert "argument learning_rate is given by nothing" in message and "argument need is given by nothing" in message
    assert "argument epochs: must be a whole number (int) as the function's annotation says, got 1.5 (float)" in message
    assert "argument flag: must be true or false (bool)" in message
    assert "argument data: is a file or folder, given as pathlib.Path" in message
    assert "Traceback" not in ran.errors and message in ran.errors


@pytest.mark.parametrize(
    ("call", "code", "says"),
    [
        ("stesp:step", "", "there is no module stesp in the project's folder"),
        ("stesp:step", "", "(nearest: steps)"),
        ("steps:stpe", "def step(): pass", "module steps has no function stpe (nearest: step)"),
        ("steps:step", "step = 3", "step is a int, and must be a function"),
        ("steps:step", "import numpyy", "imports numpyy, which is not installed: add it to the requirements.txt"),
        ("steps:step", "def step(:\n  pass", "steps.py:1: is no valid Python"),
        ("steps:step", "def step(a, /): pass", "argument a is given by nothing"),
    ],
)
def test_a_function_that_cannot_be_had_is_the_users_to_mend(world: World, call: str, code: str, says: str) -> None:
    world.code(code)
    ran = world.run(call)
    assert ran.code == 2
    assert ran.metadata.error is not None and says in ran.metadata.error.message
    assert "Traceback" not in ran.errors


@pytest.mark.parametrize(
    ("returned", "says"),
    [
        ("{'threshold': float('nan')}", "value threshold: must be a finite number, got 'nan' (float)"),
        ("{'threshold': '0.5'}", "value threshold: must be a finite number, got '0.5' (str)"),
        ("{'threshold': True}", "value threshold: must be a finite number, got 'True' (bool)"),
        ("{'threshold': [1, 2]}", "value threshold: must be a finite number, got '[1, 2]' (list)"),
        ("{'treshold': 0.5}", "value threshold (number) is missing"),
        ("None", "value threshold (number) is missing: return {'threshold': …}, call aiga.output(threshold=…)"),
        ("10 ** 400", "value threshold: must be a finite number"),
    ],
)
def test_a_value_of_another_type_than_declared_fails_the_step(world: World, returned: str, says: str) -> None:
    world.code(f"def step(): return {returned}")
    ran = world.run(returns={"threshold": "number"})
    assert ran.code == 2
    assert ran.metadata.error is not None and says in ran.metadata.error.message


def test_the_only_value_may_be_returned_bare_and_scalars_of_numpy_are_taken(world: World) -> None:
    world.code("import numpy\ndef step(): return numpy.float32(0.5)")
    assert world.run(returns={"threshold": "number"}).metadata.returned == {"threshold": 0.5}
    world.code(
        "import numpy\ndef step(): return {'n': numpy.int64(3), 'b': numpy.bool_(True), 'loss': numpy.float64(1)}"
    )
    ran = world.run(returns={"n": "integer", "b": "boolean"})
    assert ran.metadata.returned == {"n": 3, "b": True} and ran.metadata.metrics == {"loss": 1.0}


def test_values_may_be_given_by_aiga_output_and_undeclared_ones_are_refused(world: World) -> None:
    world.code("import aiga\ndef step(): aiga.output(threshold=0.25); return {'label': 'a'}")
    ran = world.run(returns={"threshold": "number", "label": "text"})
    assert ran.metadata.returned == {"threshold": 0.25, "label": "a"}, ran.errors
    ran = world.run(returns={"thresholds": "number", "label": "text"})
    assert ran.code == 2
    assert ran.metadata.error is not None
    assert "value threshold: not declared under `returns` (nearest: thresholds)" in ran.metadata.error.message


def test_other_things_that_are_returned_are_left_out_with_a_remark(world: World) -> None:
    world.code("def step(): return {'history': [1, 2], 'accuracy': 0.9}")
    ran = world.run()
    assert ran.code == 0 and ran.metadata.metrics == {"accuracy": 0.9}
    assert any("history" in each for each in ran.metadata.remarks)


def test_outputs_that_are_not_written_fail_the_step_and_are_named_with_what_was(world: World) -> None:
    world.code("def step(model, table): model.with_name('model.onx').write_text('')")
    ran = world.run(outputs={"model": "model.onnx", "table": "table.csv"})
    assert ran.code == 2 and ran.metadata.state == "failed"
    assert ran.metadata.error is not None
    assert ran.metadata.error.message.splitlines() == [
        "train: output model: $AIGA_OUTPUTS/model.onnx is not there, and must be written; it wrote model.onx instead",
        "train: output table: $AIGA_OUTPUTS/table.csv is not there, and must be written; it wrote model.onx instead",
    ]


def test_the_users_modules_come_before_installed_ones_and_files_are_found_beside_them(world: World) -> None:
    world.code("def told(): return 'mine'", "requests.py")
    (world.source / "words.txt").write_text("here")
    world.code("import requests\ndef step(): return {'said': requests.told() + ' ' + open('words.txt').read()}")
    assert world.run(returns={"said": "text"}).metadata.returned == {"said": "mine here"}


def test_worker_processes_of_a_function_work_and_log(world: World) -> None:
    world.code("""
        import aiga, multiprocessing
        def work(n):
            aiga.log(step=n, square=n * n)
            return n * n
        def step():
            total = 0
            for method in ("fork", "spawn"):
                with multiprocessing.get_context(method).Pool(2) as pool:
                    total += sum(pool.map(work, range(4)))
            return {"total": total}
    """)
    ran = world.run(returns={"total": "integer"})
    assert ran.code == 0, ran.errors
    assert ran.metadata.returned == {"total": 28}
    assert sorted(line.metrics["square"] for line in records(ran.order)) == [0, 0, 1, 1, 4, 4, 9, 9]
