"""`aiga lineage`: from a model, a run or an answered request back to data, parameters and commit."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text
from rich.tree import Tree

from aiga.cli.shared import At, ProjectOption, StoreOption, at, console, told
from aiga.errors import UserError
from aiga.registry import Registry, parse
from aiga.registry.address import which
from aiga.runner import layout, lineage, record
from aiga.runner.lineage import Link
from aiga.serving.gateway import journal
from aiga.store import Missing

What = Annotated[
    str,
    typer.Argument(
        help="A version (a number, production, staging or latest), a run's tag, "
        "or a prediction: the id that its answer's header seldon-puid holds."
    ),
]


@told
def lineage_(what: What = "production", project: ProjectOption = Path("."), store: StoreOption = None) -> None:
    """Show where a model, a run or a prediction comes from, back to the digests of the data."""
    console.print(_tree(link_of(at(project, store), what)))


def link_of(here: At, what: str) -> Link:
    """The lineage of whatever a person names.

    Raises:
        UserError: there is nothing of that name.
    """
    name = here.loaded.project.name
    if layout.TAG.fullmatch(what):
        run = record.load(here.place.store, name, what)
        if run is None:
            raise UserError(f"{what}: there is no such run of {name} (see `aiga runs`)")
        return lineage.of_run(here.place, run)
    version = what.removeprefix(f"{name}@")
    try:
        which(version)
    except UserError:
        return _of_prediction(here, what)
    try:
        return lineage.of_model(here.place.store, Registry(here.place.store, name).get(version))
    except Missing:
        if not journal.find(here.place.predictions, what):  # ids of requests may be numbers
            raise
        return _of_prediction(here, what)


def _of_prediction(here: At, request: str) -> Link:
    name, folder = here.loaded.project.name, here.place.predictions
    found = journal.find(folder, request)
    if not found:
        raise UserError(
            f"{request}: is no version and no run of {name}, and no request that its gateway answered lately, as far "
            f"as {folder} tells (see `aiga models`, `aiga runs`; the header seldon-puid of an answer has its id)"
        )
    last = found[-1]
    made_of = []
    for address in last.models:
        parsed = parse(address)
        registry = Registry(here.place.store, parsed.project)
        try:
            made_of.append(lineage.of_model(here.place.store, registry.get(parsed.at)))
        except Missing:
            made_of.append(Link(address, "", f"is not in {here.place.store.address}"))
    when = datetime.fromtimestamp(last.time, UTC).isoformat(timespec="seconds")
    again = f"; the last of {len(found)} requests with this id" if len(found) > 1 else ""
    model = "" if last.models else "; no registered model: the project's own code"
    what = f"answered {when} by {last.predictor} ({last.protocol}, {last.code}){model}{again}"
    return Link(f"prediction {request}", "", what, tuple(made_of))


def _tree(link: Link, tree: Tree | None = None) -> Tree:
    label = Text.assemble(link.name, ("".join(f"  {part}" for part in (link.digest[:19], link.what) if part), "dim"))
    branch = Tree(label) if tree is None else tree.add(label)
    for below in link.made_of:
        _tree(below, branch)
    return branch
