"""Prefect, Metaflow and MLflow, each in a virtual environment of its own under the benchmark's folder.

None asks for a network once it is installed. Prefect 3.8.8 accepts later FastAPIs than it starts with (0.165 lacks
`min_items`), and brings up a server of its own for a flow, for which it grants 20 s unless told otherwise; MLflow wants
to be told that its file store may still be used.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aiga.errors import AigaError
from aiga.runner import environment


class Unavailable(Exception):
    """It cannot be measured here, and why."""


@dataclass(frozen=True)
class Rival:
    """A package with its scripts."""

    name: str
    requirements: tuple[str, ...]
    variables: Mapping[str, str]
    script: str

    def install(self, folder: Path) -> Installed:
        """Makes its environment.

        Raises:
            Unavailable: its packages cannot be had here.
        """
        own = folder / self.name.lower()
        own.mkdir()
        (own / environment.REQUIREMENTS).write_text("\n".join(self.requirements) + "\n")
        (own / "script.py").write_text(self.script)
        try:
            return Installed(self, own, environment.ensure(own, lambda _: None))
        except AigaError as error:
            raise Unavailable(f"{self.name} does not install: {str(error)[:200]}") from error


@dataclass(frozen=True)
class Installed:
    """A rival that can be run."""

    rival: Rival
    folder: Path
    python: Path

    def run(self, *words: str) -> str:
        """Runs its script to the end; what it printed.

        Raises:
            Unavailable: it failed, or took longer than a minute and a half.
        """
        variables = {name: value.format(folder=self.folder) for name, value in self.rival.variables.items()}
        try:
            done = subprocess.run(
                [str(self.python), "script.py", *words],
                cwd=self.folder,
                env={**os.environ, "HOME": str(self.folder), **variables},
                capture_output=True,
                text=True,
                timeout=90,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"{self.rival.name} took more than 90 s") from error
        if done.returncode:
            last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
            raise Unavailable(f"{self.rival.name} does not run: {''.join(last)[:200]}")
        return done.stdout


_PREFECT = '''
"""A flow of so many tasks in a chain; prints the seconds of each."""

import sys
import time
from pathlib import Path

from prefect import flow, task


@task
def more(before: str, value: str) -> str:
    Path(value).write_text(str(int(Path(before).read_text()) + 1))
    return value


@flow
def chain(count: int) -> float:
    last = "0"
    Path(last).write_text("0")
    since = time.perf_counter()
    for number in range(1, count + 1):
        last = more(last, str(number))
    return (time.perf_counter() - since) / count


print(chain(int(sys.argv[1])))
'''

_METAFLOW = '''
"""A flow of ten steps in a chain."""

from metaflow import FlowSpec, step


class Chain(FlowSpec):
    @step
    def start(self):
        self.value = 0
        self.next(self.s2)

{steps}
    @step
    def end(self):
        self.value += 1


if __name__ == "__main__":
    Chain()
'''

_MLFLOW = '''
"""Logs a metric so many times to the store at a URI; prints the seconds of each."""

import sys
import time

import mlflow

mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_experiment("bench")
count = int(sys.argv[2])
with mlflow.start_run():
    mlflow.log_metric("loss", 0.5, step=0)
    since = time.perf_counter()
    for step in range(count):
        mlflow.log_metric("loss", 0.5, step=step)
    print((time.perf_counter() - since) / count)
'''


def _chain(count: int) -> str:
    """Metaflow's flow of so many steps; its first and last have names of their own."""
    names = [f"s{n}" for n in range(2, count)]
    following = [*names[1:], "end"]
    bodies = [
        f"    @step\n    def {name}(self):\n        self.value += 1\n        self.next(self.{after})\n"
        for name, after in zip(names, following, strict=True)
    ]
    return _METAFLOW.replace("{steps}", "\n".join(bodies))


def metaflow(count: int) -> Rival:
    """Metaflow with a flow of so many steps, at least three."""
    own = {"METAFLOW_USER": "bench", "METAFLOW_HOME": "{folder}", "METAFLOW_DATASTORE_SYSROOT_LOCAL": "{folder}/runs"}
    return Rival("Metaflow", ("metaflow==2.19.39",), own, _chain(count))


PREFECT = Rival(
    "Prefect",
    ("prefect==3.8.8", "fastapi==0.139.0"),
    {
        "PREFECT_HOME": "{folder}/home",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "80",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    },
    _PREFECT,
)
MLFLOW = Rival(
    "MLflow",
    ("mlflow-skinny==3.17.2", "sqlalchemy==2.1.9", "alembic==1.20.1"),
    {"MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_DISABLE_TELEMETRY": "true"},
    _MLFLOW,
)
