"""Steps that end badly: what the exit code says, and that metadata is there however it ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from step_world import ROOT, World, alive, await_file, eventually, records

from aiga.step.metadata import Metadata, interrupted


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.mark.parametrize(
    ("body", "code", "kind"),
    [
        ("raise ValueError('broken')", 1, "ValueError"),
        ("raise MemoryError", 1, "MemoryError"),
        ("raise ConnectionResetError('gone')", 75, "ConnectionResetError"),
        ("raise TimeoutError", 75, "TimeoutError"),
        ("open('/dev/full', 'w').write('x' * 100000)", 75, "OSError"),
        ("open('nothing.csv')", 1, "FileNotFoundError"),
        ("import urllib.error as e; raise e.HTTPError('u', 503, 'busy', None, None)", 75, "HTTPError"),
        ("import urllib.error as e; raise e.HTTPError('u', 404, 'none', None, None)", 1, "HTTPError"),
        ("import urllib.error as e; raise e.URLError(ConnectionRefusedError())", 75, "URLError"),
        ("import requests; raise requests.ConnectionError('no route')", 75, "ConnectionError"),
        ("import aiga.errors as e; raise e.TransientError('busy')", 75, "TransientError"),
        ("import aiga.errors as e; raise e.UserError('wrong')", 2, "UserError"),
        ("import sys; sys.exit(75)", 75, "SystemExit"),
        ("import sys; sys.exit(3)", 1, "SystemExit"),
        ("import sys; sys.exit('no data')", 1, "SystemExit"),
        ("import os; os._exit(0)", 1, "ExitCode"),
        ("import os; os._exit(9)", 1, "ExitCode"),
        ("import os; os.kill(os.getpid(), 11)", 75, "SIGSEGV"),
    ],
)
def test_the_exit_code_tells_whether_another_try_is_worth_it(world: World, body: str, code: int, kind: str) -> None:
    world.code(f"def step():\n    {body}")
    ran = world.run()
    assert ran.code == code == ran.metadata.exit_code, ran.errors
    assert ran.metadata.state == "failed"
    assert ran.metadata.error is not None and ran.metadata.error.type == kind


def test_a_function_that_exits_with_zero_has_succeeded_if_it_left_what_it_must(world: World) -> None:
    world.code("import sys\ndef step(): sys.exit(0)")
    assert world.run().code == 0
    assert world.run(outputs={"model": "m"}).code == 2


def test_an_exception_is_recorded_with_the_users_frames_only(world: World) -> None:
    world.code("def inner():\n    raise ValueError('broken \\ud800')\ndef step():\n    inner()")
    ran = world.run()
    error = ran.metadata.error
    assert error is not None and error.message == "broken ?", "half a surrogate pair is no text"
    assert error.frames == ("steps.py:4 in step: inner()", "steps.py:2 in inner: raise ValueError('broken \\ud800')")
    assert "Traceback" in ran.errors and "aiga/step" not in ran.errors
    assert any("steps.py" in line for line in ran.metadata.output), "what it printed is in the metadata"


def test_a_step_that_is_asked_to_stop_may_tidy_up_and_is_interrupted(world: World) -> None:
    world.code("""
        import aiga, os, pathlib, time
        def step(checkpoint):
            aiga.log(loss=0.5)
            try:
                (checkpoint / "begun").write_text("")
                time.sleep(60)
            finally:
                (checkpoint / "tidied").write_text("")
    """)
    for number in (signal.SIGTERM, signal.SIGINT):
        order = world.order()
        ran = world.stopped(order, order.checkpoint / "begun", number)
        assert ran.code == 75 and ran.metadata.state == "interrupted"
        assert ran.metadata.error is not None and ran.metadata.error.message == f"stopped by {number.name}"
        assert ran.metadata.metrics == {"loss": 0.5}
        for left in ("begun", "tidied"):
            (order.checkpoint / left).unlink()


@pytest.mark.parametrize(
    "call", ["steps:step", "bash -c 'trap \"\" TERM; echo > $AIGA_CHECKPOINT/begun; while :; do sleep 0.1; done'"]
)
def test_a_step_that_does_not_stop_when_asked_is_killed_after_its_grace(world: World, call: str) -> None:
    world.code("""
        import signal, time
        def step(checkpoint):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            (checkpoint / "begun").write_text("")
            while True:
                time.sleep(1)
    """)
    order = world.order(call, grace=0.2)
    ran = world.stopped(order, order.checkpoint / "begun", signal.SIGTERM)
    assert ran.code == 75 and ran.metadata.state == "interrupted" and ran.metadata.seconds < 5


def test_a_request_to_stop_that_comes_before_the_child_is_ready_is_not_lost(tmp_path: Path) -> None:
    code = f"""
import os, signal, time
from pathlib import Path
from aiga.step.capture import Output, Stream
from aiga.step.order import Limits
from aiga.step.process import Child, Signals
from aiga.step.watch import watch
signals = Signals()
signals.install()
os.kill(os.getpid(), signal.SIGTERM)
child = Child.start(lambda send: time.sleep(60), signals)
output = Output(Path({str(tmp_path / "output.txt")!r}))
streams = (Stream(output, 1), Stream(output, 2))
ended = watch(child, Limits(grace=50), signals, streams, None)
print(ended.stopped, ended.status)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert ended.stdout.strip().endswith("stopped by SIGTERM 1"), ended.stderr


def test_a_step_that_hangs_is_ended_after_its_timeout(world: World) -> None:
    world.code("import time\ndef step(): print('here', flush=True); time.sleep(60)")
    ran = world.run(timeout=0.3)
    assert ran.code == 75 and ran.metadata.state == "failed"
    assert (
        ran.metadata.error is not None
        and ran.metadata.error.message == "train: ended after its timeout of 0.3 s (`timeout` raises it)"
    )
    assert "here" in ran.metadata.output


def test_a_step_that_kills_itself_as_the_system_would_is_interrupted(world: World) -> None:
    world.code("import os, signal\ndef step(): os.kill(os.getpid(), signal.SIGKILL)")
    ran = world.run()
    assert ran.code == 75 and ran.metadata.state == "interrupted"
    assert ran.metadata.error is not None and "want of memory" in ran.metadata.error.message


_FOREVER = """
    import aiga, os, subprocess, time
    def step(checkpoint, data):
        before = len(list(checkpoint.iterdir()))
        if before:
            return {"seen": before}
        other = subprocess.Popen(["sleep", "60"])
        aiga.log(step=1, loss=0.25)
        print("at work", flush=True)
        (checkpoint / "pids.part").write_text(f"{os.getpid()} {other.pid}")
        (checkpoint / "pids.part").rename(checkpoint / "pids")
        time.sleep(60)
"""


def test_kill_9_ends_all_of_the_step_and_the_checkpoint_is_handed_to_the_next_try(world: World) -> None:
    world.code(_FOREVER)
    inputs, returns = {"data": world.data()}, {"seen": "integer"}
    order = world.order(inputs=inputs, returns=returns)
    process = world.start(order)
    await_file(order.checkpoint / "pids")
    eventually(lambda: "at work" in (order.work / "output.txt").read_text(), "what it printed was never kept")
    process.kill()
    process.communicate()
    pids = [int(pid) for pid in (order.checkpoint / "pids").read_text().split()]
    eventually(lambda: not any(alive(pid) for pid in pids), "the step went on without what wraps it")
    assert not (order.work / "metadata.yaml").exists()

    told = interrupted(order, "killed by SIGKILL")
    assert told == Metadata.read(order.work / "metadata.yaml")
    assert (told.state, told.exit_code, told.metrics) == ("interrupted", 75, {"loss": 0.25})
    assert told.output == ("at work",) and told.inputs["data"].startswith("sha256:") and told.packages
    assert told.error is not None and told.error.message == "killed by SIGKILL"
    assert interrupted(order, "another reason") == told, "what is written stays"

    again = world.run(inputs=inputs, returns=returns)
    assert again.code == 0 and again.metadata.returned == {"seen": 1}, "the checkpoint is handed back"


def test_a_step_does_not_outlive_the_process_that_ran_it(world: World) -> None:
    world.code(_FOREVER)
    order = world.order(inputs={"data": world.data()}, runner=os.getppid())
    ran = world.ended(world.start(order), order)
    assert ran.code == 75 and ran.metadata.state == "interrupted"
    assert ran.metadata.error is not None and "the process that ran it is gone" in ran.metadata.error.message


def test_what_a_step_leaves_running_ends_with_it(world: World) -> None:
    world.code("import subprocess\ndef step(): return {'pid': subprocess.Popen(['sleep', '60']).pid}")
    ran = world.run(returns={"pid": "integer"})
    assert ran.code == 0
    eventually(lambda: not alive(int(ran.metadata.returned["pid"])), "what it started is still there")


def test_a_full_disk_fails_the_step_with_the_reason(world: World) -> None:
    world.code("""
        import resource
        def step(model):
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
            model.write_bytes(b"x" * 5000)
    """)
    ran = world.run(outputs={"model": "m"})
    assert ran.metadata.state == "failed" and ran.code == 1
    assert ran.metadata.error is not None and "File too large" in ran.metadata.error.message


def test_metadata_that_cannot_be_written_is_said_and_the_step_is_not_done(world: World) -> None:
    world.code("""
        import aiga, os
        def step(checkpoint):
            os.mkdir(os.path.dirname(os.environ["AIGA_LOG"]) + "/metadata.yaml")
    """)
    order = world.order()
    process = world.start(order)
    _, errors = process.communicate()
    assert (
        process.returncode not in (0, 2) and "cannot be written" in errors and list(order.work.glob(".metadata*")) == []
    )


def test_a_log_on_a_full_disk_ends_the_step_and_leaves_what_was_logged(world: World) -> None:
    world.code("""
        import aiga, resource
        def step():
            aiga.log(loss=0.5)
            resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))
            for n in range(100):
                aiga.log(step=n, loss=0.1)
    """)
    ran = world.run()
    assert ran.metadata.error is not None and "metrics.jsonl: cannot be written" in ran.metadata.error.message
    assert ran.code == 75 and len(records(ran.order)) > 1 and ran.metadata.metrics["loss"] == 0.1
    assert any("cut off" in each for each in ran.metadata.remarks)


def test_more_memory_than_allowed_is_a_memory_error(world: World) -> None:
    world.code("def step(): return len(bytearray(400_000_000))")
    ran = world.run(memory=200_000_000)
    assert ran.metadata.error is not None and ran.metadata.error.type == "MemoryError"
    assert "the step's limit is 200000000 bytes" in ran.metadata.error.message
    assert world.run(memory=800_000_000).code == 0


def test_cores_are_bounded_and_different_for_steps_side_by_side(world: World) -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs two cores")
    world.code("""
        import os, time
        def step(checkpoint, me, other):
            (checkpoint / me).write_text("")
            while not (checkpoint / other).exists():
                time.sleep(0.01)
            return {"core": list(os.sched_getaffinity(0))[0], "cores": len(os.sched_getaffinity(0)),
                    "threads": os.environ["OMP_NUM_THREADS"]}
    """)
    returns = {"core": "integer", "cores": "integer", "threads": "text"}
    first = world.order(cpu=0.5, returns=returns, parameters={"me": "a", "other": "b"})
    one = world.start(first)
    second = world.order(cpu=0.5, returns=returns, parameters={"me": "b", "other": "a"})
    two = world.start(second)
    ends = [world.ended(one, first).metadata, world.ended(two, second).metadata]
    assert all(each.returned["threads"] == "1" for each in ends)
    bound = [each.returned["core"] for each in ends if each.returned["cores"] == 1]
    assert len(bound) == len(set(bound)), "two steps on one core while another is idle"


def test_an_order_that_cannot_be_carried_out_is_told_in_one_piece(world: World) -> None:
    ran = world.run(
        "python x.py", inputs={"a": world.folder / "none"}, outputs={"b": "../b", "c": "/c"}, checkpoint=world.source
    )
    assert ran.code == 2 and ran.metadata.error is not None
    assert len(ran.metadata.error.message.splitlines()) == 3


@pytest.mark.parametrize("text", ["{", "[]", "{}", None])
def test_what_is_no_order_is_said_without_a_traceback(world: World, text: str | None) -> None:
    file = world.folder / "bad.json"
    if text is not None:
        file.write_text(text)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "aiga.step", str(file)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 2 and "Traceback" not in ended.stderr and str(file) in ended.stderr
