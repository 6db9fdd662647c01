"""What steps print: garbage, huge lines, secrets, and records among it."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import pytest
from step_world import World, records

from aiga.step import capture
from aiga.step.capture import Output, Stream
from aiga.step.records import Record, printed, summary


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.mark.parametrize(
    ("line", "step", "metrics", "outputs"),
    [
        (b'{"loss": 0.3, "epoch": 1}', 1, {"loss": 0.3}, {}),
        (b'  {"val/loss": 3, "step": 2, "epoch": 1}\r\n', 2, {"val/loss": 3, "epoch": 1}, {}),
        (b'{"output": {"threshold": 0.5, "good": true}}', None, {}, {"threshold": 0.5, "good": True}),
        (b'{"loss": 1, "output": {"a": "b"}}', None, {"loss": 1}, {"a": "b"}),
    ],
)
def test_lines_that_are_records(line: bytes, step: float | None, metrics: object, outputs: object) -> None:
    found = printed(line)
    assert found is not None and (found.step, found.metrics, found.outputs) == (step, metrics, outputs)


@pytest.mark.parametrize(
    "line",
    [
        *(b"", b"{}", b"loss 0.3", b"[1]", b"{loss: 1}", b'{"loss": "0.3"}', b'{"loss": true}', b'{"loss": null}'),
        *(b'{"level": "info", "ts": 1}', b'{"a b": 1}', b'{"epoch": 1}', b'{"output": 3}', b'{"output": {"a": [1]}}'),
        *(
            b'{"loss": 1} x',
            b"{\xff\xfe}",
            b'{"a":' * 50_000 + b"}",
            b'{"n": ' + b"9" * 5000 + b"}",
            b'{"step": NaN, "a": 1}',
        ),
    ],
)
def test_lines_that_are_none(line: bytes) -> None:
    assert printed(line) is None


def test_nan_and_infinity_are_recorded_as_such_and_flagged(world: World) -> None:
    world.code("""
        import aiga
        def step():
            aiga.log(step=1, loss=0.5)
            aiga.log(step=2, loss=float("nan"))
            aiga.log(step=3, loss=float("nan"))
            print('{"grad": Infinity, "epoch": 7}')
    """)
    told = world.run().metadata
    assert told.state == "succeeded"
    assert math.isnan(told.metrics["loss"]) and told.metrics["grad"] == math.inf
    assert told.not_finite == {"loss": {"count": 2, "step": 2}, "grad": {"count": 1, "step": 7}}
    assert "metric loss was not finite 2 times, first at step 2" in told.remarks


def test_garbage_and_huge_lines_pass_through_and_harm_nothing(world: World) -> None:
    world.code("""
        import os, sys
        def step():
            os.write(1, bytes(range(256)) * 64 + b"\\n")
            for _ in range(40):
                os.write(1, b"x" * 100_000)
            os.write(1, b"\\n")
            os.write(2, b"\\x1b[31mred\\x1b[0m\\n")
            print('{"loss": 0.5}')
            os.write(1, b'{"unfinished": 1}')
    """)
    ran = world.run()
    assert ran.code == 0
    assert ran.metadata.metrics == {"loss": 0.5, "unfinished": 1}
    kept = (ran.order.work / "output.txt").read_bytes()
    assert bytes(range(256)) * 64 in kept and kept.count(b"x") > 4_000_000
    assert max(len(line) for line in ran.metadata.output) <= 2001, "a huge line is remembered by its beginning"
    assert "\x1b[31mred\x1b[0m" in ran.metadata.output


def test_the_last_lines_are_those_of_both_streams_and_of_a_progress_bar_its_last_state(world: World) -> None:
    world.code("""
        import sys
        def step():
            for n in range(60):
                print(n)
            for percent in range(0, 101, 10):
                print(f"\\r{percent} %", end="", file=sys.stderr, flush=True)
            print(file=sys.stderr)
    """)
    told = world.run().metadata.output
    assert len(told) == 50
    assert "100 %" in told and "90 %" not in told and "59" in told and "5" not in told


def test_no_secret_is_kept_or_passed_on(world: World) -> None:
    world.code("""
        import os, sys
        def step():
            print("token:", os.environ["TOKEN"])
            print("other", os.environ["OTHER"], file=sys.stderr)
            raise ValueError("cannot log in with " + os.environ["TOKEN"])
    """)
    secret, unnamed = "s3cr3t-v4lue", "never-printed"
    ran = world.run(environment={"TOKEN": secret, "OTHER": "public", "UNNAMED": unnamed}, secrets=("TOKEN", "NONE"))
    files = [file.read_text() for file in ran.order.work.iterdir() if file.is_file()]
    for text in (*files, ran.printed, ran.errors):
        assert secret not in text and unnamed not in text
    assert ran.metadata.error is not None and ran.metadata.error.message == "cannot log in with ***"
    assert "token: ***" in ran.printed and "public" in ran.errors


def test_a_record_is_found_however_its_bytes_arrive(tmp_path: Path) -> None:
    found: list[Record] = []
    output = Output(tmp_path / "output.txt")
    sink = os.open(os.devnull, os.O_WRONLY)
    stream = Stream(output, sink, found.append)
    data = b'10 %\r{"a": 1}\n' + b'{"b": 2}\n{"c": 3}'
    for at in range(len(data)):
        stream.feed(data[at : at + 1])
    stream.end()
    os.close(sink)
    assert [dict(each.metrics) for each in found] == [{"a": 1}, {"b": 2}, {"c": 3}]
    assert (tmp_path / "output.txt").read_bytes() == data


def test_what_is_kept_is_bounded_and_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "KEPT", 10)
    output = Output(tmp_path / "output.txt")
    output.keep(b"123456")
    output.keep(b"789abcdef")
    assert (tmp_path / "output.txt").read_bytes() == b"123456789a" and "more than 10 bytes" in output.trouble
    full = Output(Path("/dev/full"))
    full.keep(b"x")
    full.keep(b"y")
    assert "cannot be written: No space left on device" in full.trouble


def test_a_log_that_is_cut_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    log = tmp_path / "metrics.jsonl"
    log.write_bytes(json.dumps({"time": 1.0, "step": None, "metrics": {"a": 1}}).encode() + b'\n[]\n{"time": 2, "met')
    found = summary(log)
    assert (found.metrics, found.spoilt) == ({"a": 1}, 2)


def test_lines_of_print_and_of_aiga_log_are_one_log(world: World) -> None:
    world.code("import aiga\ndef step():\n    aiga.log(a=1)\n    print('{\"b\": 2}')")
    ran = world.run()
    assert {name for line in records(ran.order) for name in line.metrics} == {"a", "b"}
