"""`aiga run`, `validate`, `explain`, `schema`, `approve`: a project, and what becomes of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from aiga.cli.shared import Folder, StoreOption, at, console, say, told
from aiga.errors import UserError
from aiga.runner import people, record, run
from aiga.runner.screen import Screen
from aiga.spec import load
from aiga.spec.explain import explain as explained
from aiga.spec.explain import inactive
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
) -> int:
    """Run a project on this machine: data, training, gates, promotion."""
    here = at(folder, store)
    for line in inactive(here.loaded.project):
        say(f"note: {line}")
    request = run.Request(
        here.folder, tuple(parameters or ()), fresh, new, _ask if sys.stdin.isatty() else lambda: None
    )
    ended = run.run(request, here.loaded.project, here.place, Screen(console))
    return finished(ended)


def finished(ended: record.RunRecord) -> int:
    """Tells how a run ended; the exit code."""
    for name, value in ended.metrics.items():
        say(f"{name}: {value:.4g}")
    say(f"run {ended.tag}: {ended.state}{f': {ended.reason}' if ended.reason else ''}")
    return {"succeeded": 0, "rejected": REJECTED}.get(ended.state, 1)


def _ask() -> str | None:
    answer = typer.prompt("Release this model? (yes, no, later)", default="later")
    return {"yes": "approved", "y": "approved", "no": "rejected", "n": "rejected"}.get(answer.strip().lower())


@told
def validate(folder: Folder = Path(".")) -> None:
    """Check a project file; every mistake at once."""
    loaded = load(folder)
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
    if record.load(here.place.store, here.loaded.project.name, tag) is None:
        raise UserError(f"{tag}: there is no such run of {here.loaded.project.name} (see `aiga runs`)")
    answer = "rejected" if reject else "approved"
    people.decide(here.place.store, here.loaded.project.name, tag, "approve", {"decision": answer, "why": why})
    say(f"run {tag}: {answer}")
