"""What a project file says and nothing on this machine acts on in this release: told, never left in silence."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic.alias_generators import to_camel

from aiga.spec.base import Model
from aiga.spec.places import Path, written
from aiga.spec.project import Project
from aiga.spec.serve import Canary, Serve

_BLOCKS = {
    "monitors": "nothing is watched",
    "policy": "nothing follows from alarms",
    "alerts": "nobody is told by alerts",
    "notify": "nobody is told of runs",
}
_OF_A_CLUSTER = ("gpu", "node_selector", "tolerations", "spot")
_SERVING = {
    "replicas": "one server of each version runs",
    "resources": "servers are not limited",
    "fallback": "a takedown serves nothing in its place",
}
_STRATEGY = {
    "bake": "no share grows by itself (aiga canary)",
    "abort_on": "nothing is undone by itself (aiga canary 0)",
    "duration": "a shadow runs until it is ended",
    "min_requests": "a shadow runs until it is ended",
    "then": "a shadow runs until it is ended",
}


def of_run(project: Project) -> list[str]:
    """A sentence for each thing that a run does not act on."""
    found = [_told((block,), effect) for block, effect in _BLOCKS.items() if getattr(project, block)]
    if project.schedule.evaluate_production is not None:
        found.append(_told(("schedule", "evaluateProduction"), "production is not evaluated"))
    return found + list(_of_a_cluster(project))


def of_serving(serve: Serve) -> list[str]:
    """A sentence for each thing of the block that serving does not act on, of those that the file says."""
    path: Path = ("serve",)
    found = [_told((*path, key), effect) for key, effect in _SERVING.items() if key in serve.model_fields_set]
    strategy = serve.strategy
    said = strategy.model_fields_set
    found += [_told((*path, "strategy", to_camel(key)), effect) for key, effect in _STRATEGY.items() if key in said]
    if isinstance(strategy, Canary) and len(strategy.steps) > 1 and "steps" in said:
        found.append(_told((*path, "strategy", "steps"), "the first is taken, the others by hand (aiga canary)"))
    return found


def _of_a_cluster(project: Project) -> Iterator[str]:
    """Images and places of steps: every step runs here, in the project's environment."""
    works: list[tuple[Path, Model | None]] = [((), project)]
    works += [(("etl", index), step) for index, step in enumerate(project.etl)]
    works += [(("train",), project.train), (("evaluate",), project.evaluate)]
    for path, work in works:
        if getattr(work, "image", None) is not None:
            yield _told((*path, "image"), "steps run in the project's environment")
        resources = getattr(work, "resources", None)
        for key in _OF_A_CLUSTER if resources is not None else ():
            if getattr(resources, key):
                yield _told((*path, "resources", to_camel(key)), "steps run on this machine, with what it has")


def _told(path: Path, effect: str) -> str:
    return f"{written(path)}: this release does not act on it here: {effect}"
