"""`aiga search suggest|trial|rank`: a search as three commands over one journal, so that each can be a container."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from aiga.cli.shared import At, Folder, StoreOption, at, told
from aiga.errors import UserError
from aiga.runner.record import RunRecord
from aiga.runner.screen import Screen
from aiga.runner.setting import Setting
from aiga.spec.parameters import override
from aiga.spec.project import Project
from aiga.spec.search import Search

app = typer.Typer(help="The search of a run, in rounds: suggest, a trial each, rank.", no_args_is_help=True)
Run = Annotated[str, typer.Option("--run", help="Tag of the run whose steps before training are done.")]


@app.command()
@told
def suggest(
    run: Run,
    folder: Folder = Path("."),
    count: Annotated[
        int | None, typer.Option("--count", help="Trials of this round; search.parallel by default.")
    ] = None,
    store: StoreOption = None,
) -> None:
    """Print the next round, a JSON list of {number, slot, parameters}; empty when the search is over."""
    from aiga.runner import rounds  # brings optuna
    from aiga.search import commands

    here = at(folder, store)
    search = _search(here, _project(here, rounds.begun(here.place, run)))
    trials = commands.suggest(search, here.place.store, rounds.journal(here.place, run), count or search.parallel)
    typer.echo(json.dumps(trials))


@app.command()
@told
def trial(
    run: Run,
    suggested: Annotated[str, typer.Option("--trial", help="One element of the list that `suggest` printed.")],
    folder: Folder = Path("."),
    store: StoreOption = None,
) -> None:
    """Train with one set of parameters, and record what came of it."""
    here = at(folder, store)
    try:
        asked: dict[str, Any] = json.loads(suggested)
        number, parameters = int(asked["number"]), dict(asked["parameters"])
    except (ValueError, KeyError, TypeError):
        raise UserError(
            f"--trial {suggested[:80]!r}: must be {{number, slot, parameters}} as `suggest` prints it"
        ) from None
    from aiga.runner import rounds  # brings optuna

    begun = rounds.begun(here.place, run)
    setting = _setting(here, begun)
    typer.echo(json.dumps(rounds.trial(setting, begun, _search(here, setting.project), number, parameters)))


@app.command()
@told
def rank(run: Run, folder: Folder = Path("."), store: StoreOption = None) -> None:
    """Print all trials from best to worst as JSON, and make the best one's result that of the training step."""
    from aiga.runner import rounds  # brings optuna
    from aiga.search import commands

    here = at(folder, store)
    begun = rounds.begun(here.place, run)
    setting = _setting(here, begun)
    search = _search(here, setting.project)
    table = commands.rank(search, here.place.store, rounds.journal(here.place, run))
    rounds.take(setting, begun, search, table)
    typer.echo(json.dumps(table))


def _search(here: At, project: Project) -> Search:
    if project.train is None or project.train.search is None:
        raise UserError(f"{here.loaded.file}: train.search: there is none (add one, or use aiga run)")
    return project.train.search


def _project(here: At, run: RunRecord) -> Project:
    """The project with the parameters that the run was given on its command line."""
    return override(here.loaded.project, list(run.overrides))


def _setting(here: At, run: RunRecord) -> Setting:
    return Setting.of(run.tag, _project(here, run), here.folder, here.place, Screen(Console(stderr=True)))
