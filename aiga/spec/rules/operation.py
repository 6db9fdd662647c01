"""Rules of what goes on around steps: secrets, sources, schedules, monitors and what follows from them."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from aiga.spec.graph import tasks
from aiga.spec.mistakes import MISSING, Finding, meant
from aiga.spec.places import Path
from aiga.spec.project import Project
from aiga.spec.rules.work import twice
from aiga.spec.sources import HttpSource, S3Source, SqlSource
from aiga.spec.steps import Work


def secrets(project: Project) -> Iterator[Finding]:
    """Every secret that is used is declared, under a variable of its own."""
    for path, name in _used(project):
        if name not in project.secrets:
            remedy = meant(name, project.secrets, "secrets are") if project.secrets else f"add secrets.{name}"
            yield Finding(path, name, "is no secret of this project", remedy, (("secrets", name),))
    variables: dict[str, str] = {}
    for name, secret in project.secrets.items():
        other = variables.setdefault(secret.env, name)
        here: Path = ("secrets", name, "env")
        if other != name:
            yield Finding(here, secret.env, f"is the variable of secret {other} too", "give each its own")
        if secret.env.startswith("AIGA_"):
            yield Finding(here, secret.env, "variables that begin with AIGA_ are aiga's own", "rename it")


def addresses(project: Project) -> Iterator[Finding]:
    """No address holds a password."""
    for name, source in project.sources.items():
        path: Path = ("sources", name)
        if isinstance(source, SqlSource | HttpSource):
            yield from _password((*path, "url"), source.url)
        elif isinstance(source, S3Source) and source.endpoint is not None:
            yield from _password((*path, "endpoint"), source.endpoint)


def schedule(project: Project) -> Iterator[Finding]:
    """What comes by the clock has something to do."""
    uses: tuple[tuple[str, str, object, object], ...] = (
        ("retrain", "train", project.schedule.retrain, project.train),
        ("evaluateProduction", "evaluate", project.schedule.evaluate_production, project.evaluate),
        ("watch", "sources", project.schedule.watch, project.sources),
    )
    for key, block, value, there in uses:
        if value is not None and not there:
            rule = f"there is no {block} block for it"
            yield Finding(("schedule", key), value, rule, f"add {block}, or take it out", ((block,),))


def watched(project: Project) -> Iterator[Finding]:
    """Monitors and alerts have names of their own; what follows from one can be done."""
    yield from twice((("monitors", index, "name"), monitor.name) for index, monitor in enumerate(project.monitors))
    yield from twice((("alerts", index, "name"), alert.name) for index, alert in enumerate(project.alerts))
    for index, monitor in enumerate(project.monitors):
        if monitor.model is None and project.serve is None and project.train is None:
            rule = "is required where the project neither trains nor serves one"
            yield Finding(
                ("monitors", index, "model"), MISSING, rule, "add model: its address", (("serve",), ("train",))
            )
    names = {monitor.name for monitor in project.monitors}
    needs = {"retrain": "train", "label": "label", "rollback": "serve", "takedown": "serve"}
    for index, policy in enumerate(project.policy):
        watches = policy.when.partition(".")[0]
        if watches not in names:
            remedy = meant(watches, names, "monitors are")
            yield Finding(("policy", index, "when"), policy.when, "is no monitor", remedy, (("monitors",),))
        for place, action in enumerate(policy.do):
            block = needs.get(action)
            if block and getattr(project, block) is None:
                rule, remedy = f"there is no {block} block for it", f"add {block}, or take it out"
                yield Finding(("policy", index, "do", place), action, rule, remedy, ((block,),))


def tolerations(project: Project) -> Iterator[Finding]:
    """A toleration that compares has a value to compare with."""
    blocks: list[tuple[Path, object]] = [((), project), *((task.path, task.work) for task in tasks(project))]
    if project.serve:
        blocks.append((("serve",), project.serve))
    for path, block in blocks:
        resources = getattr(block, "resources", None)
        for index, toleration in enumerate(resources.tolerations if resources else ()):
            if toleration.operator == "Equal" and toleration.value is None:
                here = (*path, "resources", "tolerations", index, "value")
                yield Finding(here, MISSING, "operator Equal needs it", "add value, or write operator: Exists")


RULES = (secrets, addresses, schedule, watched, tolerations)


def _used(project: Project) -> Iterator[tuple[Path, str]]:
    for name, source in project.sources.items():
        if isinstance(source, HttpSource | SqlSource) and source.secret is not None:
            yield ("sources", name, "secret"), source.secret
    for task in tasks(project):
        if isinstance(task.work, Work):
            yield from (((*task.path, "secrets", index), name) for index, name in enumerate(task.work.secrets))
    yield from ((("notify", index, "secret"), notify.secret) for index, notify in enumerate(project.notify))


def _password(path: Path, url: str) -> Iterator[Finding]:
    try:
        password = urlsplit(url).password
    except ValueError:
        yield Finding(path, url, "is no URL", "such as https://example.org/data.csv")
        return
    if password:
        yield Finding(path, url, "holds a password", "take it out, and name a secret beside it: secret: NAME")
