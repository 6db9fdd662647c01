"""`aiga models`, `promote`, `rollback`: the versions of a project's model, and which one is where."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table

from aiga.cli.shared import Folder, StoreOption, at, console, say, told
from aiga.registry import Registry
from aiga.runner.people import whoami

Stage = Annotated[Literal["staging", "production"], typer.Option("--stage", help="Which stage.")]
Why = Annotated[str, typer.Option("--why", help="The reason, for the record.")]


@told
def models(folder: Folder = Path("."), store: StoreOption = None) -> None:
    """List the registered versions of a project's model."""
    here = at(folder, store)
    registry = Registry(here.place.store, here.loaded.project.name)
    found = registry.versions()
    if not found:
        say(f"{here.loaded.project.name}: no model yet (aiga run)")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("version", "stage", "run", "metrics", "digest", "approver"):
        table.add_column(heading)
    stages = {name: registry.stage(name) for name in ("production", "staging")}
    for model in found:
        stage = ", ".join(name for name, version in stages.items() if version == model.version)
        metrics = ", ".join(f"{name} {value:.4g}" for name, value in model.evidence.metrics.items())
        told = model.evidence
        table.add_row(str(model.version), stage, told.run, metrics, told.digest[:19], told.approver or "")
    console.print(table)


@told
def promote(
    version: Annotated[int, typer.Argument(help="Which version.")],
    folder: Folder = Path("."),
    store: StoreOption = None,
    stage: Stage = "production",
    why: Why = "",
) -> None:
    """Put a version on a stage."""
    here = at(folder, store)
    Registry(here.place.store, here.loaded.project.name).promote(version, stage, by=whoami(), why=why)
    say(f"{here.loaded.project.name}@{version}: {stage}")


@told
def rollback(folder: Folder = Path("."), store: StoreOption = None, stage: Stage = "production", why: Why = "") -> None:
    """Put back what stood on a stage before."""
    here = at(folder, store)
    version = Registry(here.place.store, here.loaded.project.name).rollback(stage, by=whoami(), why=why)
    say(f"{here.loaded.project.name}@{version}: {stage} again")
