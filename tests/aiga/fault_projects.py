"""Steps with one fault each, side by side in one project, and what a user is to be told of each."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml
from runner_projects import Made, made, tag

GOOD = 'out.write_text("whole")'
HUGE = 20_000_000
_PARENT = "int(Path(f'/proc/{os.getppid()}/stat').read_text().rpartition(')')[2].split()[1])"


@dataclass(frozen=True)
class Fault:
    """What a step does in place of its work."""

    body: str
    cause: str
    """Regular expression that the message of the run matches."""
    more: str = ""
    """What its entry in project.yaml has besides."""
    line: bool = False
    """Whether the line of the user's own file is told."""


FAULTS = {
    "raises": Fault('raise ValueError("row 7 has no label")', "ValueError: row 7 has no label", line=True),
    "hangs": Fault("time.sleep(60)", "ended after its timeout of 1 s", "timeout: 1s"),
    "leaves": Fault('out.write_text("half"); os._exit(0)', r"ended its process .*\(os\._exit\): must return or raise"),
    "leaves-3": Fault("os._exit(3)", "ended with exit code 3"),
    "killed": Fault("os.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL: by hand, or .* want of memory"),
    "crashes": Fault("os.kill(os.getpid(), signal.SIGSEGV)", "killed by SIGSEGV: a crash in native code"),
    "greedy": Fault(
        "bytearray(600_000_000)", "MemoryError.* limit is 300000000 bytes", "resources: {memory: 300M}", line=True
    ),
    "forgets": Fault(
        'out.with_name("otu.txt").write_text("x")',
        r"output out: \$AIGA_OUTPUTS/forgets\.txt is not there, and must be written; it wrote otu\.txt instead",
    ),
    "wrong": Fault(
        'out.write_text("x"); return {"n": "many"}',
        r"value n: must be a whole number, got 'many' \(str\)",
        "returns: {n: integer}",
    ),
    "fills": Fault(
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)); out.write_bytes(bytes(5000))", "File too large"
    ),
    "full": Fault('out.symlink_to("/dev/full"); out.write_bytes(bytes(5000))', "No space left on device"),
    "broken": Fault("return (", r"broken\.py:\d+: is no valid Python: '\(' was never closed"),
    "imports": Fault("import pandsa", "No module named 'pandsa'|imports pandsa, which is not installed", line=True),
}
HARMLESS = {
    "good": GOOD,
    "garbage": 'os.write(1, bytes(range(256)) * 40); os.write(2, os.urandom(9000)); print("[" * 50_000); '
    'print(\'{"loss": NaN}\'); print(\'{"loss": 0.5}\'); out.write_text("whole")',
    "talks": f'print("x" * {HUGE}); print(\'{{"after": 1}}\'); out.write_text("whole")',
}
"""Steps that print what no step should, and do their work all the same."""


@dataclass(frozen=True)
class Ran:
    """A run of all of them, and one of the same project after each fault was mended."""

    project: Made
    code: int
    output: str
    left: list[str]
    """Command lines of processes that outlived the first run."""
    mended: str

    def told(self, step: str) -> str:
        """What the run's last words say of one step."""
        found = re.search(rf"^(?:run \S+: failed: )?({step}: .*(?:\n .*)*)", self._last, re.MULTILINE)
        assert found, self._last
        return found[1]

    @property
    def _last(self) -> str:
        return self.output[self.output.index(": failed: ") - 26 :]

    def stored(self, step: str) -> Path:
        return stored(self.project, tag(self.output), step)

    def metadata(self, step: str) -> dict[str, Any]:
        return dict(yaml.safe_load((self.stored(step) / "metadata.yaml").read_text()))


def stored(project: Made, run: str, step: str = "") -> Path:
    """What the store has of a run, or of one step of it."""
    return project.home / "store" / "line" / "runs" / run / step


def one_step(folder: Path, body: str, more: str = "") -> Made:
    """A project of a single step `only`."""
    project = made(folder, _project({"only": more}))
    project.write("only.py", _module(body))
    return project


def ran(folder: Path) -> Ran:
    bodies = {**{name: fault.body for name, fault in FAULTS.items()}, **HARMLESS}
    project = made(folder, _project({name: FAULTS[name].more if name in FAULTS else "" for name in bodies}))
    for name, body in bodies.items():
        project.write(f"{_name(name)}.py", _module(body))
    process = project.start("run")
    output, _ = process.communicate(timeout=120)
    left = processes(project)
    for name in FAULTS:
        returned = ' return {"n": 3}' if name == "wrong" else ""
        project.write(f"{_name(name)}.py", _module(f"{GOOD};{returned}"))
    return Ran(project, process.returncode, output, left, project.aiga("run"))


def limit_the_runner(size: int) -> str:
    """Code of a step after which the runner can write no file of more bytes: a disk that is full."""
    return f"resource.prlimit({_PARENT}, resource.RLIMIT_FSIZE, ({size}, {size}))"


def limit_the_wrapper(size: int) -> str:
    """The same for the process that wraps the step."""
    return f"resource.prlimit(os.getppid(), resource.RLIMIT_FSIZE, ({size}, {size}))"


def eventually(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


def processes(project: Made) -> list[str]:
    """Command lines of processes that work for a project."""
    lines = [" ".join(each.info["cmdline"] or ()) for each in psutil.process_iter(["cmdline"])]
    return [line for line in lines if str(project.home) in line]


def _name(step: str) -> str:
    return step.replace("-", "_")


def _module(body: str) -> str:
    return f"import os, resource, signal, sys, time\nfrom pathlib import Path\n\ndef step(out):\n    {body}\n"


def _project(steps: dict[str, str]) -> str:
    entries = [
        f'- {{name: {name}, run: "{_name(name)}:step", out: {{out: {name}.txt}}{more and f", {more}"}}}'
        for name, more in steps.items()
    ]
    return "apiVersion: aiga.dev/v1\nname: line\netl:\n" + "\n".join(entries) + "\n"
