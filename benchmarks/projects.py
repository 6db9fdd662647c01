"""What running a project costs, beside what a data scientist would use instead, in one run, as ratios.

Steps beside plain processes, Prefect and Metaflow; logging beside MLflow and `print`; a search beside bare Optuna;
steps side by side beside the cores there are. `python -m benchmarks.projects`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from rich.console import Console
from rich.table import Table

import aiga
from aiga.names import HOME, LOG, STORE
from aiga.search.study import Study
from aiga.spec.search import Search
from aiga.store import open_store
from benchmarks import rivals
from benchmarks.platform import timed
from benchmarks.rivals import Unavailable
from stacks.workdir import ROOT

STEPS, TRIALS, SLEEPING, BURNING = 10, 40, 12, 8
CALLS = 20_000
ROUNDS = 12_000_000
"""Of a loop that burns about a second."""


@dataclass(frozen=True)
class Row:
    """One figure of ours beside one of another's, in seconds; None where it could not be had."""

    what: str
    ours: float
    beside: str
    theirs: float | None
    unit: str = "s"

    @property
    def ratio(self) -> float | None:
        return None if self.theirs is None else self.ours / self.theirs


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
    """A project in a folder, with a home of its own."""

    def __init__(self, folder: Path, blocks: str) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "steps.py").write_text(CODE)
        (folder / "project.yaml").write_text(f"apiVersion: aiga.dev/v1\nname: bench\n{blocks}")

    def run(self, cores: Sequence[int] | None = None) -> float:
        """Seconds of `aiga run`."""
        own = {
            HOME: str(self.folder / ".aiga"),
            "AIGA_KEYS": str(self.folder / ".aiga" / "keys"),
            "PYTHONPATH": str(ROOT),
        }
        inherited = {name: value for name, value in os.environ.items() if name != STORE}
        return timed(lambda: command([sys.executable, "-m", "aiga", "run"], self.folder, {**inherited, **own}, cores))


def command(
    words: Sequence[str], folder: Path, variables: dict[str, str] | None = None, cores: Sequence[int] | None = None
) -> None:
    """Runs a command to its end, on these cores alone if they are given."""
    bind = None if cores is None else lambda: os.sched_setaffinity(0, cores)
    done = subprocess.run(
        words, cwd=folder, env=variables, preexec_fn=bind, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(words)[:80]}: {done.stdout[-1000:]}{done.stderr[-1000:]}")


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


def steps(folder: Path) -> Iterator[Row]:
    """A chain of trivial steps. What a single one takes is taken off, to tell steps from starting."""
    one, many = Project(folder / "one", chain(1)), Project(folder / "many", chain(STEPS))
    begin = min(one.run(), Project(folder / "single", chain(1)).run())
    whole = many.run()
    again = many.run()
    each = (whole - begin) / (STEPS - 1)

    def plainly() -> None:
        command(call("steps.first(P('0'))"), many.folder)
        for n in range(1, STEPS):
            command(call(f"steps.more(P('{n - 1}'), P('{n}'))"), many.folder)

    plain = timed(plainly)
    yield Row("a step", each, "plain process", plain / STEPS)
    theirs: dict[str, tuple[float | None, float | None]] = {
        "Prefect (tasks in its own process)": tried(lambda: _prefect(folder)),
        "Metaflow": tried(lambda: _metaflow(folder)),
    }
    yield from (Row("a step", each, name, step) for name, (step, _) in theirs.items())
    yield Row(f"a run of {STEPS} steps", whole, "plain processes", plain)
    yield from (Row(f"a run of {STEPS} steps", whole, name, total) for name, (_, total) in theirs.items())
    yield Row(f"the same again, {STEPS} reused", again, "plain processes, done again", plain)


def tried(measure: Callable[[], tuple[float, float]]) -> tuple[float | None, float | None]:
    try:
        return measure()
    except Unavailable as error:
        print(error, file=sys.stderr)
        return None, None


def _prefect(folder: Path) -> tuple[float, float]:
    """Seconds of a step, and of a run that finds its database made."""
    found = rivals.PREFECT.install(folder)
    found.run("1")
    printed: list[str] = []
    whole = timed(lambda: printed.append(found.run(str(STEPS))))
    return float(printed[0].split()[-1]), whole


def _metaflow(folder: Path) -> tuple[float, float]:
    found = rivals.metaflow(STEPS).install(folder)
    whole = timed(lambda: found.run("run"))
    (found.folder / "script.py").write_text(rivals.metaflow(3).script)
    return (whole - timed(lambda: found.run("run"))) / (STEPS - 3), whole


def logging(folder: Path) -> Iterator[Row]:
    """One metric a call. `aiga.log` and a flushed `print` outlive a kill; a `print` that is not flushed does not."""
    with environment({LOG: str(folder / "metrics.jsonl")}):
        ours = per_call(lambda n: aiga.log(loss=0.5, step=n))
    with open(folder / "printed.jsonl", "w") as out:
        flushed = per_call(lambda n: print(json.dumps({"loss": 0.5, "step": n}), file=out, flush=True))
        plain = per_call(lambda n: print(json.dumps({"loss": 0.5, "step": n}), file=out))
    yield Row("aiga.log", ours, "print(json.dumps(…), flush=True)", flushed, "µs")
    yield Row("aiga.log", ours, "print(json.dumps(…))", plain, "µs")
    stores = {
        "MLflow log_metric, file store": (f"file:{folder}/mlruns", 300),
        "MLflow log_metric, SQLite": (f"sqlite:///{folder}/mlflow.db", 60),
    }
    try:
        found = rivals.MLFLOW.install(folder)
        for name, (uri, count) in stores.items():
            yield Row("aiga.log", ours, name, float(found.run(uri, str(count)).split()[-1]), "µs")
    except Unavailable as error:
        print(error, file=sys.stderr)
        yield Row("aiga.log", ours, "MLflow", None, "µs")


def per_call(action: Callable[[int], object]) -> float:
    def loop() -> None:
        for n in range(CALLS):
            action(n)

    return timed(loop) / CALLS


@contextmanager
def environment(variables: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def search(folder: Path) -> Iterator[Row]:
    """Suggestions by TPE: asked for and told, with nothing in between; then real runs of real trials."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    asked = {"trials": TRIALS, "objective": {"metric": "score"}, "space": {"rate": {"float": [0.0, 1.0]}}}
    ours = timed(lambda: _study(Search.model_validate(asked), folder)) / TRIALS
    journal = JournalStorage(JournalFileBackend(str(folder / "journal.log")))
    filed = timed(lambda: _optuna(optuna.create_study(storage=journal, direction="maximize"))) / TRIALS
    memory = timed(lambda: _optuna(optuna.create_study(direction="maximize"))) / TRIALS
    yield Row("ask and tell a trial", ours, "Optuna, its journal file", filed, "ms")
    yield Row("ask and tell a trial", ours, "Optuna, in memory", memory, "ms")
    project = Project(folder / "searching", SEARCH % SLEEPING)
    (project.folder / "optuna_alone.py").write_text(OPTUNA)
    whole = project.run()
    for how, name in (("threads", "Optuna, n_jobs=2 in its process"), ("processes", "Optuna, each trial a process")):
        words = [sys.executable, "optuna_alone.py", str(SLEEPING), how]
        theirs = timed(lambda words=words: command(words, project.folder))  # type: ignore[misc]
        yield Row(f"a search of {SLEEPING} trials of 0.2 s, 2 at a time", whole, name, theirs)


def _study(search: Search, folder: Path) -> None:
    study = Study.open(search, "train", open_store(str(folder / "store")), "bench/search")
    while trial := study.ask():
        study.tell(trial.number, -((float(trial.parameters["rate"]) - 0.3) ** 2))


def _optuna(study: optuna.Study) -> None:
    for _ in range(TRIALS):
        trial = study.ask()
        study.tell(trial, -((trial.suggest_float("rate", 0.0, 1.0) - 0.3) ** 2))


def parallel(folder: Path) -> Iterator[Row]:
    """Steps that burn a core each, on one core and on two; the ideal is a step's time on a core, shared out."""
    block = "etl:\n" + "".join(
        f'- {{name: s{n}, run: "steps:burn", out: {{value: value.txt}}, parameters: {{rounds: {ROUNDS}}}}}\n'
        for n in range(BURNING)
    )
    cores = sorted(os.sched_getaffinity(0))
    taken: dict[int, tuple[float, float]] = {}
    for count in (1, 2):
        if count > len(cores):
            print(f"{count} cores: this machine has {len(cores)}", file=sys.stderr)
            return
        project = Project(folder / f"burning-{count}", block)
        words = [call(f"steps.burn(P('{n}'), {ROUNDS})") for n in range(BURNING)]
        bound = cores[:count]
        alone = timed(lambda: command(words[0], project.folder, cores=bound))  # noqa: B023 - called at once
        ideal = BURNING * alone / count
        with ThreadPoolExecutor(count) as pool:
            plain = timed(lambda: list(pool.map(lambda each: command(each, project.folder, cores=bound), words)))  # noqa: B023
        ours = project.run(bound)
        taken[count] = ours, plain
        what = f"{BURNING} steps of {alone:.1f} s on {count} core{'s' * (count > 1)}"
        yield Row(what, ours, "plain processes, one a core", plain)
        yield Row(what, ours, "ideal", ideal)
    ours, plain = (taken[1][n] / taken[2][n] for n in (0, 1))
    yield Row("speed-up by the second core", ours, "plain processes, one a core", plain, "×")
    yield Row("speed-up by the second core", ours, "ideal", 2.0, "×")


_SCALE = {"s": (1, ".2f"), "ms": (1e3, ".1f"), "µs": (1e6, ".1f"), "×": (1, ".2f")}


def told(row: Row, value: float | None) -> str:
    factor, form = _SCALE[row.unit]
    return "not to be had" if value is None else f"{value * factor:{form}} {row.unit}"


def report(title: str, rows: Sequence[Row], console: Console) -> None:
    """Print what was measured."""
    table = Table(title=title, title_justify="left")
    for heading in ("", "aiga", "beside", "it", "ratio"):
        table.add_column(heading, justify="right" if heading in ("aiga", "it", "ratio") else "left")
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.3g}"
        table.add_row(row.what, told(row, row.ours), row.beside, told(row, row.theirs), ratio)
    console.print(table)


def main() -> None:
    parts = {"Steps": steps, "Logging a metric": logging, "Search": search, "Side by side": parallel}
    print(f"{len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f} before it began")
    for title, measure in parts.items():
        with tempfile.TemporaryDirectory(prefix="aiga-bench-") as name:
            folder = Path(name)
            with environment({"AIGA_ENVIRONMENTS": str(folder / "environments")}):
                rows = list(measure(folder))
        report(title, rows, Console(width=None if sys.stdout.isatty() else 140))


if __name__ == "__main__":
    main()
