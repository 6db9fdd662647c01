"""Small projects for tests of the runner, and the command that runs them as a user does."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

AIGA = (
    "import runpy, signal\n"
    "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    "runpy.run_module('aiga', run_name='__main__', alter_sys=True)"
)
"""`python -m aiga`, also where this is the background job of a shell, which ignores SIGINT and hands that on."""
STEPS = '''
"""Makes numbers, fits a line to them, and predicts."""

import json
import time
from pathlib import Path

def make(numbers: Path, count: int) -> None:
    numbers.write_text("\\n".join(str(n) for n in range(count)))

def total(numbers: Path) -> dict:
    return {"sum": sum(int(n) for n in numbers.read_text().split())}

def train(numbers: Path, sum: int, model: Path, rate: float, slow: float = 0.0) -> None:
    time.sleep(slow)
    print(json.dumps({"score": 1 - abs(rate - 0.3)}))
    model.write_text(json.dumps({"rate": rate, "sum": sum}))

def evaluate(model: Path, numbers: Path, predictions: Path) -> None:
    rate = json.loads(model.read_text())["rate"]
    rows = [int(n) for n in numbers.read_text().split()]
    lines = [f"{n % 2},{n % 2 if n / len(rows) >= abs(rate - 0.3) else 1 - n % 2}" for n in rows]
    predictions.write_text("expected,predicted\\n" + "\\n".join(lines))
'''
PROJECT = """
apiVersion: aiga.dev/v1
name: line
etl:
- {name: make, run: "steps:make", out: {numbers: numbers.txt}, parameters: {count: 100}}
- {name: total, run: "steps:total", in: [numbers], returns: {sum: integer}}
train:
  run: steps:train
  in: [numbers, sum]
  out: {model: model.json}
  parameters: {rate: 0.25}
evaluate:
  run: steps:evaluate
  in: [numbers]
  out: {predictions: predictions.csv}
  metrics: [accuracy]
  gates:
  - {kind: threshold, metric: accuracy, min: 0.9}
"""
SEARCH = """
  search:
    method: random
    trials: 6
    parallel: 2
    objective: {metric: score, goal: max}
    space: {rate: {float: [0.2, 0.4]}}
"""


@dataclass
class Made:
    """A project in a folder, with a home of its own."""

    folder: Path
    home: Path

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(textwrap.dedent(text))

    def change(self, name: str, old: str, new: str) -> None:
        text = (self.folder / name).read_text()
        assert old in text
        (self.folder / name).write_text(text.replace(old, new))

    def start(self, *words: str, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", AIGA, *words],
            cwd=self.folder,
            env={**self.environment, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def aiga(self, *words: str, code: int = 0, **variables: str) -> str:
        """Runs a command to its end and returns what it printed."""
        process = self.start(*words, **variables)
        output, _ = process.communicate(timeout=300)
        print(f"--- aiga {' '.join(words)} -> {process.returncode}\n{output}")
        assert process.returncode == code, output
        assert "Traceback" not in output
        return output

    @property
    def environment(self) -> Mapping[str, str]:
        own = {"AIGA_HOME": str(self.home), "AIGA_KEYS": str(self.home / "keys"), "PYTHONPATH": str(ROOT)}
        kept = {key: value for key, value in os.environ.items() if key != "AIGA_STORE"}
        return {**kept, **own, "COLUMNS": "200"}


def made(folder: Path, project: str = PROJECT, steps: str = STEPS) -> Made:
    """A project in `folder`."""
    own = folder / "line"
    own.mkdir()
    found = Made(own, folder / "home")
    found.write("project.yaml", project)
    found.write("steps.py", steps)
    return found


def states(output: str) -> dict[str, str]:
    """Step to how it ended, of what a run printed."""
    return dict(re.findall(r"^([a-z][\w-]*): (done|reused|failed|skipped)", output, re.MULTILINE))


def tag(output: str) -> str:
    found = re.search(r"^run (\d{8}t\d{6}-[0-9a-f]{6})", output, re.MULTILINE)
    assert found
    return found[1]


def kill(process: subprocess.Popen[str], after: float) -> None:
    """SIGKILL to the runner alone, as the kernel would: its children are not told."""
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    process.communicate()
