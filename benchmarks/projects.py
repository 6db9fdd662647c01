"""What running a project costs, beside what a data scientist would use instead, in one run, as ratios.

Steps beside plain processes, Prefect and Metaflow; logging beside MLflow and `print`; a search beside bare Optuna;
steps side by side beside the cores there are. `python -m benchmarks.projects`.
"""

from __future__ import annotations

import json
import os
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
from aiga.names import LOG
from aiga.search.study import Study
from aiga.spec.search import Search
from aiga.store import open_store
from benchmarks import rivals
from benchmarks.platform import timed
from benchmarks.rivals import Unavailable
from benchmarks.sample import OPTUNA, REPEATED, SEARCH, Project, call, chain, command

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


def steps(folder: Path) -> Iterator[Row]:
    """A chain of trivial steps. What a single one takes is taken off, to tell steps from starting."""
    one, many = Project(folder / "one", chain(1)), Project(folder / "many", chain(STEPS))
    begin, whole = one.best(1), many.best(STEPS)
    again = min(many.run(0, again=True) for _ in range(REPEATED))
    each = (whole - begin) / (STEPS - 1)

    def plainly() -> None:
        command(call("steps.first(P('0'))"), many.folder)
        for n in range(1, STEPS):
            command(call(f"steps.more(P('{n - 1}'), P('{n}'))"), many.folder)

    plain = min(timed(plainly) for _ in range(REPEATED))
    yield Row("a step", each, "plain process", plain / STEPS, "ms")
    theirs: dict[str, tuple[float | None, float | None]] = {
        "Prefect (tasks in its own process)": tried(lambda: _prefect(folder)),
        "Metaflow": tried(lambda: _metaflow(folder)),
    }
    yield from (Row("a step", each, name, step, "ms") for name, (step, _) in theirs.items())
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
    taken: list[tuple[float, float]] = []
    for _ in range(REPEATED):
        printed: list[str] = []
        whole = timed(lambda: printed.append(found.run(str(STEPS))))  # noqa: B023
        taken.append((float(printed[0].split()[-1]), whole))
    return min(step for step, _ in taken), min(whole for _, whole in taken)


def _metaflow(folder: Path) -> tuple[float, float]:
    found = rivals.metaflow(STEPS).install(folder)
    whole = min(timed(lambda: found.run("run")) for _ in range(REPEATED))
    (found.folder / "script.py").write_text(rivals.metaflow(3).script)
    short = min(timed(lambda: found.run("run")) for _ in range(REPEATED))
    return (whole - short) / (STEPS - 3), whole


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
        "MLflow log_metric, SQLite": (f"sqlite:///{folder}/mlflow.db", 200),
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
    _optuna(_maximised())  # brings what it imports at its first suggestion
    ours, filed, memory = (
        min(timed(lambda: way(folder / str(n))) for n in range(REPEATED)) / TRIALS  # noqa: B023
        for way in (lambda own: _study(Search.model_validate(asked), own), _filed, lambda _: _optuna(_maximised()))
    )
    yield Row("ask and tell a trial", ours, "Optuna, its journal file", filed, "ms")
    yield Row("ask and tell a trial", ours, "Optuna, in memory", memory, "ms")
    project = Project(folder / "searching", SEARCH % SLEEPING)
    (project.folder / "optuna_alone.py").write_text(OPTUNA)
    whole = project.best(1)
    for how, name in (("threads", "Optuna, n_jobs=2 in its process"), ("processes", "Optuna, each trial a process")):
        words = [sys.executable, "optuna_alone.py", str(SLEEPING), how]
        theirs = min(timed(lambda: command(words, project.folder)) for _ in range(REPEATED))  # noqa: B023
        yield Row(f"a search of {SLEEPING} trials of 0.2 s, 2 at a time", whole, name, theirs)


def _study(search: Search, folder: Path) -> None:
    study = Study.open(search, "train", open_store(str(folder / "store")), "bench/search")
    while trial := study.ask():
        study.tell(trial.number, -((float(trial.parameters["rate"]) - 0.3) ** 2))


def _filed(folder: Path) -> None:
    _optuna(_maximised(JournalStorage(JournalFileBackend(f"{folder}.log"))))


def _maximised(storage: JournalStorage | None = None) -> optuna.Study:
    return optuna.create_study(storage=storage, direction="maximize")


def _optuna(study: optuna.Study) -> None:
    for _ in range(TRIALS):
        trial = study.ask()
        study.tell(trial, -((trial.suggest_float("rate", 0.0, 1.0) - 0.3) ** 2))


def parallel(folder: Path) -> Iterator[Row]:
    """Steps that burn a core each, on one core and on two; the ideal is a step's time on a core, shared out."""
    block = "etl:\n" + "".join(
        f'- {{name: s{n}, run: "steps:burn", out: {{value: value.txt}}, parameters: {{rounds: {ROUNDS + n}}}}}\n'
        for n in range(BURNING)  # no two are alike, or the later would be reused
    )
    cores = sorted(os.sched_getaffinity(0))
    taken: dict[int, tuple[float, float]] = {}
    for count in (1, 2):
        if count > len(cores):
            print(f"{count} cores: this machine has {len(cores)}", file=sys.stderr)
            return
        project = Project(folder / f"burning-{count}", block)
        words = [call(f"steps.burn(P('{n}'), {ROUNDS + n})") for n in range(BURNING)]
        bound = cores[:count]
        alone = min(timed(lambda: command(words[0], project.folder, cores=bound)) for _ in range(REPEATED))  # noqa: B023
        ideal = BURNING * alone / count
        with ThreadPoolExecutor(count) as pool:
            together = lambda: list(pool.map(lambda each: command(each, project.folder, cores=bound), words))  # noqa: B023, E731
            plain = min(timed(together) for _ in range(REPEATED))
        ours = project.best(BURNING, bound)
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
