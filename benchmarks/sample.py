"""Projects to measure with, the same work without aiga, and how both are run and timed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from aiga.names import HOME, STORE
from benchmarks.platform import timed
from stacks.workdir import ROOT

REPEATED = 2
"""Times that most is done, the quickest of which counts: other work on the machine only ever slows it."""
CODE = """
import time
import aiga

def first(value):
    value.write_text("0")

def more(before, value):
    value.write_text(str(int(before.read_text()) + 1))

def burn(value, rounds):
    found = 0
    for n in range(rounds):
        found += n * n
    value.write_text(str(found))

def train(model, rate):
    time.sleep(0.2)
    aiga.log(score=-((rate - 0.3) ** 2))
    model.write_text(str(rate))
"""
SEARCH = """
train:
  run: steps:train
  out: {model: model.txt}
  search:
    trials: %d
    parallel: 2
    space: {rate: {float: [0.0, 1.0]}}
    objective: {metric: score}
"""
OPTUNA = '''
"""So many trials of 0.2 s, two at a time: in this process, or each in one of its own."""

import subprocess
import sys
import time

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

TRIAL = "import time; time.sleep(0.2); print(-(({0} - 0.3) ** 2))"


def objective(trial):
    rate = trial.suggest_float("rate", 0.0, 1.0)
    if sys.argv[2] == "processes":
        return float(subprocess.run([sys.executable, "-c", TRIAL.format(rate)], capture_output=True, check=True).stdout)
    time.sleep(0.2)
    return -((rate - 0.3) ** 2)


optuna.logging.set_verbosity(optuna.logging.WARNING)
study = optuna.create_study(storage=JournalStorage(JournalFileBackend(f"{sys.argv[2]}.log")), direction="maximize")
study.optimize(objective, n_trials=int(sys.argv[1]), n_jobs=2)
'''


class Project:
    """A project in a folder, each run of it with a home of its own unless told otherwise."""

    def __init__(self, folder: Path, blocks: str) -> None:
        self.folder = folder
        self._homes = 0
        folder.mkdir()
        (folder / "steps.py").write_text(CODE)
        (folder / "project.yaml").write_text(f"apiVersion: aiga.dev/v1\nname: bench\n{blocks}")

    def best(self, done: int, cores: Sequence[int] | None = None) -> float:
        """Seconds of the quickest of some runs from nothing, each of which does so many steps."""
        return min(self.run(done, cores) for _ in range(REPEATED))

    def run(self, done: int, cores: Sequence[int] | None = None, *, again: bool = False) -> float:
        """Seconds of one `aiga run`: it must do so many steps, for one that is reused would make it look quick."""
        self._homes += not again
        home = f"{self.folder}-home-{self._homes}"  # not within the project, whose source it would seem to be
        own = {HOME: home, "AIGA_KEYS": f"{home}/keys", "PYTHONPATH": str(ROOT)}
        inherited = {name: value for name, value in os.environ.items() if name != STORE}
        printed: list[str] = []
        words = [sys.executable, "-m", "aiga", "run"]
        took = timed(lambda: printed.append(command(words, self.folder, {**inherited, **own}, cores)))
        found = printed[0].count(": done in ")
        if found != done:
            raise SystemExit(f"{self.folder.name}: {found} steps were done in place of {done}:\n{printed[0]}")
        return took


def command(
    words: Sequence[str], folder: Path, variables: dict[str, str] | None = None, cores: Sequence[int] | None = None
) -> str:
    """Runs a command to its end, on these cores alone if they are given; what it printed."""
    bind = None if cores is None else lambda: os.sched_setaffinity(0, cores)
    done = subprocess.run(
        words, cwd=folder, env=variables, preexec_fn=bind, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(words)[:80]}: {done.stdout[-1000:]}{done.stderr[-1000:]}")
    return done.stdout


def call(text: str) -> list[str]:
    """A command that calls functions of the project's module in a process of their own."""
    return [sys.executable, "-c", f"from pathlib import Path as P; import steps; {text}"]


def chain(count: int) -> str:
    """The block of so many steps, each of which takes what the one before wrote."""
    later = [
        f'- {{name: s{n}, run: "steps:more", in: {{before: s{n - 1}.value}}, out: {{value: value.txt}}}}'
        for n in range(1, count)
    ]
    return "\n".join(["etl:", '- {name: s0, run: "steps:first", out: {value: value.txt}}', *later, ""])
