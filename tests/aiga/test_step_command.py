"""Steps that are commands: their arguments, and what is read from their standard output."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from step_world import World, parameters, records

from aiga.errors import UserError
from aiga.step.command import arguments
from aiga.step.contract import fresh, prepare
from aiga.step.order import FUNCTION


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.mark.parametrize(
    ("call", "given", "words"),
    [
        ("prog a 'b c'", {}, ["prog", "a", "b c"]),
        ("prog", {"learning_rate": 1e-05, "n": 3}, ["prog", "--learning_rate", "1e-05", "--n", "3"]),
        ("prog", {"shuffle": True, "name": "-x", "low": -1}, ["prog", "--shuffle", "true", "--name=-x", "--low=-1"]),
        ("prog x={parameters.n} {other} {}", {"n": 3, "m": 4}, ["prog", "x=3", "{other}", "{}", "--m", "4"]),
        ("prog {parameters.text}", {"text": "a b; rm"}, ["prog", "a b; rm"]),
        ("python -m x", {}, [sys.executable, "-m", "x"]),
        ("prog '|' \"a && b\"", {}, ["prog", "|", "a && b"]),
    ],
)
def test_arguments_are_those_of_the_line_and_the_parameters(
    world: World, call: str, given: dict[str, object], words: list[str]
) -> None:
    order = world.order(call, parameters=given)
    assert arguments(order, prepare(order, fresh(order))) == words


def test_placeholders_stand_for_the_paths_of_inputs_and_outputs(world: World) -> None:
    order = world.order(
        "prog --in={inputs.data} {outputs.model}", inputs={"data": world.data()}, outputs={"model": "m.onnx"}
    )
    work = order.work.absolute()
    assert arguments(order, prepare(order, fresh(order))) == [
        "prog",
        f"--in={work}/inputs/data.csv",
        f"{work}/outputs/m.onnx",
    ]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ("prog {inputs.dat}", "the step has no inputs dat (nearest: data)"),
        ("prog {parameters.x}", "the step has no parameters x"),
        ("prog 'a", "cannot be split into arguments"),
        ("a | b && c > d", "no shell runs the command, got && and > and | in it"),
        ("  ", "must be a function"),
    ],
)
def test_a_command_that_cannot_be_is_the_users_to_mend(world: World, call: str, says: str) -> None:
    order = world.order(call, inputs={"data": world.data()})
    with pytest.raises(UserError, match=says.replace("(", r"\(").replace(")", r"\)").replace("|", r"\|")):
        arguments(order, prepare(order, fresh(order)))


def test_a_command_works_by_environment_and_prints_its_metrics_and_values(world: World) -> None:
    world.code(
        """
        import argparse, json, os, pathlib
        parser = argparse.ArgumentParser()
        parser.add_argument("--rate", type=float)
        rate = parser.parse_args().rate
        typed = json.loads(pathlib.Path(os.environ["AIGA_PARAMETERS"]).read_text())
        assert typed == {"rate": rate} and type(typed["rate"]) is float
        data = pathlib.Path(os.environ["AIGA_INPUTS"], "data.csv").read_text()
        pathlib.Path(os.environ["AIGA_OUTPUTS"], "model.bin").write_text(data * 2)
        pathlib.Path(os.environ["AIGA_CHECKPOINT"], "kept").write_text("")
        print("starting")
        for epoch in range(3):
            print(json.dumps({"loss": 1 / (epoch + 1), "epoch": epoch}))
        print('{"output": {"threshold": 0.5, "name": "iris"}}')
        print('{"level": "info", "message": "no metric", "value": 3}')
        print(json.dumps({"is": [os.environ[f"AIGA_{each}"] for each in ("PROJECT", "RUN", "STEP", "TRIAL")]}))
        """,
        "train.py",
    )
    ran = world.run(
        "python train.py",
        parameters={"rate": 1.0},
        inputs={"data": world.data()},
        outputs={"model": "model.bin"},
        returns={"threshold": "number", "name": "text"},
        trial=4,
    )
    assert ran.code == 0, ran.errors
    assert (ran.outputs / "model.bin").read_text() == "1,2\n1,2\n"
    assert ran.metadata.metrics == {"loss": 1 / 3}
    assert ran.metadata.returned == {"threshold": 0.5, "name": "iris"}
    assert [(line.step, dict(line.metrics)) for line in records(ran.order)][:2] == [
        (0, {"loss": 1.0}),
        (1, {"loss": 0.5}),
    ]
    assert '{"is": ["iris", "20260101t000000-abcdef", "train", "4"]}' in ran.printed
    assert ran.printed == (ran.order.work / "output.txt").read_text(), "all that is printed passes through and is kept"
    assert (ran.order.checkpoint / "kept").exists() and parameters(ran) == {"rate": 1.0}


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ("true", 0),
        ("false", 1),
        ("bash -c 'exit 2'", 2),
        ("bash -c 'exit 75'", 75),
        ("bash -c 'exit 9'", 1),
        ("bash -c 'kill -9 $$'", 75),
        ("bash -c 'exit 137'", 75),
        ("bash -c no-such-program", 2),
        ("no-such-program", 2),
        ("python -c 'raise SystemExit(3)'", 1),
        ("python none.py", 2),
    ],
)
def test_exit_codes_of_commands(world: World, call: str, code: int) -> None:
    ran = world.run(call)
    assert ran.code == code == ran.metadata.exit_code
    assert (ran.metadata.error is None) == (code == 0)


def test_a_command_that_is_not_there_is_named(world: World) -> None:
    ran = world.run("no-such-program --x")
    assert ran.metadata.error is not None
    assert ran.metadata.error.message == "run: no-such-program cannot be run: No such file or directory"


def test_the_trial_of_another_step_is_not_inherited(world: World) -> None:
    assert world.run("bash -c '[ -z \"${AIGA_TRIAL+set}\" ]'", {"AIGA_TRIAL": "9"}).code == 0


def test_what_a_function_is_called_is_said_once() -> None:
    from aiga.spec.base import FUNCTION as IN_THE_FILE

    assert FUNCTION.pattern == IN_THE_FILE.pattern
