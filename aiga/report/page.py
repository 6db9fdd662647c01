"""Writes the page: what was run, how the trials went, how the model was judged, where it comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from aiga.evaluate import table
from aiga.names import PREDICTIONS
from aiga.report import documents, plots
from aiga.runner import compared, layout, steps
from aiga.runner.artefact import Done
from aiga.runner.compared import Points
from aiga.runner.lineage import Link
from aiga.runner.place import Place
from aiga.runner.record import RunRecord
from aiga.spec import Project
from aiga.store import Missing

CLASSES = 50
"""More different predictions than these are numbers, and get no confusion matrix."""


def write(
    path: Path, project: Project, run: RunRecord, place: Place, *, lineage: Link | None, serving: Mapping[str, str]
) -> None:
    """Writes the report of a run as one file that needs no other.

    Args:
        lineage: of the model, where the run made one.
        serving: title to figure of what was seen while it was served.
    """
    trained, judged = _stored(place, run, "train"), _stored(place, run, "evaluate")
    trials = list(trained.metadata.get("trials") or []) if trained else []
    documents.write(
        path,
        "page.html.j2",
        project=project,
        run=run,
        trials=trials,
        metric=project.train.search.objective.metric if project.train and project.train.search else "",
        figures=[Markup(figure) for figure in _figures(project, place, trained, judged, trials)],
        trained=trained,
        serving={title: Markup(figure) for title, figure in serving.items()},
        lineage=lineage,
    )


def _figures(
    project: Project, place: Place, trained: Done | None, judged: Done | None, trials: Sequence[Mapping[str, Any]]
) -> list[str]:
    found = []
    if trained is not None and trials and project.train and project.train.search:
        metric = project.train.search.objective.metric
        found += [plots.trials(trials, metric), plots.parameters(trials, metric)]
        lines = _curves(place, trained, trials, metric)
        if lines:
            found.append(plots.curves(lines, metric, f"trial {trained.metadata.get('winner')}"))
    if judged is not None and PREDICTIONS in judged.outputs:
        predictions = table.read(judged.outputs[PREDICTIONS].local(place))
        expected, predicted = predictions.expected, predictions.predicted
        few = len({*expected.tolist(), *predicted.tolist()}) <= CLASSES
        found.append((plots.confusion if few else plots.residuals)(expected, predicted))
    return found


def _curves(place: Place, trained: Done, trials: Sequence[Mapping[str, Any]], metric: str) -> dict[str, Points]:
    """What each trial that came to its end logged of a metric."""
    tag, _, step = str(trained.metadata.get("search") or trained.where).partition("/")
    logged = {
        f"trial {trial['number']}": compared.series(
            place, f"{layout.trial(place.project, tag, step, trial['number'])}/{steps.LOG}"
        )
        for trial in trials
    }
    return {name: found[metric] for name, found in logged.items() if metric in found}


def _stored(place: Place, run: RunRecord, step: str) -> Done | None:
    try:
        return steps.stored(place, run.tag, step)
    except Missing:
        return None
