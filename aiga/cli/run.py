"""`aiga run`, `validate`, `explain`, `schema`, `approve`: a project, and what becomes of it."""

from __future__ import annotations

import select
import sys
import termios
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from aiga.cli.shared import Folder, StoreOption, at, console, say, told
from aiga.errors import AigaError, UserError
from aiga.runner import materials, people, record, run
from aiga.runner import watch as watching
from aiga.runner.screen import Screen
from aiga.spec import load
from aiga.spec.explain import explain as explained
from aiga.spec.explain import inactive
from aiga.spec.inactive import of_run
from aiga.spec.load import Loaded
from aiga.spec.schema import text

REJECTED = 3
"""Exit code of a run that a gate or a person ended: the run itself went well."""
Parameters = Annotated[
    list[str] | None, typer.Option("-p", "--parameter", help="name=value or step.name=value, for this run alone.")
]


@told
def run_(
    folder: Folder = Path("."),
    parameters: Parameters = None,
    store: StoreOption = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Reuse nothing.")] = False,
    new: Annotated[bool, typer.Option("--new", help="Do not take up a killed run.")] = False,
    stage: Annotated[
        Literal["production", "staging"], typer.Option("--to", help="Stage that a model which passes is put on.")
    ] = "production",
    watch: Annotated[bool, typer.Option("--watch", help="Run again by schedule, and when sources change.")] = False,
) -> int:
    """Run a project on this machine: data, training, gates, promotion."""
    here = at(folder, store)
    _doubts(here.loaded)
    for line in of_run(here.loaded.project):
        say(f"note: {line}")
    request = run.Request(here.folder, tuple(parameters or ()), fresh, new, Prompt(), stage=stage)
    if watch:
        _watch(folder, store, request)
        return 0
    return finished(run.run(request, here.loaded.project, here.place, Screen(console)))


def _watch(folder: Path, store: str | None, request: run.Request) -> None:
    """Runs until Ctrl-C; a run that fails is told, and the next reason is waited for."""

    def now() -> watching.Watched:
        here = at(folder, store)
        return watching.Watched(here.loaded.project, materials.reader(here.loaded.project, here.folder, here.place))

    def again(watched: watching.Watched, reason: str) -> Mapping[str, Any]:
        say(f"watch: {reason}")
        here, project = at(folder, store), watched.project
        before = record.latest(here.place.store, project.name)
        try:
            ended = run.run(replace(request, ask=Prompt()), project, here.place, Screen(console))
        except AigaError as error:
            latest = record.latest(here.place.store, project.name)
            if latest is None or (before is not None and latest.tag == before.tag):
                raise
            say(f"watch: {error}")
            return latest.sources
        finished(ended)
        return ended.sources

    watching.watch(now, again, stop=threading.Event(), say=say)


def finished(ended: record.RunRecord) -> int:
    """Tells how a run ended; the exit code."""
    for name, value in ended.metrics.items():
        say(f"{name}: {value:.4g}")
    say(f"run {ended.tag}: {ended.state}{f': {ended.reason}' if ended.reason else ''}")
    return {"succeeded": 0, "rejected": REJECTED}.get(ended.state, 1)


class Prompt:
    """A question at this terminal. A call looks for the answer and waits for none: others may answer meanwhile."""

    def __init__(self) -> None:
        self._open = sys.stdin.isatty()
        self._asked = False

    def __call__(self) -> str | None:
        if not self._open:
            return None
        if not self._asked:
            self._asked = True
            termios.tcflush(sys.stdin, termios.TCIFLUSH)  # what was typed before the question answers another
            say("Release this model? Type yes, no or later.")
        if not select.select([sys.stdin], [], [], 0)[0]:
            return None
        line = sys.stdin.readline()
        word = line.strip().lower()
        found = {"yes": people.APPROVED, "y": people.APPROVED, "no": people.REJECTED, "n": people.REJECTED}.get(word)
        self._open = found is None and bool(line) and word != "later"
        if self._open:
            say(f"{word!r}: must be yes, no or later")
        return found


def _doubts(loaded: Loaded) -> None:
    """What may be right, and seldom is."""
    for warning in loaded.warnings:
        say(f"warning: {warning}")


@told
def validate(folder: Folder = Path(".")) -> None:
    """Check a project file; every mistake at once."""
    loaded = load(folder)
    _doubts(loaded)
    say(f"{loaded.file}: valid")


@told
def explain(folder: Folder = Path(".")) -> None:
    """Show every value of a project with every default filled in, and where it comes from."""
    loaded = load(folder)
    for row in explained(loaded):
        say(str(row))
    for line in inactive(loaded.project):
        say(f"note: {line}")


@told
def schema_() -> None:
    """Print the JSON Schema of project.yaml, for editors."""
    typer.echo(text())


def step(order: Annotated[Path, typer.Argument(help="The order, a JSON file.")]) -> None:
    """Do one try of one step, as a container does; the exit code tells whether to try again."""
    from aiga.step.__main__ import main

    raise typer.Exit(main([str(order)]))


@told
def label(
    tag: Annotated[str, typer.Argument(help="The waiting run.")],
    file: Annotated[Path, typer.Option("--file", exists=True, help="The labels: a CSV with one row each.")],
    folder: Folder = Path("."),
    store: StoreOption = None,
) -> None:
    """Give a run the labels that it waits for."""
    here = at(folder, store)
    asked = here.loaded.project.label
    found = record.load(here.place.store, here.loaded.project.name, tag)
    if asked is None or found is None or found.over:
        raise UserError(f"{tag}: no run of {here.loaded.project.name} waits for labels under it (see `aiga runs`)")
    say(f"run {tag}: {people.give_labels(here.place, tag, file, asked.need)} labels")


@told
def approve(
    tag: Annotated[str, typer.Argument(help="The waiting run.")],
    folder: Folder = Path("."),
    store: StoreOption = None,
    reject: Annotated[bool, typer.Option("--reject", help="Reject the candidate.")] = False,
    why: Annotated[str, typer.Option("--why", help="The reason, for the record.")] = "",
) -> None:
    """Release the candidate of a run that waits for it."""
    here = at(folder, store)
    found = record.load(here.place.store, here.loaded.project.name, tag)
    if found is None:
        raise UserError(f"{tag}: there is no such run of {here.loaded.project.name} (see `aiga runs`)")
    decision = people.REJECTED if reject else people.APPROVED
    people.answer(here.place.store, found, {"decision": decision, "why": why})
    say(f"run {tag}: {decision}")
