"""`aiga demo`: a project from nothing to two versions under traffic, and a page about it."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Annotated, Any

import typer

from aiga.cli.run import finished
from aiga.cli.runs import report_of
from aiga.cli.shared import At, at, console, say, told
from aiga.errors import UserError
from aiga.names import EXPECTED, PREDICTIONS
from aiga.runner import place, run, steps
from aiga.runner.record import RunRecord
from aiga.runner.screen import Screen


@told
def demo(
    folder: Annotated[Path, typer.Argument(help="The project.")] = Path("projects/digits"),
    seconds: Annotated[float, typer.Option("--seconds", help="Of traffic, in all; 0 serves nothing.")] = 60.0,
) -> int:
    """Run a project from nothing, serve it with a canary, and write a page; its own store is left alone."""
    own = at(folder)
    home = own.place.home / "demo"
    shutil.rmtree(home, ignore_errors=True)
    here = At(own.loaded, own.folder, place.beside(home, own.loaded.project.name))
    ended = run.run(run.Request(here.folder), here.loaded.project, here.place, Screen(console))
    code = finished(ended)
    figures: dict[str, str] = {}
    if not code and seconds > 0 and here.loaded.project.serve is not None and _second(here, ended):
        from aiga.cli.demo_serving import traffic_of

        figures = asyncio.run(traffic_of(here, *_rows(here, ended), seconds))
    say(f"report: {report_of(here, ended, figures=figures)}")
    return code


def _second(here: At, first: RunRecord) -> bool:
    """Makes another version for the canary, with the parameters of the search's second best trial."""
    trials = steps.stored(here.place, first.tag, "train").metadata.get("trials") or []
    other = next((t for t in trials[1:] if t["state"] == "complete"), None)
    if other is None:
        return False
    overrides = tuple(f"train.{name}={value}" for name, value in other["parameters"].items())
    say(f"a second version, with the parameters of trial {other['number']}, for the canary:")
    request = run.Request(here.folder, overrides, stage="staging")
    return run.run(request, here.loaded.project, here.place, Screen(console)).state == "succeeded"


def _rows(here: At, ended: RunRecord) -> tuple[list[Any], list[Any]]:
    """The rows that the evaluation saw, as far as they are numbers with a fraction, and what was expected of them."""
    done = steps.stored(here.place, ended.tag, "evaluate")
    item = next((i for name, i in done.metadata["inputs"].items() if name != "model"), None)
    if item is None or PREDICTIONS not in done.outputs:
        raise UserError("demo: traffic needs an evaluation with data and a table of predictions (--seconds 0)")
    import pandas as pd

    from aiga.evaluate import table
    from aiga.sources import tables

    frame = pd.concat([chunk.frame for chunk in tables.chunks(here.place.artefact(item["key"], item["digest"]))])
    numbers = frame[[name for name in frame if pd.api.types.is_float_dtype(frame[name])]]
    expected = table.read(done.outputs[PREDICTIONS].local(here.place)).frame[EXPECTED]
    return numbers.to_numpy("float32").tolist(), expected.tolist()
