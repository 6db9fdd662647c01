"""Writes the page that lays runs side by side: what differs, each metric, and how it developed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from aiga.report import documents, plots
from aiga.runner.compared import Side, differences


def write(path: Path, project: str, sides: Sequence[Side]) -> None:
    """Writes the comparison of runs as one file that needs no other.

    Raises:
        UserError: the file cannot be written.
    """
    colours = {side.run.tag: colour for side, colour in zip(sides, plots.colours(len(sides)), strict=True)}
    metrics = dict.fromkeys(name for side in sides for name in side.metrics)
    curves = dict.fromkeys(name for side in sides for name in side.curves)
    documents.write(
        path,
        "comparison.html.j2",
        project=project,
        runs=[
            {name: getattr(side.run, name) for name in ("tag", "started", "state", "model")}
            | {"colour": colours[side.run.tag]}
            for side in sides
        ],
        differences=differences(sides),
        metrics=[
            Markup(plots.bars({s.run.tag: s.metrics[name] for s in sides if name in s.metrics}, name, colours))
            for name in metrics
        ],
        curves=[
            Markup(plots.overlaid({s.run.tag: s.curves[name] for s in sides if name in s.curves}, name, colours))
            for name in curves
        ],
    )
