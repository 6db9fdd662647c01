"""`aiga runs`, `compare`, `lineage`, `reproduce`, `report`: what was run, what came of it, and from what."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.tree import Tree

from aiga.cli.shared import At, Folder, StoreOption, at, console, say, told
from aiga.errors import UserError
from aiga.registry import Registered, Registry
from aiga.runner import lineage as lineages
from aiga.runner import record, steps
from aiga.runner import reproduce as reproducing
from aiga.runner.lineage import Link
from aiga.runner.record import RunRecord
from aiga.runner.screen import Screen
from aiga.store import Missing

Model = Annotated[str, typer.Argument(help="Version: a number, production, staging or latest.")]
ProjectOption = Annotated[Path, typer.Option("--project", help="The project: its folder, or its project.yaml.")]


@told
def runs(folder: Folder = Path("."), store: StoreOption = None) -> None:
    """List the runs of a project, the newest last."""
    here = at(folder, store)
    found = record.all_of(here.place.store, here.loaded.project.name)
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
) -> None:
    """Show where runs differ: parameters, metrics, digests of what each step made."""
    here = at(project, store)
    known = [_run(here, tag) for tag in tags]
    columns = [_facts(here, run) for run in known]
    table = Table("", *tags, box=None, pad_edge=False)
    for fact in dict.fromkeys(fact for column in columns for fact in column):
        values = [column.get(fact, "") for column in columns]
        if len(set(values)) > 1:
            table.add_row(fact, *values)
    if table.row_count:
        console.print(table)
    else:
        say("nothing differs")


@told
def lineage(model: Model = "production", project: ProjectOption = Path("."), store: StoreOption = None) -> None:
    """Show where a model comes from, back to the digests of the data."""
    here = at(project, store)
    console.print(_tree(lineage_of(here, registered(here, model))))


@told
def reproduce(model: Model = "production", project: ProjectOption = Path("."), store: StoreOption = None) -> int:
    """Train a model again from what was recorded of it, and say whether the same comes out."""
    here = at(project, store)
    found = registered(here, model)
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
    run = _run(here, tag) if tag else record.latest(here.place.store, here.loaded.project.name)
    if run is None:
        raise UserError(f"{here.loaded.project.name}: there is no run to report (aiga run)")
    say(f"report: {report_of(here, run, out)}")


def report_of(here: At, run: RunRecord, out: Path | None = None, figures: Mapping[str, str] | None = None) -> Path:
    """Writes the report of a run, with what was seen while serving; where it is."""
    from aiga.report import page

    link = lineage_of(here, registered(here, str(run.model))) if run.model is not None else None
    path = out or here.place.home / "reports" / f"{here.loaded.project.name}-{run.tag}.html"
    page.write(path, here.loaded.project, run, here.place, lineage=link, serving=figures or {})
    return path


def registered(here: At, version: str) -> Registered:
    return Registry(here.place.store, here.loaded.project.name).get(version)


def lineage_of(here: At, model: Registered) -> Link:
    """The lineage of a registered model."""
    evidence = model.evidence
    name = f"{here.loaded.project.name}@{model.version}"
    return lineages.of_step(
        here.place.store,
        here.loaded.project.name,
        evidence.trained,
        name=name,
        digest=evidence.digest,
        versions=dict(evidence.data),
    )


def _tree(link: Link, tree: Tree | None = None) -> Tree:
    label = f"{link.name}  [dim]{link.digest[:19]}  {link.what}[/dim]"
    branch = Tree(label) if tree is None else tree.add(label)
    for below in link.made_of:
        _tree(below, branch)
    return branch


def _run(here: At, tag: str) -> RunRecord:
    found = record.load(here.place.store, here.loaded.project.name, tag)
    if found is None:
        raise UserError(f"{tag}: there is no such run of {here.loaded.project.name} (see `aiga runs`)")
    return found


def _facts(here: At, run: RunRecord) -> dict[str, str]:
    """Everything of a run that may differ from another's."""
    facts: dict[str, Any] = {"state": run.state, **{f"metric {k}": f"{v:.6g}" for k, v in run.metrics.items()}}
    for step in run.steps:
        try:
            done = steps.stored(here.place, run.tag, step)
        except Missing:
            continue
        facts |= {f"{step}.{k}": str(v) for k, v in (done.metadata.get("parameters") or {}).items()}
        facts |= {f"{step} metric {k}": f"{v:.6g}" for k, v in done.metrics.items()}
        facts |= {f"{step} → {k}": artefact.digest[:19] for k, artefact in done.outputs.items()}
    return facts


def _numbers(metrics: Any) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())
