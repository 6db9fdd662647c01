"""Does one step: takes its inputs, reuses an earlier result where nothing changed, else tries it until it succeeds."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from aiga.errors import AigaError, TransientError, UserError
from aiga.names import METADATA
from aiga.runner import attempt, code, documents, fingerprint, layout
from aiga.runner.artefact import Artefact, Done
from aiga.runner.fingerprint import Fingerprint
from aiga.runner.place import Place
from aiga.runner.setting import Setting
from aiga.secrets.resolve import resolve
from aiga.spec.base import Scalar, delta
from aiga.spec.steps import Work
from aiga.step.metadata import interrupted
from aiga.step.order import Order
from aiga.store import Missing
from aiga.store.digest import file_digest

LOG = "metrics.jsonl"
LOGS = ("output.txt", LOG)
"""What is kept of a try besides its outputs."""


class StepFailed(AigaError):
    """A step that did not succeed, after all its tries."""


@dataclass(frozen=True)
class Task:
    """One step with everything it takes."""

    name: str
    work: Work
    files: Mapping[str, Artefact]
    values: Mapping[str, Scalar]
    parameters: Mapping[str, Scalar]
    origins: Mapping[str, str] = field(default_factory=dict)
    """Value to who gave it: `<tag>/<step>.<name>`."""

    @property
    def arguments(self) -> dict[str, Scalar]:
        """Parameters, and values of earlier steps."""
        return {**self.parameters, **self.values}


def fingerprinted(setting: Setting, task: Task) -> Fingerprint:
    """What the task's result depends on."""
    files = code.of_step(setting.folder, task.work.run)
    return fingerprint.of(
        call=task.work.run,
        code={f.relative_to(setting.folder).as_posix(): file_digest(f) for f in files},
        parameters=task.arguments,
        inputs={name: artefact.digest for name, artefact in task.files.items()},
        declared={"out": dict(task.work.outputs), "returns": dict(task.work.returns)},
        environment=setting.environment,
    )


def do(setting: Setting, task: Task) -> Done:
    """Does a task, or finds it done.

    Raises:
        StepFailed: with the reason, and where its output is.
    """
    print_ = fingerprinted(setting, task)
    found = reusable(setting, task.name, print_) if task.work.cache and not setting.fresh else None
    if found is not None:
        return reuse(setting, task.name, found)
    reason = "the run asks for it" if setting.fresh else because(setting, task.name, print_)
    setting.screen.step(task.name, "running", reason)
    folder = setting.place.work(setting.tag, task.name)
    with setting.place.checkpoint(print_.key, setting.tag) as checkpoint:
        metadata = tried(setting, task, folder, checkpoint)
    checked(task, folder)
    told = {**metadata, "fingerprint": dict(print_.parts)}
    done = kept(setting, task, folder, layout.step(setting.project.name, setting.tag, task.name), told)
    remember(setting, task.name, print_)
    setting.screen.step(task.name, "done", reason)
    return done


def tried(
    setting: Setting,
    task: Task,
    folder: Path,
    checkpoint: Path,
    *,
    trial: int | None = None,
    metrics: Callable[[Mapping[str, Any]], str] = lambda _: "",
) -> dict[str, Any]:
    """Tries a task as often as it says, and returns the metadata of the try that succeeded.

    Args:
        folder: where it works; what another try left there goes.
        checkpoint: what it keeps from try to try; removed when it succeeds.
        trial: number, within a search.
        metrics: is told each line that is logged; a text that it returns ends the try for good.
    """
    retries = setting.retries(task.work)
    pause = delta(retries.delay).total_seconds()
    for number in range(retries.limit + 1):
        order = ordered(setting, task, folder, checkpoint, trial)
        ended = attempt.run(
            order,
            python=setting.python,
            secrets=resolve(task.work.secrets, setting.project.secrets, setting.project.name),
            stop=setting.stop.is_set,
            metrics=metrics,
        )
        if ended.code == 0 and not ended.cause:
            shutil.rmtree(checkpoint, ignore_errors=True)
            return read_metadata(folder)
        reason = _reason(folder, ended)
        interrupted(order, reason)
        last = number == retries.limit or ended.code == UserError.exit_code or setting.stop.is_set()
        if last or ended.cause:
            lost(setting, task, folder, trial)
            raise failed(task, folder, reason)
        setting.screen.say(f"{task.name}: {reason}; tried again in {pause:g} s")
        setting.stop.wait(pause)
        pause *= retries.factor
    raise AssertionError("the last try returns or raises")


def ordered(setting: Setting, task: Task, folder: Path, checkpoint: Path, trial: int | None) -> Order:
    """An order in a clean folder."""
    attempt.end_leftover(folder)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    checkpoint.mkdir(parents=True, exist_ok=True)
    return Order(
        project=setting.project.name,
        run=setting.tag,
        step=task.name,
        trial=trial,
        call=task.work.run,
        source=setting.folder,
        inputs={name: artefact.local(setting.place) for name, artefact in task.files.items()},
        outputs=dict(task.work.outputs),
        returns=dict(task.work.returns),
        parameters=task.arguments,
        work=folder,
        checkpoint=checkpoint,
        seed=getattr(task.work, "seed", None),
        limits=setting.limits(task.work),
        digests={name: artefact.digest for name, artefact in task.files.items()},
        secrets=tuple(setting.project.secrets[name].env for name in task.work.secrets),
        runner=os.getpid(),
    )


def checked(task: Task, folder: Path) -> None:
    """Holds each output to its contract."""
    if not task.work.expect:
        return
    from aiga.sources import expect  # brings pandas

    for name, contract in task.work.expect.items():
        expect.check(folder / "outputs" / task.work.outputs[name], contract, f"{task.name}.{name}")


def kept(setting: Setting, task: Task, folder: Path, prefix: str, metadata: Mapping[str, Any]) -> Done:
    """Puts what a try made into the store below `prefix`, its metadata last: a step is there when that is."""
    store = setting.place.store
    where = prefix.removeprefix(f"{layout.runs(setting.project.name)}/")
    outputs = {}
    for name, file in task.work.outputs.items():
        path = folder / "outputs" / file
        digest = store.upload(path, f"{prefix}/{file}", setting.screen.transfer(f"{task.name}: {file}"))
        outputs[name] = Artefact(digest, f"{where}.{name}", f"{prefix}/{file}", path)
    for log in LOGS:
        if (folder / log).is_file():
            store.upload(folder / log, f"{prefix}/{log}")
    told = {
        **metadata,
        "inputs": {name: artefact.plain() for name, artefact in task.files.items()},
        "values": {name: {"value": value, "from": task.origins[name]} for name, value in task.values.items()},
        "outputs": {name: artefact.plain() for name, artefact in outputs.items()},
    }
    store.write(f"{prefix}/{METADATA}", documents.dump(told))
    return Done(task.name, where, outputs, told.get("returned") or {}, told.get("metrics") or {}, told)


def lost(setting: Setting, task: Task, folder: Path, trial: int | None) -> None:
    """Keeps what is known of a step, or a trial of it, that failed."""
    prefix = layout.step(setting.project.name, setting.tag, task.name)
    if trial is not None:
        prefix = layout.trial(setting.project.name, setting.tag, task.name, trial)
    for name in (*LOGS, METADATA):
        if (folder / name).is_file():
            setting.place.store.upload(folder / name, f"{prefix}/{name}")


def reusable(setting: Setting, name: str, print_: Fingerprint) -> Done | None:
    """The result of the same step with the same fingerprint, if the store still has all of it."""
    store, project = setting.place.store, setting.project.name
    try:
        where = json.loads(store.read(layout.cached(project, print_.key)))["where"]
        tag, _, step = where.partition("/")
        found = stored(setting.place, tag, step)
    except (Missing, ValueError, KeyError):
        return None
    whole = all(store.exists(artefact.key) for artefact in found.outputs.values())
    return replace(found, step=name, reused=True) if whole else None


def stored(place: Place, tag: str, step: str) -> Done:
    """The result of a step of some run, as the store has it; followed to the run it was reused from.

    Raises:
        Missing: the run has no such step.
    """
    told = documents.load(place.store.read(f"{layout.step(place.project, tag, step)}/{METADATA}"))
    if told.get("reused"):
        tag, _, step = told["reused"].partition("/")
        return stored(place, tag, step)
    kept_ = {name: item for name, item in (told.get("outputs") or {}).items() if "key" in item}
    outputs = {name: Artefact(item["digest"], item["from"], item["key"]) for name, item in kept_.items()}
    return Done(step, f"{tag}/{step}", outputs, told.get("returned") or {}, told.get("metrics") or {}, told)


def reuse(setting: Setting, name: str, found: Done) -> Done:
    """Leaves only the metadata in this run: where the result is."""
    own = layout.step(setting.project.name, setting.tag, name)
    if not own.endswith(found.where):
        told = {"tag": setting.tag, "step": name, "state": "reused", "reused": found.where}
        setting.place.store.write(f"{own}/{METADATA}", documents.dump(told))
    setting.screen.step(name, "reused", f"nothing changed since {found.where}")
    return found


def remember(setting: Setting, name: str, print_: Fingerprint) -> None:
    """Notes that this run holds the result for the fingerprint, and what the step's latest one was."""
    store, project = setting.place.store, setting.project.name
    store.write(layout.cached(project, print_.key), json.dumps({"where": f"{setting.tag}/{name}"}).encode())
    store.write(layout.cached(project, f"latest-{name}"), json.dumps(dict(print_.parts)).encode())


def because(setting: Setting, name: str, print_: Fingerprint) -> str:
    """Why the step runs, in a few words."""
    try:
        parts = json.loads(setting.place.store.read(layout.cached(setting.project.name, f"latest-{name}")))
    except (Missing, ValueError):
        parts = None
    return fingerprint.why(print_, Fingerprint(parts) if parts is not None else None)


def read_metadata(folder: Path) -> dict[str, Any]:
    try:
        return dict(documents.load((folder / METADATA).read_text()))
    except (OSError, TypeError, yaml.YAMLError):
        return {}


def failed(task: Task, folder: Path, reason: str) -> StepFailed:
    """What to tell: the step's own reason, and where all that it printed is."""
    return StepFailed(f"{task.name}: {reason}\n  all it printed: {folder / 'output.txt'}")


def _reason(folder: Path, ended: attempt.Ended) -> str:
    if ended.cause:
        return ended.cause
    error = read_metadata(folder).get("error") or {}
    if error:
        frames = error.get("frames") or []
        own = [frame for frame in frames if not frame.startswith("/")]
        place = f"\n    {(own or frames)[-1]}" if frames else ""
        kind = error.get("type", "error")
        told = "" if kind in (UserError.__name__, TransientError.__name__) else f"{kind}: "
        return f"{told}{error.get('message', '')}{place}"
    log = folder / "process.log"
    last = log.read_text(errors="replace").strip().splitlines()[-1:] if log.is_file() else []
    if ended.code < 0:
        return f"it was ended by signal {-ended.code} (out of memory, if nobody sent one)"
    return f"exit code {ended.code}{f': {last[0]}' if last else ''}"
