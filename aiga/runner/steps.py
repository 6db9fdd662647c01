"""Does one step: takes its inputs, reuses an earlier result where nothing changed, else tries it until it succeeds."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from aiga.errors import AigaError, TransientError
from aiga.names import METADATA
from aiga.runner import attempt, code, contracts, documents, fingerprint, layout, reasons
from aiga.runner.artefact import Artefact, Done, Task
from aiga.runner.fingerprint import Fingerprint
from aiga.runner.place import Place
from aiga.runner.setting import Setting
from aiga.secrets.resolve import resolve
from aiga.spec.base import delta
from aiga.step.metadata import interrupted
from aiga.step.order import Order
from aiga.store import Missing
from aiga.store.digest import file_digest

LOG = "metrics.jsonl"
LOGS = ("output.txt", LOG)
"""What is kept of a try besides its outputs."""


class StepFailed(AigaError):
    """A step that did not succeed, after all its tries."""


def fingerprinted(setting: Setting, task: Task) -> Fingerprint:
    """What the task's result depends on."""
    files = code.of_step(setting.project, setting.folder, task.work.run)
    return fingerprint.of(
        call=task.work.run,
        code={f.relative_to(setting.folder).as_posix(): file_digest(f) for f in files},
        parameters=task.arguments,
        inputs={name: artefact.digest for name, artefact in task.files.items()},
        declared={"out": dict(task.work.outputs), "returns": dict(task.work.returns)},
        environment=setting.environment,
        seed=task.seed,
    )


def do(setting: Setting, task: Task) -> Done:
    """Does a task, or finds it done.

    Raises:
        StepFailed: with the reason, and where its output is.
    """
    print_ = fingerprinted(setting, task)
    found = again(setting, task, print_)
    if found is not None:
        return found
    reason = "the run asks for it" if setting.fresh else because(setting, task.name, print_)
    setting.screen.step(task.name, "running", reason)
    folder = setting.place.work(setting.tag, task.name)
    with setting.place.checkpoint(print_.key, setting.tag) as checkpoint:
        metadata = tried(setting, task, folder, checkpoint)
    contracts.check(task, {name: folder / "outputs" / file for name, file in task.work.outputs.items()})
    told = {**metadata, "fingerprint": dict(print_.parts)}
    done = kept(setting, task, folder, layout.step(setting.project.name, setting.tag, task.name), told)
    remember(setting, task.name, print_, contract=contracts.digest(task))
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
    unchanged(task)
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
            unchanged(task)
            shutil.rmtree(checkpoint, ignore_errors=True)
            return reasons.metadata(folder)
        reason = reasons.of(folder, ended)
        interrupted(order, reason)
        passing = ended.code < 0 or ended.code == TransientError.exit_code
        if number == retries.limit or not passing or ended.cause or setting.stop.is_set():
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
        seed=task.seed,
        limits=setting.limits(task.work),
        digests={name: artefact.digest for name, artefact in task.files.items()},
        secrets=tuple(setting.project.secrets[name].env for name in task.work.secrets),
        runner=os.getpid(),
    )


def unchanged(task: Task) -> None:
    """Sees that the files a step is given are those whose digests it is recorded with.

    Raises:
        TransientError: somebody wrote to them.
    """
    for name, artefact in task.files.items():
        if artefact.altered:
            raise TransientError(
                f"{task.name}: input {name} ({artefact.origin}): is not what this run read any more: somebody wrote "
                "to it, or the step itself (run again: it is read anew)"
            )


def again(setting: Setting, task: Task, print_: Fingerprint) -> Done | None:
    """The task's result of an earlier run, held to a contract that it was not held to then; None where it must run.

    Raises:
        UserError: it breaches the contract.
    """
    if not task.work.cache or setting.fresh:
        return None
    found = reusable(setting, task.name, print_)
    if found is None:
        return None
    if contracts.digest(task) not in ("", _entry(setting, print_).get("contract")):
        contracts.check(task, {name: artefact.local(setting.place) for name, artefact in found.outputs.items()})
        _enter(setting, print_, found.where, contracts.digest(task))
    return reuse(setting, task.name, found)


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
    store = setting.place.store
    try:
        tag, _, step = _entry(setting, print_)["where"].partition("/")
        found = stored(setting.place, tag, step)
    except (Missing, KeyError):
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


def remember(setting: Setting, name: str, print_: Fingerprint, *, contract: str = "") -> None:
    """Notes that this run holds the result for the fingerprint, and what the step's latest one was.

    Args:
        contract: digest of what the result was held to.
    """
    store, project = setting.place.store, setting.project.name
    _enter(setting, print_, f"{setting.tag}/{name}", contract)
    store.write(layout.cached(project, f"latest-{name}"), json.dumps(dict(print_.parts)).encode())


def _enter(setting: Setting, print_: Fingerprint, where: str, contract: str) -> None:
    entry = {"where": where, "contract": contract}
    setting.place.store.write(layout.cached(setting.project.name, print_.key), json.dumps(entry).encode())


def _entry(setting: Setting, print_: Fingerprint) -> dict[str, Any]:
    """What was noted of a fingerprint; nothing where that is damaged or not there."""
    try:
        return dict(json.loads(setting.place.store.read(layout.cached(setting.project.name, print_.key))))
    except (Missing, ValueError, TypeError):
        return {}


def because(setting: Setting, name: str, print_: Fingerprint) -> str:
    """Why the step runs, in a few words."""
    try:
        parts = json.loads(setting.place.store.read(layout.cached(setting.project.name, f"latest-{name}")))
    except (Missing, ValueError):
        parts = None
    return fingerprint.why(print_, Fingerprint(parts) if parts is not None else None)


def failed(task: Task, folder: Path, reason: str) -> StepFailed:
    """What to tell: the step's own reason, and where all that it printed is."""
    return StepFailed(f"{task.name}: {reason}\n  all it printed: {folder / 'output.txt'}")
