"""`aiga runs`, `compare`, `reproduce`, `report`: what was run, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from aiga.cli.shared import At, Folder, ProjectOption, StoreOption, at, console, say, told
from aiga.errors import UserError
from aiga.registry import Registry
from aiga.runner import compared, lineage, record
from aiga.runner import reproduce as reproducing
from aiga.runner.record import RunRecord
from aiga.runner.screen import Screen

Model = Annotated[str, typer.Argument(help="Version: a number, production, staging or latest.")]


@told
def runs(folder: Folder = Path("."), store: StoreOption = None) -> None:
    """List the runs of a project, the newest last."""
    here = at(folder, store)
    found = record.all_of(here.place.store, here.loaded.project.name, say)
    if not found:
        say(f"{here.loaded.project.name}: no run yet (aiga run)")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("run", "state", "model", "metrics", "reason"):
        table.add_column(heading, overflow="fold")
    for run in found:
        state = "killed" if run.unfinished else run.state
        reason = run.reason.splitlines()[0] if run.reason else ""
        table.add_row(run.tag, state, str(run.model or ""), _numbers(run.metrics), reason)
    console.print(table)


@told
def compare(
    tags: Annotated[list[str], typer.Argument(help="Two or more runs.")],
    project: ProjectOption = Path("."),
    store: StoreOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="An HTML file to write, with a plot of each metric.")
    ] = None,
) -> None:
    """Show where runs differ: parameters, metrics, digests of what each step made."""
    here = at(project, store)
    sides = [compared.side(here.place, _run(here, tag)) for tag in dict.fromkeys(tags)]
    table = Table("", *(side.run.tag for side in sides), box=None, pad_edge=False)
    for fact, values in compared.differences(sides).items():
        table.add_row(fact, *values)
    if table.row_count:
        console.print(table)
    else:
        say("nothing differs")
    if out is None:
        say("plots of the metrics: --out compare.html")
        return
    from aiga.report import comparison  # brings matplotlib

    comparison.write(out, here.loaded.project.name, sides)
    say(f"comparison: {out}")


@told
def reproduce(model: Model = "production", project: ProjectOption = Path("."), store: StoreOption = None) -> int:
    """Train a model again from what was recorded of it, and say whether the same comes out."""
    here = at(project, store)
    found = Registry(here.place.store, here.loaded.project.name).get(model)
    compared = reproducing.reproduce(here.place, found, Screen(console))
    for item in compared:
        say(f"{item.what}: {'equal' if item.equal else 'differs'}: {item.then}{'' if item.equal else f' → {item.now}'}")
    equal = all(item.equal for item in compared)
    say(f"{here.loaded.project.name}@{found.version}: {'equal' if equal else 'differs'}")
    return 0 if equal else 1


@told
def report(
    tag: Annotated[str | None, typer.Argument(help="The run; the latest when left out.")] = None,
    project: ProjectOption = Path("."),
    store: StoreOption = None,
    out: Annotated[Path | None, typer.Option("--out", help="The HTML file to write.")] = None,
) -> None:
    """Write a page about a run: trials, metrics, confusion, lineage."""
    here = at(project, store)
    run = _run(here, tag) if tag else record.latest(here.place.store, here.loaded.project.name, say)
    if run is None:
        raise UserError(f"{here.loaded.project.name}: there is no run to report (aiga run)")
    say(f"report: {report_of(here, run, out)}")


def report_of(here: At, run: RunRecord, out: Path | None = None, figures: Mapping[str, str] | None = None) -> Path:
    """Writes the report of a run, with what was seen while serving; where it is."""
    from aiga.report import page

    link = None
    if run.model is not None:
        link = lineage.of_model(here.place.store, Registry(here.place.store, run.project).get(run.model))
    path = out or here.place.home / "reports" / f"{here.loaded.project.name}-{run.tag}.html"
    page.write(path, here.loaded.project, run, here.place, lineage=link, serving=figures or {})
    return path


def _run(here: At, tag: str) -> RunRecord:
    found = record.load(here.place.store, here.loaded.project.name, tag)
    if found is None:
        raise UserError(f"{tag}: there is no such run of {here.loaded.project.name} (see `aiga runs`)")
    return found


def _numbers(metrics: Any) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())
